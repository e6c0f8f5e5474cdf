"""The controller contract: what acts on a population between two timesteps."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from .._config.structure import structure
from .._seeding import derive_seed
from .._types import State
from .cfg import ControllerCfg

if TYPE_CHECKING:
    from .._trainers.members import Member
    from .population import Population


class Controller(abc.ABC):
    """Changes members while a run is under way: their settings, what they know, whether they go on.

    The trainer calls :meth:`check` when it is made, :meth:`begin` when a run begins, then, once
    per timestep, :meth:`due`, and :meth:`act` between two timesteps where that said so. A run
    that goes on from a checkpoint calls :meth:`load_state_dict` in place of :meth:`begin`.

    The same seed must give the same decisions under every trainer, in one go or interrupted and
    resumed: decide by timesteps, never by time; draw from generators that are seeded with
    :meth:`derive` or kept in :meth:`state_dict`; go through members in their order.

    Args:
        cfg: An instance of :attr:`config_class`, a mapping of its fields, or ``None``.

    Raises:
        ConfigError: The settings are wrong; all problems at once.
    """

    kind: ClassVar[str] = "controller"
    """Name of the controller, as its plugin calls it."""

    config_class: ClassVar[type[Any]] = ControllerCfg
    """attrs class of the settings."""

    def __init__(self, cfg: Any = None) -> None:
        self.cfg = structure(self.config_class, cfg, source=f"settings of controller {self.kind!r}")

    def check(self, members: Sequence[Member]) -> None:
        """Check, before anything starts, that the controller can work with a population.

        Args:
            members: The population, in order of scope.

        Raises:
            ConfigError: It can't; all problems at once.
        """

    def begin(self, population: Population) -> None:
        """Begin a run, before its first timestep: forget what was, give members their settings."""

    @abc.abstractmethod
    def due(self, timestep: int) -> bool:
        """Say whether to act when ``timestep`` timesteps are done.

        Asked once per timestep, in order, so it must be cheap. It isn't asked for the last one.
        """

    @abc.abstractmethod
    def act(self, population: Population) -> None:
        """Do what is due.

        Raises:
            CoterieError: It can't be done: the run ends with it.
        """

    def end(self, population: Population) -> None:
        """Look at a population whose run has done all its timesteps; nothing is changed any more.

        Not called for a run that was interrupted, or failed.
        """

    def state_dict(self) -> State:
        """Return everything that later decisions depend on: tensors and plain values."""
        return {}

    def load_state_dict(self, state: State) -> None:
        """Go back to what :meth:`state_dict` returned.

        Raises:
            CheckpointMismatch: It is of no use to this controller.
        """

    def derive(self, members: Sequence[Member], *path: int | str) -> int:
        """Derive a seed from the seeds of a population, the controller's name and a path."""
        seeds = [member.seed for member in members]
        return derive_seed(seeds[0], "controller", self.kind, *seeds[1:], *path)
