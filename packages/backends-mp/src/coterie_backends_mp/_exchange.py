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
from coterie.spaces import build_tree, leaf_of, space_leaves, tree_cat, tree_map

from ._block import Arrays
from ._board import Flag
from ._packing import pack_small


class Exchange:
    """Copies observations and outcomes into a block, and actions out of it.

    Tensors of another device are copied through the main memory; both ways wait until the copy
    is complete.

    Args:
        arrays: The tensors of the block.
        interface: Spaces and device of the environment.
    """

    def __init__(self, arrays: Arrays, interface: Interface) -> None:
        self._arrays, self._interface = arrays, interface
        self._leaves = [leaf.path for leaf in space_leaves(interface.action_space)]
        self._parts = [[leaf_of(own, path) for own in arrays.actions] for path in self._leaves]

    def put_observations(self, observations: Tree, states: Tree | None) -> int:
        """Write what the next actions answer; return what workers must know about it."""
        _fill(self._arrays.observations, observations)
        if states is None:
            return 0
        _fill(self._arrays.states, states)
        return Flag.STATES

    def put_step(self, transition: Transition, observations: Tree, states: Tree | None) -> int:
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
            _fill(arrays.final_observations, ends)
            if end_states is not None:
                _fill(arrays.final_states, end_states)
        arrays.rewards.copy_(transition.rewards)
        arrays.terminated.copy_(transition.terminated)
        arrays.truncated.copy_(transition.truncated)
        if transition.all_valid:
            return flags | Flag.ALL_VALID
        arrays.valid.copy_(transition.valid)
        return flags

    def mark_all_valid(self) -> None:
        """Fill what is not written at a step of an environment that never skips one."""
        self._arrays.valid.fill_(True)

    def take_actions(self, members: Sequence[Member], random: Mapping[int, RandomActor]) -> Any:
        """Read the members' actions ``[num_envs, ...]``; draw those of failed members.

        Args:
            members: The population.
            random: What acts for failed members, by their index.
        """
        device = self._interface.device
        if random:
            return tree_cat([self._act(member, random) for member in members])
        tensors = {
            path: torch.cat(parts).to(device)
            for path, parts in zip(self._leaves, self._parts, strict=True)
        }
        return build_tree(self._interface.action_space, tensors)

    def _act(self, member: Member, random: Mapping[int, RandomActor]) -> Any:
        if member.index in random:
            return random[member.index].act()
        device = self._interface.device
        return tree_map(lambda tensor: tensor.to(device), self._arrays.actions[member.index])


def _fill(target: Any, source: Any) -> None:
    if isinstance(target, torch.Tensor):
        target.copy_(source)
    elif isinstance(target, dict):
        for key, part in target.items():
            _fill(part, source[key])
    else:
        for part, own in zip(target, source, strict=True):
            _fill(part, own)


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
