"""The one loop: members answer observations, the environment steps, members learn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from attrs import define, frozen

from .._agents.transition import Transition
from .._envs.boundary import Boundary
from .._executors.interface import Executor


@frozen(kw_only=True)
class Span:
    """Which timesteps a run goes through.

    Attributes:
        first: The first timestep.
        stop: The one after the last.
        cut: Whether the run starts from a reset, which cut what agents recorded before.
    """

    first: int
    stop: int
    cut: bool


@define
class Clock:
    """Seconds that the parts of a run took.

    Attributes:
        environment: Stepping the environment.
        members: Waiting for the members' actions.
    """

    environment: float = 0.0
    members: float = 0.0


def interact(
    boundary: Boundary,
    executor: Executor,
    span: Span,
    clock: Clock,
    should_stop: Callable[[], bool],
) -> Iterator[Transition]:
    """Let members and environment interact; yield each step.

    The last timestep, planned or asked for by ``should_stop``, ends without new actions, so that
    a later run goes on exactly where this one ended.

    Args:
        boundary: The environment, reset.
        executor: The place where the members live, opened.
        span: Which timesteps.
        clock: Counts the seconds.
        should_stop: Asked once per timestep, after the environment's step.

    Yields:
        The step of the whole environment, when the members have dealt with it.
    """
    now = time.perf_counter
    since = now()
    actions = executor.begin(
        boundary.observations,
        boundary.states,
        timestep=span.first,
        timesteps=span.stop,
        cut=span.cut,
    )
    clock.members += now() - since
    for timestep in range(span.first, span.stop):
        start = now()
        transition = boundary.step(actions, timestep)
        stepped = now()
        clock.environment += stepped - start
        last = timestep + 1 == span.stop or should_stop()
        if last:
            executor.finish(transition)
        else:
            actions = executor.advance(transition, boundary.observations, boundary.states)
        clock.members += now() - stepped
        yield transition
        if last:
            return
