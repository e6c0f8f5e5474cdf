"""The one loop: members answer observations, the environment steps, members learn."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from attrs import define, frozen

if TYPE_CHECKING:
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


class Pause(enum.IntFlag):
    """What is done between two timesteps, for which every member must have dealt with the first.

    Attributes:
        SAVE: A checkpoint is written.
        STOP: Members may be stopped.
        CONTROL: Controllers act, which may change members.
        ACT: Either of the two that may change what comes.
    """

    SAVE = 1
    STOP = 2
    CONTROL = 4
    ACT = STOP | CONTROL


@frozen(kw_only=True)
class Cues:
    """What a run is asked while members and environment interact.

    Attributes:
        stop: Asked once per timestep, after the environment's step: whether it is the last.
        pause: Asked once per timestep, in their order, with the number of timesteps done: what
            is done then, before the next actions are chosen.
        metrics: Whether metrics are asked for when so many timesteps are done.
        note: Told each step before it is yielded, while the members deal with it where that is
            possible: nothing in it may concern them.
    """

    stop: Callable[[], bool]
    pause: Callable[[int], Pause]
    metrics: Callable[[int], bool]
    note: Callable[[Transition], None] = lambda transition: None


class Ahead:
    """Asks ahead of time, and once per timestep in their order, what is done between timesteps.

    Args:
        ask: As :attr:`Cues.pause`.
        first: The first timestep.
    """

    def __init__(self, ask: Callable[[int], Pause], first: int) -> None:
        self._ask, self._asked = ask, first
        self._found: dict[int, Pause] = {}

    def pause(self, timestep: int) -> Pause:
        """Tell what is done when so many timesteps are done."""
        while self._asked < timestep:
            self._asked += 1
            found = self._ask(self._asked)
            if found:
                self._found[self._asked] = found
        return self._found.get(timestep, Pause(0))

    def next_pause(self, timestep: int, last: int) -> int:
        """Find where something is done next after a timestep; ``last``: nothing is before."""
        later = range(timestep + 1, last + 1)
        return next((number for number in later if self.pause(number)), last)

    def between(self, done: int, first: int) -> list[Pause]:
        """List what is known of after ``done`` and up to ``first`` timesteps."""
        return [pause for timestep, pause in self._found.items() if done < timestep <= first]

    def forget(self, done: int) -> None:
        """Forget what was before a timestep that everybody has done."""
        self._found = {t: pause for t, pause in self._found.items() if t > done}


def interact(
    boundary: Boundary, executor: Executor, span: Span, clock: Clock, cues: Cues
) -> Iterator[Transition]:
    """Let members and environment interact; yield each step.

    The last timestep, planned or asked for, ends without new actions, so that a later run goes
    on exactly where this one ended.

    Args:
        boundary: The environment, reset.
        executor: The place where the members live, opened.
        span: Which timesteps.
        clock: Counts the seconds.
        cues: Tell when to end, and when members are reached.

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
        last = timestep + 1 == span.stop or cues.stop()
        if cues.pause(timestep + 1) or last or span.apart:
            cues.note(transition)
            start = now()
            executor.finish(transition)
            actions = None
        else:
            wait = executor.begin_advance(transition, boundary.observations, boundary.states)
            clock.members += now() - stepped
            _note(cues, transition, wait)
            start = now()
            actions = wait()
        clock.members += now() - start
        yield transition
        if last:
            return


def _note(cues: Cues, transition: Transition, wait: Callable[[], Any]) -> None:
    """Tell of a step that the members are dealing with; whatever comes of it, they end it."""
    try:
        cues.note(transition)
    except Exception:
        wait()
        raise


def _begin(boundary: Boundary, executor: Executor, span: Span, timestep: int) -> Any:
    return executor.begin(
        boundary.observations,
        boundary.states,
        timestep=timestep,
        timesteps=span.stop,
        cut=span.cut and timestep == span.first,
    )
