"""Members on their way to the workers: packed, and refused where that can't work."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import torch
from attrs import evolve

from coterie import Interface, Member, Mode, WorkerStartError

from ._cfg import ParallelTrainerCfg
from ._failures import not_started
from ._messages import Open, SeatSpec
from ._packing import find_culprit, pack
from ._placement import choose_cores, count_threads
from ._signal import FDS_PER_SIGNAL
from ._system import known_cores, open_descriptors, usable_cores

_SPARE_DESCRIPTORS = 12  # for the block, the server, messages on their way and the logs


def pack_member(member: Member) -> SeatSpec:
    """Pack a member.

    Raises:
        WorkerStartError: It can't be packed; the message names the part that can't.
    """
    try:
        agent = pack(member.agent)
    except Exception as error:
        culprit = find_culprit(member.agent)
        raise not_started(
            member,
            f"can't be sent to a worker process: {culprit} can't be pickled "
            f"({type(error).__name__}: {error}); leave it out of the state with __getstate__, "
            "or create it in setup()",
        ) from error
    return SeatSpec(
        index=member.index,
        name=member.name,
        first=member.scope.start,
        stop=member.scope.stop,
        streams=None if member.streams is None else pack(member.streams),
        agent=agent,
    )


def open_messages(
    groups: Sequence[Sequence[Member]],
    interface: Interface,
    mode: Mode,
    cfg: ParallelTrainerCfg,
) -> dict[int, Open]:
    """Make the message with which each worker takes its members over.

    Args:
        groups: The members of each worker.
        interface: Spaces, number of instances and device of the environment.
        mode: ``"train"`` or ``"eval"``.
        cfg: The trainer's configuration.

    Raises:
        WorkerStartError: A member can't be packed.
    """
    shared = interface.device.type == "cuda"  # see _device; others go through the main memory
    packed = pack(interface if shared else evolve(interface, device=torch.device("cpu")))
    scopes = tuple(member.num_envs for group in groups for member in group)
    threads = count_threads(cfg.threads, len(groups), usable_cores())
    cores = choose_cores(cfg.pin, len(groups), threads, known_cores(), os.getpid())
    return {
        number: Open(
            seats=tuple(pack_member(member) for member in group if member.failure is None),
            scopes=scopes,
            interface=packed,
            mode=mode,
            deterministic=mode == "eval" and not cfg.stochastic_evaluation,
            debug=cfg.debug,
            threads=threads,
            core=cores[number],
        )
        for number, group in enumerate(groups)
    }


def uses_cuda(members: Sequence[Member], interface: Interface) -> bool:
    """Whether a worker would touch CUDA."""
    devices = [interface.device, *(member.device for member in members)]
    return any(device.type == "cuda" for device in devices)


def forks(cfg: ParallelTrainerCfg, members: Sequence[Member], interface: Interface) -> bool:
    """Whether workers are forked from the server, else spawned."""
    if cfg.start_method == "auto":
        return sys.platform == "linux" and not uses_cuda(members, interface)
    return cfg.start_method == "forkserver"


def modules_to_preload(cfg: ParallelTrainerCfg, members: Sequence[Member]) -> list[str]:
    """Modules that the server imports before workers are forked from it.

    What this process has loaded of torch's slow parts, workers will need too. Of the agents'
    modules only our own are known to be harmless to import there.
    """
    slow = [name for name in ("torch._dynamo",) if name in sys.modules]
    own = {
        module
        for member in members
        for kind in type(member.agent).__mro__
        if (module := kind.__module__).partition(".")[0].startswith("coterie")
    }
    return [*slow, *sorted(own), *cfg.preload]


def check_descriptors(members: Sequence[Member], processes: int) -> None:
    """Check that there are file descriptors enough.

    Raises:
        WorkerStartError: There are not.
    """
    try:
        import resource
    except ImportError:
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = open_descriptors()
    needed = processes * (1 + FDS_PER_SIGNAL) + _SPARE_DESCRIPTORS
    if used is not None and limit != resource.RLIM_INFINITY and used + needed > limit:
        raise _too_few(members[0], processes, needed, used, limit)


def _too_few(
    member: Member, processes: int, needed: int, used: int, limit: int
) -> WorkerStartError:
    return not_started(
        member,
        f"and the others need about {needed} file descriptors for {processes} worker processes; "
        f"{used} are open, {limit} are allowed: raise the limit (ulimit -n), or place several "
        "agents in one process with processes=",
    )
