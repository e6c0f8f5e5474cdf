"""Returns and lengths of episodes, counted for any agent from rewards and flags alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import torch
from attrs import define, field

from .._agents.transition import Transition

_WINDOW = 100
_BUFFERED_STEPS = 64


@define
class EpisodeStatistics:
    """Episodes of one member.

    Attributes:
        count: Number of episodes that ended.
        returns: Returns of the last 100.
        lengths: Their lengths, in steps.
        new_returns: Returns since the last metrics.
        new_lengths: Lengths since the last metrics.
    """

    count: int = 0
    returns: deque[float] = field(factory=lambda: deque(maxlen=_WINDOW))
    lengths: deque[int] = field(factory=lambda: deque(maxlen=_WINDOW))
    new_returns: list[float] = field(factory=list)
    new_lengths: list[int] = field(factory=list)

    @property
    def mean_return(self) -> float | None:
        """Mean return of the last 100 episodes; ``None`` before the first ended."""
        return sum(self.returns) / len(self.returns) if self.returns else None

    @property
    def mean_length(self) -> float | None:
        """Mean length of the last 100 episodes; ``None`` before the first ended."""
        return sum(self.lengths) / len(self.lengths) if self.lengths else None

    def add(self, episode_return: float, length: int) -> None:
        """Count an episode that ended."""
        self.count += 1
        self.returns.append(episode_return)
        self.lengths.append(length)
        self.new_returns.append(episode_return)
        self.new_lengths.append(length)

    def take_new(self) -> dict[str, float]:
        """Return the scalars of the episodes since the last call; empty if none ended."""
        if not self.new_returns:
            return {}
        number = len(self.new_returns)
        scalars = {
            "episode/return": sum(self.new_returns) / number,
            "episode/length": sum(self.new_lengths) / number,
            "episode/count": float(self.count),
        }
        self.new_returns, self.new_lengths = [], []
        return scalars


class EpisodeTracker:
    """Counts the episodes of every scope.

    On an accelerator the ends of episodes are looked up every 64 steps only, so that counting
    does not stall it at each step.

    Args:
        scopes: The instances of each member.
        num_envs: Number of instances.
        device: Device of rewards and flags.
    """

    def __init__(self, scopes: Sequence[slice], num_envs: int, device: torch.device) -> None:
        self._owners = [0] * num_envs
        for member, scope in enumerate(scopes):
            for row in range(scope.start, scope.stop):
                self._owners[row] = member
        exact = torch.float32 if device.type == "mps" else torch.float64
        self._returns = torch.zeros(num_envs, dtype=exact, device=device)
        self._lengths = torch.zeros(num_envs, dtype=torch.int64, device=device)
        self._members = [EpisodeStatistics() for _ in scopes]
        self._waiting: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
        self._on_cpu = device.type == "cpu"

    @property
    def members(self) -> list[EpisodeStatistics]:
        """Statistics of each member, up to date."""
        self._flush()
        return self._members

    def update(self, transition: Transition) -> None:
        """Count one step of the whole environment (tensors ``[N]``)."""
        if transition.all_valid:
            self._returns += transition.rewards
            self._lengths += 1
        else:
            self._returns += torch.where(transition.valid, transition.rewards, 0.0)
            self._lengths += transition.valid
        done = transition.done
        if self._on_cpu:
            if not bool(done.any()):
                return
            self._count(done, self._returns, self._lengths)
        else:
            self._waiting.append((done, self._returns.clone(), self._lengths.clone()))
            if len(self._waiting) >= _BUFFERED_STEPS:
                self._flush()
        self._returns.masked_fill_(done, 0.0)
        self._lengths.masked_fill_(done, 0)

    def forget_unfinished(self) -> None:
        """Drop the episodes that are under way: the instances were reset."""
        self._flush()
        self._returns.zero_()
        self._lengths.zero_()

    def _flush(self) -> None:
        for done, returns, lengths in self._waiting:
            self._count(done.cpu(), returns.cpu(), lengths.cpu())
        self._waiting.clear()

    def _count(self, done: torch.Tensor, returns: torch.Tensor, lengths: torch.Tensor) -> None:
        rows = done.nonzero().flatten()
        ended = zip(rows.tolist(), returns[rows].tolist(), lengths[rows].tolist(), strict=True)
        for row, episode_return, length in ended:
            self._members[self._owners[row]].add(episode_return, length)
