"""Members on their way to the workers: packed, and refused where that can't work."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TypeAlias

import torch
from attrs import evolve

from coterie import Agent, Interface, Member, Mode, Trainer, TrainerCfg, WorkerStartError
from coterie.transport import find_culprit, pack

from ._cfg import ParallelTrainerCfg
from ._failures import not_started
from ._messages import Open, SeatSpec
from ._placement import choose_cores, count_threads
from ._signal import FDS_PER_SIGNAL
from ._system import known_cores, open_descriptors, usable_cores

Inside: TypeAlias = tuple[type[Trainer], TrainerCfg]

_SPARE_DESCRIPTORS = 12  # for the block, the server, messages on their way and the logs


class _Absent:
    """What stands for the agent of a member that has failed."""

    def __init__(self, agent: Agent) -> None:
        self.seed, self.uses_infos = agent.seed, agent.uses_infos


def pack_member(member: Member) -> SeatSpec:
    """Pack a member.

    Raises:
        WorkerStartError: It can't be packed; the message names the part that can't.
    """
    failed = member.failure is not None
    try:
        agent = pack(_Absent(member.agent) if failed else member.agent)
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
        failed=failed,
    )


def open_messages(
    groups: Sequence[Sequence[Member]],
    interface: Interface,
    mode: Mode,
    cfg: ParallelTrainerCfg,
    inside: Inside | None = None,
) -> dict[int, Open]:
    """Make the message with which each worker takes its members over.

    Args:
        groups: The members of each worker.
        interface: Spaces, number of instances and device of the environment.
        mode: ``"train"`` or ``"eval"``.
        cfg: The trainer's configuration.
        inside: Class and configuration of the trainer whose executor runs the members.

    Raises:
        WorkerStartError: A member can't be packed.
    """
    shared = interface.device.type == "cuda"  # see _device; others go through the main memory
    packed = pack(interface if shared else evolve(interface, device=torch.device("cpu")))
    packed_inside = None if inside is None else pack(inside)
    threads = count_threads(cfg.threads, len(groups), usable_cores())
    cores = choose_cores(cfg.pin, len(groups), threads, known_cores(), os.getpid())
    return {
        number: Open(
            seats=tuple(pack_member(m) for m in group if inside or m.failure is None),
            scopes=slots(groups, inside is not None),
            interface=packed,
            mode=mode,
            deterministic=mode == "eval" and not cfg.stochastic_evaluation,
            debug=cfg.debug,
            threads=threads,
            core=cores[number],
            inside=packed_inside,
            place=number,
        )
        for number, group in enumerate(groups)
    }


def slots(groups: Sequence[Sequence[Member]], shared: bool) -> tuple[int, ...]:
    """Number of instances in every slot of the block: one per member, or shared by each process."""
    if shared:
        return tuple(sum(member.num_envs for member in group) for group in groups)
    return tuple(member.num_envs for group in groups for member in group)


def uses_cuda(members: Sequence[Member], interface: Interface) -> bool:
    """Whether a worker would touch CUDA."""
    devices = [interface.device, *(member.device for member in members)]
    return any(device.type == "cuda" for device in devices)


def modules_to_preload(
    cfg: ParallelTrainerCfg, members: Sequence[Member], inside: Inside | None = None
) -> list[str]:
    """Modules that the server imports before workers are forked from it.

    What this process has loaded of torch's slow parts, workers will need too. Of the agents'
    modules only our own are known to be harmless to import there.
    """
    slow = [name for name in ("torch._dynamo",) if name in sys.modules]
    kinds = [kind for member in members for kind in type(member.agent).__mro__]
    kinds += [] if inside is None else inside[0].__mro__
    own = {
        module
        for kind in kinds
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
