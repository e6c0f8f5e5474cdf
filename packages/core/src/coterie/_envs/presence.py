"""Who is still there: actors that ended before the episode of their instance is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from attrs import frozen

from .._types import State


@frozen(kw_only=True)
class Outcome:
    """What a step came to, without what actors that are gone pretend.

    Attributes:
        rewards: By actor, float32 ``[N]``; 0 where the row is not valid.
        terminated: By actor, bool ``[N]``; ``False`` where the row is not valid.
        truncated: By actor, bool ``[N]``; ``False`` where the row is not valid.
        valid: By actor, bool ``[N]``: whether the row is experience.
        ended: bool ``[N]``: the episodes that ended in this step.
        cut: bool ``[N]``: those of them in whose last step an actor was truncated.
    """

    rewards: dict[str, torch.Tensor]
    terminated: dict[str, torch.Tensor]
    truncated: dict[str, torch.Tensor]
    valid: dict[str, torch.Tensor]
    ended: torch.Tensor
    cut: torch.Tensor


class Presence:
    """Keeps account of the actors that are gone, per instance.

    Args:
        actors: Names of the actors.
        num_envs: Number of instances, N.
        device: Where the tensors live.
    """

    def __init__(self, actors: Sequence[str], num_envs: int, device: torch.device) -> None:
        self._actors = tuple(actors)
        self._gone = torch.zeros(len(self._actors), num_envs, dtype=torch.bool, device=device)

    def reset(self) -> None:
        """Count all actors as there."""
        self._gone = torch.zeros_like(self._gone)

    @property
    def present(self) -> dict[str, torch.Tensor]:
        """By actor, bool ``[N]``: who will take part in the next step."""
        return self._named(~self._gone)

    def state_dict(self) -> State:
        """Return who is gone."""
        return {"gone": self._gone}

    def load_state_dict(self, state: State) -> None:
        """Go back to what :meth:`state_dict` returned."""
        self._gone = state["gone"].to(self._gone.device, copy=True)

    def step(
        self,
        rewards: Mapping[str, torch.Tensor],
        terminated: Mapping[str, torch.Tensor],
        truncated: Mapping[str, torch.Tensor],
        resetting: torch.Tensor | None = None,
    ) -> Outcome:
        """Count one step.

        Args:
            rewards: By actor, float32 ``[N]``.
            terminated: By actor, bool ``[N]``.
            truncated: By actor, bool ``[N]``.
            resetting: bool ``[N]``: instances that this step only reset; ``None``: none.

        Returns:
            What it came to; its tensors are new.
        """
        valid = ~self._gone if resetting is None else ~(self._gone | resetting)
        terminal = self._stack(terminated) & valid
        cut = self._stack(truncated) & valid
        gone = self._gone | terminal | cut
        ended = gone.all(0)
        self._gone = gone & ~ended
        return Outcome(
            rewards=self._named(torch.where(valid, self._stack(rewards).detach(), 0.0)),
            terminated=self._named(terminal),
            truncated=self._named(cut),
            valid=self._named(valid),
            ended=ended,
            cut=cut.any(0) & ended,
        )

    def _stack(self, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return torch.stack([tensors[actor] for actor in self._actors])

    def _named(self, stacked: torch.Tensor) -> dict[str, torch.Tensor]:
        return dict(zip(self._actors, stacked.unbind(0), strict=True))
