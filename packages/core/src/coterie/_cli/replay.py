"""Rebuild trained agents from their files, and evaluate them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve

from .._envs.closing import close_environment
from .._errors import ConfigError
from .._experiment.build import build_experiment
from .._experiment.spec import Experiment
from .._pictures.film import Film, check_film
from .._pictures.frames import shown
from .._seeding import derive_seed
from .comparison import Comparison, compare
from .options import progress_settings
from .remote import brought
from .sources import find_source
from .threads import torch_threads

if TYPE_CHECKING:
    from .._runs.records import Summary
    from .._trainers.base import Trainer
    from .evaluate import Eval

EPISODES = 20
"""Episodes per member, where neither these nor timesteps are asked for."""

MOST_TIMESTEPS = 100_000
"""Where an evaluation of a number of episodes ends at the latest, if nothing else is asked for."""


def evaluate(options: Eval) -> tuple[Comparison, Summary, int]:
    """Evaluate trained agents; nothing but a video is written.

    Args:
        options: What, and how.

    Returns:
        What was evaluated; a row per member, with the seeds of the training; and the number of
        frames of the video.

    Raises:
        ConfigError: Options contradict each other, there is no such run, it was not made from
            an experiment, or the environments differ.
        CheckpointError: A trained agent is missing, damaged or another one's.
        PluginError: Something that a run was made with is not installed, or broken.
    """
    _check(options)
    names = None if options.members is None else _split(options.members)
    sources = [find_source(brought(path)) for path in options.paths]
    found = compare(sources, names, options.instances)
    experiment = _for_evaluation(found.experiment, options)
    with torch_threads(None), _built(experiment, options.video is not None) as trainer:
        for agent, entry in zip(trainer.agents, found.entries, strict=True):
            agent.load(entry.file)
            if options.seed is not None:  # what it draws does not depend on its training then
                agent.generator.manual_seed(derive_seed(options.seed, "eval"))
        summary, frames = _watched(trainer, options)
    seeds = [entry.member.seed or 0 for entry in found.entries]
    rows = [evolve(row, seed=seed) for row, seed in zip(summary.members, seeds, strict=True)]
    return found, evolve(summary, members=tuple(rows)), frames


def wanted_episodes(options: Eval) -> int | None:
    """How many episodes per member are asked for; ``None``: timesteps are."""
    if options.episodes is None and options.timesteps is None:
        return EPISODES
    return options.episodes


def _check(options: Eval) -> None:
    at_least = (
        ("episodes", 1),
        ("timesteps", 1),
        ("seed", 0),
        ("instances", 1),
        ("fps", 1),
        ("video_length", 1),
    )
    for name, low in at_least:
        value = getattr(options, name)
        if value is not None and value < low:
            raise ConfigError(f"--{name.replace('_', '-')} must be at least {low}, got {value}")
    progress_settings(options.progress, options.no_progress)  # to tell at once that they clash
    if options.video is None:
        given = [name for name in ("fps", "video_length") if getattr(options, name) is not None]
        if given:
            raise ConfigError(f"--{given[0].replace('_', '-')} needs --video FILE")
    else:
        check_film(Path(options.video))


def _split(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise ConfigError(f"--members takes names with commas between them, got {text!r}")
    return names


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
        "timesteps": options.timesteps or MOST_TIMESTEPS,
        "stochastic_evaluation": options.stochastic,
        "headless": True,
        "render_interval": 1,
        "disable_progressbar": None,
        **progress_settings(options.progress, options.no_progress),
    }
    if settings.get("on_member_failure") == "resume":  # there are no checkpoints of an evaluation
        settings["on_member_failure"] = "raise"
    # The trainer that a script drives, step by step, has a twin that runs by itself.
    name = "sequential" if experiment.trainer.name == "step" else experiment.trainer.name
    trainer = evolve(experiment.trainer, name=name, settings=settings)
    return evolve(
        experiment,
        environment=environment,
        members=members,
        trainer=trainer,
        loggers=(),
        controllers=(),
    )


@contextmanager
def _built(experiment: Experiment, pictures: bool) -> Iterator[Trainer]:
    """Build the trainer, and close it and its environment afterwards."""
    trainer = _with_pictures(experiment) if pictures else build_experiment(experiment)
    try:
        with trainer:
            yield trainer
    finally:
        close_environment(trainer.env)


def _with_pictures(experiment: Experiment) -> Trainer:
    """Build with a render mode, where the environment takes one."""
    where = experiment.environment
    settings = {**where.settings, "render_mode": "rgb_array"}
    try:
        return build_experiment(evolve(experiment, environment=evolve(where, settings=settings)))
    except (ConfigError, TypeError) as error:
        if "render_mode" not in str(error):
            raise
    return build_experiment(experiment)


def _watched(trainer: Trainer, options: Eval) -> tuple[Summary, int]:
    """Evaluate, with a video if one is wanted; return the number of its frames too."""
    episodes = wanted_episodes(options)
    film: Any = nullcontext()
    if options.video is not None:
        scopes = {m.name: range(m.scope.start, m.scope.stop) for m in trainer.members}
        film = Film(
            Path(options.video),
            fps=options.fps or 30,
            length=options.video_length or 500,
            captions=shown(scopes),
        )
        trainer.env.captions = film.captions
    with film:
        on_picture = film if options.video is not None else None
        summary = trainer.eval(episodes=episodes, on_picture=on_picture)
    return summary, 0 if options.video is None else film.frames
