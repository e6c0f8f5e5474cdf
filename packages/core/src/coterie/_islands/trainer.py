"""A trainer whose members live on islands."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, ClassVar

import torch

from .._envs.boundary import Boundary
from .._envs.interface import VectorEnv
from .._envs.recipe import EnvRecipe
from .._errors import ConfigError
from .._executors.interface import Place
from .._runs.counted import CountedEpisodes
from .._runs.episodes import EpisodeTracker
from .._trainers.base import Trainer
from .._trainers.cfg import TrainerCfg
from .._trainers.inner import inner_trainer
from .._trainers.members import Member
from .cfg import IslandTrainerCfg
from .far import FarBoundary, FarEnv, far_env
from .fleet import Fleet, Lane
from .host import IslandHost
from .place import Islands
from .records import Blueprint

_OWN = ("checkpoints", "stop", "headless", "disable_progressbar", "close_environment_at_exit")


class IslandTrainer(Trainer):
    """Spreads the members over islands, each with an environment of its own and a trainer.

    An island holds the instances of its members and trains for stretches of timesteps before
    anything is exchanged. Members end with the bits of ``sequential`` wherever instances have
    random streams of their own.

    Args:
        env: The environment; one that :func:`~coterie.make_env` made, which tells how to make
            more, or what :func:`~coterie.islands.far_env` returns. It is neither stepped nor drawn.
        arguments: As for :class:`~coterie.Trainer`.

    Raises:
        ConfigError: As for the base; or nobody knows how to make the environment once more.
    """

    config_class: ClassVar[type[TrainerCfg]] = IslandTrainerCfg
    equal_to_sequential: ClassVar[bool] = True
    env: FarEnv

    def __init__(self, *, env: VectorEnv, **arguments: Any) -> None:
        super().__init__(env=_far(env), **arguments)

    @classmethod
    def make_environment(cls, recipe: EnvRecipe, num_envs: int) -> VectorEnv:
        """Make what stands for the environment; the islands make their parts themselves."""
        return far_env(recipe, num_envs)

    @abc.abstractmethod
    def make_host(self) -> IslandHost:
        """Make the place where islands run; called before the first run."""

    def check_settings(self) -> None:
        """Find the trainer that works on the islands, and check its settings."""
        self._inside = _inside(self.cfg)

    def make_executor(self) -> Place:
        """Make the place of the members; islands start with the first run."""
        return Islands(self.env, self.cfg, self._launch)

    def _launch(self, members: Sequence[Member]) -> Fleet:
        host = self.make_host()
        try:
            count = self.cfg.islands
            most = host.room() if count == "auto" else count
            if count != "auto" and count > len(members):
                raise ConfigError(f"islands={count}, but there are {len(members)} members")
            lanes = [Lane(number, own) for number, own in enumerate(_groups(members, most))]
            return Fleet(host, self.cfg, lanes, self._blueprint)
        except BaseException:
            host.close()
            raise

    def _blueprint(self, lane: Lane) -> Blueprint:
        return Blueprint(
            about=lane.about,
            make=self.env.make,
            num_envs=lane.scope.stop - lane.scope.start,
            inside=self.cfg.inside,
            cfg=self._inside,
            threads=self.threads,
        )

    @property
    def threads(self) -> int | None:
        """Threads that torch uses on each island; ``None``: as many as it would."""
        return None

    def _make_boundary(self) -> Boundary:
        return FarBoundary(self.env, self.cfg.non_finite, self.cfg.debug)

    def _new_tracker(self, counted: Sequence[CountedEpisodes] | None = None) -> EpisodeTracker:
        scopes = [member.scope for member in self.members]
        here = torch.device("cpu")  # where stretches arrive
        return EpisodeTracker(scopes, self.env.num_envs, here, self.env.interface.actors, counted)


def _far(env: Any) -> Any:
    if isinstance(env, FarEnv) or not isinstance(env, VectorEnv):
        return env
    if env.recipe is None:
        raise ConfigError(
            f"{env.name}: each island makes an environment of its own, and nobody knows how; make "
            "it with coterie.make_env('kind:id', num_envs=…), or give "
            "env=coterie.islands.far_env(make, num_envs) with a function that makes them"
        )
    return far_env(env.recipe, env.num_envs, template=env)


def _inside(cfg: IslandTrainerCfg) -> TrainerCfg:
    """Make the configuration of the trainer that works on the islands.

    Raises:
        ConfigError: A setting is wrong, or it can't work there.
        PluginError: Nobody offers it.
    """
    quiet = {"headless": True, "disable_progressbar": True}
    kind, made = inner_trainer(cfg, where="islands", own=_OWN, **quiet)
    kind.make_island_executor(made)
    return made


def _groups(members: Sequence[Member], most: int) -> list[list[Member]]:
    """Deal members out to at most so many islands, in order, about as many to each."""
    count = max(1, min(most, len(members)))
    small, larger = divmod(len(members), count)
    groups, first = [], 0
    for number in range(count):
        stop = first + small + (number < larger)
        groups.append(list(members[first:stop]))
        first = stop
    return groups
