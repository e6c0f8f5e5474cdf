"""The one loop: members answer observations, the environment steps, members learn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

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
        apart: Whether each timestep ends before the next one's actions are chosen: two calls of
            the executor instead of one, and the run can be left after any of them.
    """

    first: int
    stop: int
    cut: bool
    apart: bool = False


@define
class Clock:
    """Seconds that the parts of a run took.

    Attributes:
        environment: Stepping the environment.
        members: Waiting for the members' actions.
        timestep: The timestep that was stepped last, or is.
        stepping: When the environment's step began that is being made; ``None``: none is.
    """

    environment: float = 0.0
    members: float = 0.0
    timestep: int = 0
    stepping: float | None = None


def interact(
    boundary: Boundary,
    executor: Executor,
    span: Span,
    clock: Clock,
    should_stop: Callable[[], bool],
    should_pause: Callable[[int], bool],
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
        should_pause: Asked likewise, with the number of timesteps done: whether the timestep
            ends before the next one's actions are chosen, so that members can be saved.

    Yields:
        The step of the whole environment, when the members have dealt with it.
    """
    now = time.perf_counter
    actions = None
    for timestep in range(span.first, span.stop):
        start = now()
        if actions is None:
            actions = _begin(boundary, executor, span, timestep)
            clock.members += now() - start
            start = now()
        clock.timestep, clock.stepping = timestep, start
        try:
            transition = boundary.step(actions, timestep)
        finally:
            clock.stepping = None
        stepped = now()
        clock.environment += stepped - start
        last = timestep + 1 == span.stop or should_stop()
        if should_pause(timestep + 1) or last or span.apart:
            executor.finish(transition)
            actions = None
        else:
            actions = executor.advance(transition, boundary.observations, boundary.states)
        clock.members += now() - stepped
        yield transition
        if last:
            return


def _begin(boundary: Boundary, executor: Executor, span: Span, timestep: int) -> Any:
    return executor.begin(
        boundary.observations,
        boundary.states,
        timestep=timestep,
        timesteps=span.stop,
        cut=span.cut and timestep == span.first,
    )
