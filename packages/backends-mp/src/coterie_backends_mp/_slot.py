"""What a worker sees of the shared block: the slot of a member, or of all that it holds."""

from __future__ import annotations

from typing import Any

import torch

from coterie import Interface, Transition
from coterie.spaces import leaf_of, space_leaves

from ._arrays import Arrays
from ._board import Flag

_KINDS = Flag.SAME | Flag.ALL_VALID | Flag.STATES | Flag.ODD


class Slot:
    """Reads observations and outcomes where the trainer writes them, and writes actions.

    Args:
        arrays: The tensors of the block.
        number: Which of the slots.
        interface: Spaces of the environment.
    """

    def __init__(self, arrays: Arrays, number: int, interface: Interface) -> None:
        self._arrays, self._number = arrays, number
        self._views = tuple(
            (tree.slot(number), None if states is None else states.slot(number))
            for tree, states in zip(arrays.observations, arrays.states, strict=True)
        )
        self._transitions: dict[int, Transition[Any]] = {}
        self._actions = arrays.actions.slot(number)
        self._targets: list[tuple[torch.Tensor, Any]] = [
            (leaf_of(self._actions, leaf.path), leaf.path)
            for leaf in space_leaves(interface.action_space)
        ]

    def answered(self, flags: int) -> tuple[Any, Any]:
        """The observations and states that the next actions answer.

        Args:
            flags: What the trainer told of the step.
        """
        observations, states = self._views[1 if flags & Flag.ODD else 0]
        return observations, states if flags & Flag.STATES else None

    def transition(self, flags: int) -> Transition[Any]:
        """The step, as it lies in the block; it is overwritten by the next one.

        Where it ended in what the next actions answer, these are the same objects.

        Args:
            flags: What the trainer told of the step.
        """
        key = flags & _KINDS
        if key not in self._transitions:
            self._transitions[key] = self._lay_transition(key)
        return self._transitions[key]

    def put(self, actions: Any) -> None:
        """Write actions ``[n, ...]``."""
        if isinstance(actions, torch.Tensor):
            self._targets[0][0].copy_(actions)
            return
        for target, path in self._targets:
            target.copy_(leaf_of(actions, path))

    def _lay_transition(self, flags: int) -> Transition[Any]:
        arrays, number = self._arrays, self._number
        before, states = self.answered(flags ^ Flag.ODD)
        ends, end_states = self.answered(flags)
        if not flags & Flag.SAME:
            ends = arrays.final_observations.slot(number)
            if end_states is not None:
                end_states = arrays.final_states.slot(number)
        return Transition(
            observations=before,
            actions=self._actions,
            rewards=arrays.rewards.slot(number),
            next_observations=ends,
            terminated=arrays.terminated.slot(number),
            truncated=arrays.truncated.slot(number),
            valid=arrays.valid.slot(number),
            all_valid=bool(flags & Flag.ALL_VALID),
            states=states,
            next_states=end_states,
            ended=None if arrays.ended is None else arrays.ended.slot(number),
        )
