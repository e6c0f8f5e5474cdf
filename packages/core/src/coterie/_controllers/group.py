"""The controllers of a trainer, together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .._errors import CheckpointMismatch
from .._steering.steering import Steering
from .._types import State
from .interface import Controller
from .journal import Journal
from .population import Population

if TYPE_CHECKING:
    from .._trainers.session import Session


class Controllers:
    """Calls controllers in the order in which they were given.

    Args:
        controllers: The controllers.
        steering: Does what people want; ``None``: nobody is listened to.
    """

    def __init__(
        self, controllers: Sequence[Controller] = (), steering: Steering | None = None
    ) -> None:
        self.all = tuple(controllers)
        self._steering = steering
        self.journal = Journal()
        self._due: list[Controller] = []
        self._begun = False

    def start(self, session: Session) -> None:
        """Begin a run, or go on with one whose state was loaded."""
        self.journal.start(session.run.directory)
        if self._steering is not None:
            self._steering.start(session.run.directory)
        if session.resumed is not None and self._begun:
            return
        for controller in self.all:
            controller.begin(Population(session, self.journal, controller.kind))
        self._begun = True

    def due(self, timestep: int) -> bool:
        """Whether any of them wants to act when ``timestep`` timesteps are done."""
        steered = self._steering is not None and self._steering.due()
        if not self.all:
            return steered
        self._due = [controller for controller in self.all if controller.due(timestep)]
        return steered or bool(self._due)

    def act(self, session: Session) -> None:
        """Let those act that wanted to."""
        due, self._due = self._due, []
        for controller in due:
            controller.act(Population(session, self.journal, controller.kind))
        if self._steering is not None:
            self._steering.act(Population(session, self.journal, "steering"))

    def finish(self) -> None:
        """End a run, whatever ended it."""
        if self._steering is not None:
            self._steering.finish()

    def end(self, session: Session) -> None:
        """Let all of them look at the population when all timesteps are done."""
        for controller in self.all:
            controller.end(Population(session, self.journal, controller.kind))

    def state_dict(self) -> State:
        """Return the state of each, and what was noted so far; empty: there is nothing."""
        if not self._begun or not (self.all or self.journal.lines):
            return {}
        states = {controller.kind: controller.state_dict() for controller in self.all}
        return {"lineage": "\n".join(self.journal.lines), "states": states}

    def load_state_dict(self, state: State) -> None:
        """Go back to what :meth:`state_dict` returned; without a state, they begin anew.

        Raises:
            CheckpointMismatch: There are states, but not of all of them.
        """
        if not state:
            self._begun, self.journal.lines = False, []
            return
        states = state["states"]
        missing = [own.kind for own in self.all if own.kind not in states]
        if missing:
            raise CheckpointMismatch(
                f"the checkpoint has no state of {', '.join(missing)}, which was not there when "
                "it was written: go on without"
            )
        for controller in self.all:
            controller.load_state_dict(states[controller.kind])
        lines = str(state["lineage"]).splitlines()
        for line in lines:
            json.loads(line)
        self.journal.lines, self._begun = lines, True
