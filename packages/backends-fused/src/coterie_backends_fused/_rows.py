"""The rows of a stack's members in the environment's tensors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch

from coterie import Member, Transition, cut_infos
from coterie.spaces import tree_map


class Rows:
    """Gathers the rows of members: a view where their scopes follow each other, else one copy.

    Args:
        members: In the order in which their rows are wanted.
        num_envs: Rows of the tensors that are gathered from.
        source: Device of those tensors.
        target: Device of what is gathered.

    Attributes:
        count: Number of rows that are wanted.
        contiguous: Whether the scopes follow each other.
        whole: Whether that is every row, on the device where it is wanted.
    """

    def __init__(
        self,
        members: Sequence[Member],
        num_envs: int,
        source: torch.device,
        target: torch.device,
    ) -> None:
        self.count = sum(member.num_envs for member in members)
        self._num_envs = num_envs
        self._target = None if source == target else target
        scopes = [member.scope for member in members]
        self.contiguous = all(one.stop == other.start for one, other in pairwise(scopes))
        self._slice = slice(scopes[0].start, scopes[-1].stop)
        self.whole = self.contiguous and self.count == num_envs and self._target is None
        self._numbers = [row for scope in scopes for row in range(scope.start, scope.stop)]
        self._index = torch.tensor(self._numbers, device=source)

    def gather(self, tree: Any) -> Any:
        """Take the members' rows out of a tree of ``[num_envs, ...]``; ``None`` stays."""
        if tree is None or self.whole:
            return tree
        return tree_map(self._take, tree)

    def _take(self, tensor: torch.Tensor) -> torch.Tensor:
        own = tensor[self._slice] if self.contiguous else tensor.index_select(0, self._index)
        return own if self._target is None else own.to(self._target)

    def cut(
        self, transition: Transition[Any], observations: Any, states: Any, *, infos: bool
    ) -> Transition[Any]:
        """Take the members' part of a step.

        Args:
            transition: The step, tensors ``[num_envs, ...]``.
            observations: What the members acted on, gathered already.
            states: Privileged observations that belong to them.
            infos: Whether infos are wanted.
        """
        take = self.gather
        return Transition(
            observations=observations,
            actions=take(transition.actions),
            rewards=take(transition.rewards),
            next_observations=take(transition.next_observations),
            terminated=take(transition.terminated),
            truncated=take(transition.truncated),
            valid=take(transition.valid),
            all_valid=transition.all_valid,
            states=states,
            next_states=take(transition.next_states),
            infos=cut_infos(transition.infos, self._numbers, self._num_envs) if infos else {},
            ended=take(transition.ended),
        )


def order_of(groups: Sequence[Sequence[Member]], device: torch.device) -> torch.Tensor | None:
    """Find how to bring the rows of groups, laid side by side, into the order of scopes.

    Returns:
        For each row its place among those side by side; ``None``: they are in order already.
    """
    starts = [row for group in groups for m in group for row in range(m.scope.start, m.scope.stop)]
    order = sorted(range(len(starts)), key=starts.__getitem__)
    return None if order == list(range(len(order))) else torch.tensor(order, device=device)
