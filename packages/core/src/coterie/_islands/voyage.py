"""One run of islands: who is sent where, and what came back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from .._trainers.loop import Cues, Pause, Span
from .cfg import IslandTrainerCfg
from .fleet import Call, Fleet, Lane
from .plan import Plan
from .records import Order
from .replay import Replay

_IN_FLIGHT = 2


class Voyage:
    """Sends each island from stretch to stretch, two ahead, so that none waits for an answer.

    Args:
        fleet: The islands.
        span: The timesteps of the run.
        cues: Tell what is done when.
        cfg: How long stretches are, and how far islands may be apart.
        actors: Actors of a multi-agent environment; empty for any other.

    Attributes:
        plan: Cuts the run into stretches.
        replay: What came back.
    """

    def __init__(
        self,
        fleet: Fleet,
        span: Span,
        cues: Cues,
        cfg: IslandTrainerCfg,
        actors: Sequence[str],
    ) -> None:
        self.plan = Plan(span, cues, cfg.stretch, cfg.ahead)
        self.replay = Replay(fleet.lanes, span.first, actors)
        self._fleet, self._span, self._cues = fleet, span, cues
        self._calls: dict[int, list[Call]] = {lane.number: [] for lane in fleet.lanes}
        self._reached = {lane.number: span.first for lane in fleet.lanes}

    def dispatch(self, done: int, should_keep: Callable[[Lane], bool]) -> None:
        """Send every island on that can go on.

        Args:
            done: How many timesteps everybody has done.
            should_keep: Whether the state of an island is to be kept again.
        """
        self.plan.forget(done)
        for lane in self._fleet.alive:
            calls = self._calls[lane.number]
            while sum(not call.over for call in calls) < _IN_FLIGHT:
                first = self._reached[lane.number]
                stop = self.plan.cut(first, done)
                if stop is None:
                    break
                order = self._order(first, stop, should_keep(lane))
                calls.append(self._fleet.send(lane, "travel", order, changes=True))
                self._reached[lane.number] = stop

    def finished(self) -> Iterator[tuple[Lane, Call]]:
        """Yield the calls that are over, each island's in their order."""
        for lane in self._fleet.lanes:
            calls = self._calls[lane.number]
            while calls and calls[0].over:
                call = calls.pop(0)
                if call.lost is not None:
                    calls.clear()
                yield lane, call

    def end_soon(self, done: int, *, at_once: bool) -> None:
        """End the run as early as all islands can be at the same timestep.

        Args:
            done: How many timesteps are done.
            at_once: Whether it does not matter how far the islands went.
        """
        ahead = [self._reached[lane.number] for lane in self._fleet.alive]
        self.plan.stop = done if at_once else max([done, *ahead])

    def over(self, done: int) -> bool:
        """Whether the run ends when so many timesteps are done."""
        return done >= self.plan.stop

    def saves(self, timestep: int) -> bool:
        """Whether a checkpoint is written when so many timesteps are done."""
        return Pause.SAVE in self.plan.pause(timestep)

    def _order(self, first: int, stop: int, keep: bool) -> Order:
        saves = self.saves(stop)
        asked = {
            timestep for timestep in range(first + 1, stop + 1) if self._cues.metrics(timestep)
        }
        span = self._span
        return Order(
            first=first,
            stop=stop,
            timesteps=span.stop,
            cut=span.cut and first == span.first,
            metrics=frozenset(asked | ({stop} if saves else set())),
            keep=keep or saves,
        )
