"""From an experiment to a trainer with its environment and agents, and to a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._envs.closing import close_environment
from .._envs.recipe import EnvRecipe
from .._errors import ConfigError
from .._factory import make_agent
from .._registry.manager import registry
from .._runs.directory import RunDirectory
from .files import load_experiment
from .spec import Experiment

if TYPE_CHECKING:
    from .._runs.records import Summary
    from .._trainers.base import Trainer


def build_experiment(
    experiment: Experiment | Mapping[str, Any] | str | Path,
    *,
    run_dir: str | Path | None = None,
    resume: bool | str | Path = False,
) -> Trainer:
    """Make the environment, the agents and the trainer of an experiment.

    Args:
        experiment: The experiment, or what :func:`~coterie.load_experiment` reads one from.
        run_dir: Folder that the run is written to, new or empty; ``None``: nothing is written.
        resume: Whether to go on with the run that ``run_dir`` holds, if it has one, from its
            newest checkpoint; or path or URL of a checkpoint, or of another run, to go on from.
            A run that is not in ``run_dir`` is brought there from its ``checkpoints.mirror``.

    Returns:
        The trainer; its ``env`` is closed at exit, or when you close it.

    Raises:
        ConfigError: The experiment is wrong, or the folder holds something.
        CheckpointError: The checkpoint can't be read, or is another population's.
        PluginError: Something that it names is not installed, or broken.
    """
    checked = load_experiment(experiment)
    if run_dir is not None:
        RunDirectory(run_dir, again=resume is not False)
    where = checked.environment
    cls = registry().load("trainer", checked.trainer.name)
    recipe = EnvRecipe(spec=where.id, seed=where.seed, device=where.device, settings=where.settings)
    env = cls.make_environment(recipe, where.num_envs)
    try:
        agents = [
            make_agent(
                member.agent,
                env=env,
                name=member.name,
                seed=member.seed or 0,
                device=member.device,
                cfg=member.settings,
            )
            for member in checked.members
        ]
        trainer: Trainer = cls(
            env=env,
            agents=agents,
            scopes=checked.scopes,
            cfg=checked.trainer.settings,
            run_dir=run_dir,
            loggers=[(logger.name, logger.settings) for logger in checked.loggers],
            experiment=checked,
            resume=resume,
            **_acting(checked),
        )
    except BaseException:
        close_environment(env)
        raise
    return trainer


def _acting(experiment: Experiment) -> dict[str, Any]:
    """Name the controllers to a trainer; nothing where there are none, which any can be given."""
    pairs = [(controller.name, controller.settings) for controller in experiment.controllers]
    return {"controllers": pairs} if pairs else {}


def run_experiment(
    experiment: Experiment | Mapping[str, Any] | str | Path,
    *,
    run_dir: str | Path | None = None,
    resume: bool | str | Path = False,
) -> Summary:
    """Build an experiment, train its population, and close trainer and environment.

    Args:
        experiment: The experiment, or what :func:`~coterie.load_experiment` reads one from.
        run_dir: Folder that the run is written to, new or empty; ``None``: nothing is written.
        resume: As for :func:`build_experiment`.

    Returns:
        How it ended, a row per member.

    Raises:
        ConfigError: The experiment is wrong, or its trainer is one that the caller drives.
        PluginError: Something that it names is not installed, or broken.
        WorkerError: A member failed and ``on_member_failure`` is ``"raise"``.
        TrainingInterrupted: SIGINT or SIGTERM came; the timestep was finished.
    """
    checked = load_experiment(experiment)
    require_own_loop(checked)
    trainer = build_experiment(checked, run_dir=run_dir, resume=resume)
    try:
        with trainer:
            return trainer.train()
    finally:
        close_environment(trainer.env)


def require_own_loop(experiment: Experiment) -> None:
    """Refuse trainers whose caller performs the timesteps.

    Raises:
        ConfigError: The trainer is one of those.
    """
    from .._trainers.step import StepTrainer

    if issubclass(registry().load("trainer", experiment.trainer.name), StepTrainer):
        raise ConfigError(
            f"trainer {experiment.trainer.name!r} performs a timestep per call of a script; "
            "'sequential' does the same by itself"
        )
