"""The one loop where members and environment can go through several timesteps in one call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from attrs import evolve

from .._agents.transition import Transition
from .._trees import tree_map
from .loop import Ahead, Clock, Cues, Span, interact

if TYPE_CHECKING:
    from .._agents.rollouts import Passage
    from .._envs.boundary import Boundary
    from .._executors.interface import Executor
    from .._executors.rollouts import Rollouts


_MOST = 64
"""Timesteps of a call: somebody who wants the run to end is heard after it."""


def roll(
    boundary: Boundary,
    executor: Executor,
    rollouts: Rollouts,
    span: Span,
    clock: Clock,
    cues: Cues,
) -> Iterator[Transition]:
    """Let members and environment interact, several timesteps at once where that is possible.

    It is not where something is done between these timesteps, where members learn before the last
    of them, or at the end of the run: there it goes step by step. A wish to end the run counts
    from the end of a call on.

    Args:
        boundary: The environment, reset.
        executor: The place where the members live, opened.
        rollouts: What it offers.
        span: Which timesteps.
        clock: Counts the seconds.
        cues: Tell when to end, and when members are reached.

    Yields:
        The step of the whole environment; those of one call when all of them are done.
    """
    ahead = Ahead(cues.pause, span.first)
    timestep, cut, over = span.first, span.cut, False

    def enough() -> bool:
        nonlocal over
        over = cues.stop() or over
        return over

    while timestep < span.stop and not over:
        room = rollouts.room()
        until = min(timestep + min(room or rollouts.unit, _MOST), span.stop)
        until = ahead.next_pause(timestep, until)
        count = (until - timestep) // rollouts.unit * rollouts.unit if room else 0
        passage = None
        if count:
            rollouts.begin(timestep=timestep, timesteps=span.stop, cut=cut)
            passage = _play(boundary, rollouts, clock, timestep, count)
        if passage is not None:
            steps = _handed_over(passage, boundary, rollouts, clock, timestep)
        else:
            rest = evolve(span, first=timestep, cut=cut)
            ends = _until(until, clock, enough)
            own = evolve(cues, stop=ends, pause=ahead.pause)
            steps = interact(boundary, executor, rest, clock, own)
        for transition in steps:
            timestep += 1
            if passage is not None:
                enough()
            yield transition
        cut = False


def _until(stop: int, clock: Clock, enough: Callable[[], bool]) -> Callable[[], bool]:
    """Let single steps end when ``stop`` timesteps are done, or at once."""
    return lambda: enough() or clock.timestep + 1 >= stop


def _play(
    boundary: Boundary, rollouts: Rollouts, clock: Clock, timestep: int, count: int
) -> Passage | None:
    start = time.perf_counter()
    env: Any = boundary.env
    passage = rollouts.play(env.simulation, boundary.observations, count)
    if passage is not None:
        env.go_on(passage.simulation)
        boundary.passed(passage, timestep)
    clock.members += time.perf_counter() - start
    return passage


def _handed_over(
    passage: Passage, boundary: Boundary, rollouts: Rollouts, clock: Clock, timestep: int
) -> Iterator[Transition]:
    every = boundary.every
    count = len(passage.rewards)
    for step in range(count):
        clock.timestep = timestep + step
        if step + 1 == count:
            start = time.perf_counter()
            rollouts.learn()
            clock.members += time.perf_counter() - start
        observations, actions, ends = (
            tree_map(lambda tensor, step=step: tensor[step], tree)
            for tree in (passage.observations, passage.actions, passage.ends)
        )
        yield Transition(
            observations=observations,
            actions=actions,
            rewards=passage.rewards[step],
            next_observations=ends,
            terminated=passage.terminated[step],
            truncated=passage.truncated[step],
            valid=every,
        )
