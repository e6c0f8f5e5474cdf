"""Valid random actions for the scope of a member that does not act any more."""

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
    """Draws actions for a scope whose member does not act any more.

    What is drawn depends on the member's seed and the timestep alone, so that a run that goes on
    from a checkpoint draws the same.

    Args:
        member: The member that failed or was stopped.
        interface: Spaces and device of the environment.
    """

    def __init__(self, member: Member, interface: Interface) -> None:
        self._member = member
        self._interface = interface
        self._generator = torch.Generator()

    def act(self, timestep: int) -> Any:
        """Draw actions ``[n, ...]`` for the scope, on the environment's device.

        Args:
            timestep: The timestep that they are for.
        """
        self._generator.manual_seed(derive_seed(self._member.seed, "substitute", timestep))
        space, device = self._interface.action_space, self._interface.device
        actions = sample_actions(space, self._member.num_envs, self._generator)
        return tree_map(lambda tensor: tensor.to(device), actions)
