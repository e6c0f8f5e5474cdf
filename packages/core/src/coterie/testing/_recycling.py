"""Training that gives an agent as little of its memory as it may: what it must not keep, spoils."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from attrs import evolve

from .._agents.transition import Transition
from .._executors.driver import RowsDriver
from .._executors.interface import Executor
from .._executors.local import LocalExecutor
from .._trainers.sequential import SequentialTrainer
from .._trees import tree_leaves, tree_map


class RecyclingExecutor(LocalExecutor):
    """Hands a single member copies that are spoiled as soon as they are nobody's business."""

    driver_class: ClassVar[type[RowsDriver]] = RowsDriver

    def __init__(self) -> None:
        super().__init__()
        self._acted_on: list[Any] = []

    def begin(self, observations: Any, states: Any, **arguments: Any) -> Any:
        """Answer copies of the first observations."""
        self._acted_on = [_copy(observations), _copy(states)]
        return super().begin(*self._acted_on, **arguments)

    def advance(self, transition: Transition, observations: Any, states: Any) -> Any:
        """Record a copy of the step, answer copies of the observations; spoil all the rest."""
        own, dead = _copy_step(transition), self._acted_on
        same = observations is transition.next_observations
        observations = own.next_observations if same else _copy(observations)
        states = own.next_states if states is transition.next_states else _copy(states)
        self._acted_on = [observations, states]
        actions = _copy(super().advance(own, observations, states))
        if not same:
            dead = [*dead, own.next_observations, own.next_states]
        _spoil([*dead, *_outcome(own)])
        return actions

    def finish(self, transition: Transition) -> None:
        """Record a copy of the last step, then spoil it."""
        own = _copy_step(transition)
        super().finish(own)
        ends = [own.next_observations, own.next_states]
        _spoil([*self._acted_on, *ends, *_outcome(own)])


class RecyclingTrainer(SequentialTrainer):
    """Trains one agent with a :class:`RecyclingExecutor`."""

    def make_executor(self) -> Executor:
        """Make the executor."""
        return RecyclingExecutor()


def _copy(tree: Any) -> Any:
    return None if tree is None else tree_map(torch.clone, tree)


def _copy_step(transition: Transition[Any]) -> Transition[Any]:
    return evolve(
        transition,
        rewards=_copy(transition.rewards),
        next_observations=_copy(transition.next_observations),
        terminated=_copy(transition.terminated),
        truncated=_copy(transition.truncated),
        valid=_copy(transition.valid),
        next_states=_copy(transition.next_states),
        ended=_copy(transition.ended),
    )


def _outcome(own: Transition[Any]) -> list[Any]:
    return [own.rewards, own.terminated, own.truncated, own.valid, own.ended]


def _spoil(trees: list[Any]) -> None:
    for tree in trees:
        for tensor in () if tree is None else tree_leaves(tree):
            tensor.fill_(torch.nan if tensor.is_floating_point() else 1)
