"""What is noted of a step before the members are done with it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from coterie._trainers.loop import Clock, Cues, Pause, Span, interact


class Place:
    """Writes down what is asked of it."""

    def __init__(self, told: list[str]) -> None:
        self.told = told

    def begin(self, *_: Any, timestep: int, **__: Any) -> str:
        self.told.append(f"begin {timestep}")
        return "actions"

    def begin_advance(self, transition: str, *_: Any) -> Callable[[], str]:
        self.told.append(f"advance {transition}")

        def wait() -> str:
            self.told.append(f"wait {transition}")
            return "actions"

        return wait

    def finish(self, transition: str) -> None:
        self.told.append(f"finish {transition}")


def steps(told: list[str], note: Callable[[str], None]) -> Any:
    boundary: Any = SimpleNamespace(
        observations=0, states=None, step=lambda actions, timestep: f"step {timestep}"
    )
    cues: Any = Cues(
        stop=lambda: False,
        pause=lambda timestep: Pause.SAVE if timestep == 2 else Pause(0),
        metrics=lambda timestep: False,
        note=note,
    )
    place: Any = Place(told)
    return interact(boundary, place, Span(first=0, stop=3, cut=False), Clock(), cues)


def test_each_step_is_noted_once_before_the_members_are_waited_for() -> None:
    told: list[str] = []
    for transition in steps(told, lambda step: told.append(f"note {step}")):
        told.append(f"yield {transition}")
    assert told == [
        *("begin 0", "advance step 0", "note step 0", "wait step 0", "yield step 0"),
        *("note step 1", "finish step 1", "yield step 1"),
        *("begin 2", "note step 2", "finish step 2", "yield step 2"),
    ]


def test_members_end_a_step_that_can_not_be_noted() -> None:
    told: list[str] = []

    def note(step: str) -> None:
        raise ValueError(step)

    with pytest.raises(ValueError, match="step 0"):
        next(steps(told, note))
    assert told == ["begin 0", "advance step 0", "wait step 0"]
