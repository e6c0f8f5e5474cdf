"""What the trainer copies into and out of the shared block at each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from coterie import (
    EnvContractError,
    Interface,
    Member,
    RandomActor,
    Transition,
    Tree,
    cut_infos,
)
from coterie.spaces import tree_map
from coterie.transport import pack_small

from ._arrays import Arrays
from ._board import Flag


class Exchange:
    """Copies observations and outcomes into a block, and actions out of it.

    The block is in the main memory, or on the environment's CUDA device. Tensors of other kinds
    of devices are copied through the main memory; both ways wait until the copy is complete.

    Args:
        arrays: The tensors of the block.
        interface: Spaces and device of the environment.
        guarded: Whether to look after each step whether somebody wrote where nothing belongs.
    """

    def __init__(self, arrays: Arrays, interface: Interface, guarded: bool = False) -> None:
        self._arrays, self._interface = arrays, interface
        self._away = interface.device.type not in ("cpu", "cuda")
        self._odd = 0
        every = torch.ones(interface.num_envs, dtype=torch.bool)
        valid: Any = dict.fromkeys(interface.actors, every) if interface.actors else every
        arrays.valid.write(valid)
        self._guarded = list(arrays.named()) if guarded else []
        for _, column in self._guarded:
            column.set_guards()

    def put_observations(self, observations: Tree, states: Tree | None) -> int:
        """Write what the next actions answer, to the place that was not written last.

        Returns:
            What workers must know about it.
        """
        self._odd = place = 1 - self._odd
        self._arrays.observations[place].write(observations)
        flags = Flag.ODD if place else 0
        if states is None:
            return flags
        self._arrays.states[place].write(states)
        return flags | Flag.STATES

    def put_step(self, transition: Transition[Any], observations: Tree, states: Tree | None) -> int:
        """Write a step; return what workers must know about it.

        Args:
            transition: The step of the whole environment.
            observations: What the next actions answer; they are written too.
            states: Privileged observations that belong to them.
        """
        arrays = self._arrays
        flags = self.put_observations(observations, states)
        ends, end_states = transition.next_observations, transition.next_states
        if ends is observations and end_states is states:
            flags |= Flag.SAME
        else:
            arrays.final_observations.write(ends)
            if end_states is not None:
                arrays.final_states.write(end_states)
        arrays.rewards.write(transition.rewards)
        arrays.terminated.write(transition.terminated)
        arrays.truncated.write(transition.truncated)
        if arrays.ended is not None:
            arrays.ended.write(transition.done)
        if transition.all_valid:
            return flags | Flag.ALL_VALID
        arrays.valid.write(transition.valid)
        return flags

    def take_actions(
        self, members: Sequence[Member], random: Mapping[int, RandomActor], timestep: int
    ) -> Any:
        """Read the members' actions ``[num_envs, ...]``; draw those of members that don't act.

        Args:
            members: The population.
            random: What acts in place of members, by their index.
            timestep: The timestep that the actions are for.
        """
        actions = self._bring(self._arrays.actions.read())
        for member in members:
            if member.index in random:
                tree_map(
                    lambda own, drawn, rows=member.scope: own[rows].copy_(drawn),
                    actions,
                    random[member.index].act(timestep),
                )
        return actions

    def overstepped(self) -> tuple[int, str] | None:
        """Find somebody who wrote behind a slot: number of the slot, and the array."""
        for name, column in self._guarded:
            for slot in column.broken_guards():
                column.set_guards()
                return slot, name
        return None

    def _bring(self, tree: Any) -> Any:
        if not self._away:
            return tree
        return tree_map(lambda tensor: tensor.to(self._interface.device), tree)


def pack_infos(infos: Mapping[str, Any], members: Sequence[Member], rows: int) -> dict[int, bytes]:
    """Cut infos to the scopes of those members that read them, and pack them.

    Args:
        infos: What the environment told.
        members: The members of one worker.
        rows: Number of instances of the environment.

    Raises:
        EnvContractError: Something in them can't be pickled.
    """
    try:
        return {
            member.index: pack_small(cut_infos(infos, member.scope, rows))
            for member in members
            if member.agent.uses_infos
        }
    except Exception as error:
        raise EnvContractError(
            f"the environment's infos can't be sent to worker processes: {error}; agents that "
            "don't read them set uses_infos = False"
        ) from error
