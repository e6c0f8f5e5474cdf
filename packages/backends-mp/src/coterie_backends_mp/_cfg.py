"""Configuration of the parallel trainer. Free of torch."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from coterie.config import TrainerCfg, at_least, more_than


def _processes(instance: Any, attribute: Any, value: Any) -> None:
    if value is not None and value != "auto" and value < 1:
        raise ValueError('at least 1, "auto" or none')


@frozen(kw_only=True)
class ParallelTrainerCfg(TrainerCfg):
    """What the parallel trainer can be told, beside what every trainer can.

    Attributes:
        inside: Name of the trainer whose executor runs the members of each process: ``"fused"``
            stacks those that are alike, ``"sequential"`` lets them have their turn; ``None``:
            they have their turn, and each has memory of its own for what is exchanged.
        inside_cfg: Settings of that trainer that others do not have.
        processes: Number of worker processes; ``None``: one per agent; ``"auto"``: no more than
            there are cores. Fewer processes than agents share memory, and CUDA contexts.
        threads: Threads that torch uses in each worker; ``None``: an equal share of the cores,
            at least 1.
        pin: Whether each worker stays on one core, with what it starts itself; ``None``: where
            there are at least as many workers as cores, and each has one thread, while no other
            program wants much of these cores. Only Linux can.
        start_method: ``"forkserver"``: workers are forked from a helper process that has
            imported torch already; ``"spawn"``: each is a fresh interpreter; ``"auto"``:
            ``"forkserver"``, but ``"spawn"`` where CUDA is used or the system is not Linux.
            The user's own process is never forked, and no global setting is touched.
        preload: Modules that the helper process imports before workers are forked from it. They
            must start no threads and touch no CUDA.
        start_timeout: Seconds within which a worker must have been started.
        phase_timeout: Seconds within which all members must have answered a step.
        stop_grace: Seconds that a worker has to stop by itself before it is killed.
    """

    inside: str | None = None
    inside_cfg: Mapping[str, Any] = field(factory=dict)
    processes: int | Literal["auto"] | None = field(default=None, validator=_processes)
    threads: int | None = field(default=None, validator=at_least(1))
    pin: bool | None = None
    start_method: Literal["auto", "forkserver", "spawn"] = "auto"
    preload: tuple[str, ...] = ()
    start_timeout: float = field(default=60.0, validator=more_than(0))
    phase_timeout: float = field(default=300.0, validator=more_than(0))
    stop_grace: float = field(default=2.0, validator=at_least(0))

    def forks(self, cuda: bool) -> bool:
        """Whether workers are forked from a server, else spawned.

        Args:
            cuda: Whether anything of environment or agents is on a CUDA device.
        """
        if self.start_method == "auto":
            return sys.platform == "linux" and not cuda
        return self.start_method == "forkserver"
