"""Valid random actions for the scope of a member that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from .._seeding import derive_seed
from .._spaces import sample_actions
from .._trees import tree_map

if TYPE_CHECKING:
    from .._envs.interface import Interface
    from .._trainers.members import Member


class RandomActor:
    """Draws actions for a scope whose member can't act any more.

    Args:
        member: The member that failed; its seed decides what is drawn.
        interface: Spaces and device of the environment.
    """

    def __init__(self, member: Member, interface: Interface) -> None:
        self._member = member
        self._interface = interface
        seed = derive_seed(member.seed, "substitute")
        self._generator = torch.Generator().manual_seed(seed)

    def act(self) -> Any:
        """Draw actions ``[n, ...]`` for the scope, on the environment's device."""
        space, device = self._interface.action_space, self._interface.device
        actions = sample_actions(space, self._member.num_envs, self._generator)
        return tree_map(lambda tensor: tensor.to(device), actions)
