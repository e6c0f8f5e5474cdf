"""Rebuild the population of a run from its files, and evaluate it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from .._config.files import read_mapping
from .._errors import CheckpointNotFound, ConfigError
from .._experiment.build import build_experiment
from .._experiment.files import load_experiment
from .._experiment.spec import Experiment
from .._nearest import did_you_mean
from .._scopes import resolve_scopes
from .options import progress_settings
from .threads import torch_threads

if TYPE_CHECKING:
    from .._runs.records import Summary
    from .evaluate import Eval


def evaluate(options: Eval, run: Path) -> Summary:
    """Evaluate the trained agents of a run; nothing is written.

    Args:
        options: How.
        run: The folder of the run.

    Returns:
        A row per member, with the seeds of the training.

    Raises:
        ConfigError: There is no such run, or it was not made from an experiment.
        CheckpointError: A trained agent is missing, damaged or another one's.
        PluginError: Something that the run was made with is not installed, or broken.
    """
    if options.timesteps < 1 or (options.seed or 0) < 0:
        raise ConfigError("--timesteps must be at least 1, and --seed at least 0")
    progress_settings(options.progress, options.no_progress)  # to tell at once that they clash
    trained = trained_part(load_run(run), run)
    with torch_threads(None):
        trainer = build_experiment(_for_evaluation(trained, options))
        try:
            with trainer:
                for agent, member in zip(trainer.agents, trained.members, strict=True):
                    agent.load(agent_file(run, str(member.name)))
                summary = trainer.eval()
        finally:
            trainer.env.close()
    rows = zip(summary.members, trained.members, strict=True)
    return evolve(
        summary, members=tuple(evolve(row, seed=member.seed or 0) for row, member in rows)
    )


def load_run(run: Path) -> Experiment:
    """Read the experiment that a run was made from.

    Raises:
        ConfigError: There is no such run, or it was not made from an experiment.
    """
    if not run.is_dir():
        beside = [path.name for path in run.parent.iterdir()] if run.parent.is_dir() else []
        raise ConfigError(f"there is no run {run}{did_you_mean(run.name, beside)}")
    path = run / "experiment.json"
    if not path.exists():
        reason = (
            "was made from objects in a script, not from an experiment; evaluate it there, with "
            "trainer.eval()"
            if (run / "run.json").exists()
            else "holds no run"
        )
        raise ConfigError(f"{run} {reason}")
    return load_experiment(path)


def trained_part(experiment: Experiment, run: Path) -> Experiment:
    """Leave out the members that failed in training and saved nothing; the others keep scopes.

    Raises:
        CheckpointNotFound: No member saved anything.
    """
    sizes = [
        scope.stop - scope.start
        for scope in resolve_scopes(
            experiment.scopes, len(experiment.members), experiment.environment.num_envs
        )
    ]
    failed = _failed(run)
    kept = [
        (evolve(member, scope=size), size)
        for member, size in zip(experiment.members, sizes, strict=True)
        if member.name not in failed or agent_file(run, str(member.name)).exists()
    ]
    if not kept:
        raise CheckpointNotFound(f"every member of {run} failed in training; nothing was saved")
    if len(kept) < len(sizes):
        names = {member.name for member, _ in kept}
        lost = [str(member.name) for member in experiment.members if member.name not in names]
        print(f"left out, failed in training: {', '.join(lost)}", file=sys.stderr)
    return evolve(
        experiment,
        members=tuple(member for member, _ in kept),
        environment=evolve(experiment.environment, num_envs=sum(size for _, size in kept)),
    )


def agent_file(run: Path, name: str) -> Path:
    """Where a run keeps a member's trained agent."""
    return run / "agents" / f"{name}.safetensors"


def _failed(run: Path) -> set[str]:
    path = run / "summary.json"
    if not path.exists():
        return set()
    rows = read_mapping(path).get("members", [])
    return {row["name"] for row in rows if row.get("status") == "failed"}


def _for_evaluation(experiment: Experiment, options: Eval) -> Experiment:
    environment, members = experiment.environment, experiment.members
    if options.seed is not None:
        environment = evolve(environment, seed=options.seed)
        members = tuple(evolve(member, seed=options.seed) for member in members)
    if options.device is not None:
        environment = evolve(environment, device=options.device)
        members = tuple(evolve(member, device=None) for member in members)
    settings = {
        **experiment.trainer.settings,
        "timesteps": options.timesteps,
        "stochastic_evaluation": options.stochastic,
        "headless": True,
        "disable_progressbar": None,
        **progress_settings(options.progress, options.no_progress),
    }
    # The trainer that a script drives, step by step, has a twin that runs by itself.
    name = "sequential" if experiment.trainer.name == "step" else experiment.trainer.name
    trainer = evolve(experiment.trainer, name=name, settings=settings)
    return evolve(experiment, environment=environment, members=members, trainer=trainer, loggers=())
