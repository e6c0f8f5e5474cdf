"""Returns and lengths of episodes, counted for any agent from rewards and flags alone."""

from __future__ import annotations

import abc
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from attrs import define, field

from .._agents.transition import TeamTransition, Transition
from .._types import State
from .results import EpisodeResults

_WINDOW = 100
_BUFFERED_STEPS = 64


@define
class Sums:
    """Sums over episodes: all that their means need, however many they are.

    Attributes:
        count: Number of episodes.
        returns: Sum of their returns.
        lengths: Sum of their lengths, in steps.
    """

    count: int = 0
    returns: float = 0.0
    lengths: int = 0

    def add(self, episode_return: float, length: int) -> None:
        """Add an episode."""
        self.count += 1
        self.returns += episode_return
        self.lengths += length


@define
class EpisodeStatistics:
    """Episodes of one member.

    Attributes:
        count: Number of episodes that ended.
        returns: Returns of the last 100.
        lengths: Their lengths, in steps.
        new: Sums over the episodes since the last metrics.
        new_of_actors: Of a team: the same of each actor.
        closed: Whether episodes count no more: the member does not act in them.
    """

    count: int = 0
    returns: deque[float] = field(factory=lambda: deque(maxlen=_WINDOW))
    lengths: deque[int] = field(factory=lambda: deque(maxlen=_WINDOW))
    new: Sums = field(factory=Sums)
    new_of_actors: dict[str, Sums] = field(factory=dict)
    closed: bool = False

    @property
    def mean_return(self) -> float | None:
        """Mean return of the last 100 episodes; ``None`` before the first ended."""
        return sum(self.returns) / len(self.returns) if self.returns else None

    @property
    def mean_length(self) -> float | None:
        """Mean length of the last 100 episodes; ``None`` before the first ended."""
        return sum(self.lengths) / len(self.lengths) if self.lengths else None

    def state_dict(self) -> State:
        """Return what is known of earlier episodes; what is new must have been taken."""
        return {
            "count": self.count,
            "returns": list(self.returns),
            "lengths": list(self.lengths),
        }

    def load_state_dict(self, state: State) -> None:
        """Go back to what :meth:`state_dict` returned."""
        self.count = state["count"]
        self.returns = deque(state["returns"], maxlen=_WINDOW)
        self.lengths = deque(state["lengths"], maxlen=_WINDOW)

    @property
    def results(self) -> EpisodeResults | None:
        """What an evaluation of so many episodes came to; ``None``: it is none."""
        return None

    def add(self, episode_return: float, length: int, instance: int = 0) -> None:
        """Count an episode that ended, in whatever instance."""
        if self.closed:
            return
        self.count += 1
        self.returns.append(episode_return)
        self.lengths.append(length)
        self.new.add(episode_return, length)

    def add_of_actors(self, found: Mapping[str, tuple[float, int]]) -> None:
        """Note what each actor of a team came to in an episode that ended: return and length."""
        if self.closed:
            return
        for actor, (episode_return, length) in found.items():
            self.new_of_actors.setdefault(actor, Sums()).add(episode_return, length)

    def take_new(self) -> dict[str, float]:
        """Return the scalars of the episodes since the last call; empty if none ended."""
        if not self.new.count:
            return {}
        scalars = {
            "episode/return": self.new.returns / self.new.count,
            "episode/length": self.new.lengths / self.new.count,
            "episode/count": float(self.count),
        }
        for actor, own in self.new_of_actors.items():
            scalars[f"episode/return/{actor}"] = own.returns / own.count
            scalars[f"episode/length/{actor}"] = own.lengths / own.count
        self.new, self.new_of_actors = Sums(), {}
        return scalars


class EpisodeTracker:
    """Counts the episodes of every scope.

    The return of a team is the mean over its actors: that of a reward that all share is counted
    once, and teams of different sizes compare. (The sum is that times the number of actors.)
    What an actor got counts until it ended; the length of the episode is that of the longest.

    Args:
        scopes: The instances of each member.
        num_envs: Number of instances.
        device: Device of rewards and flags. On an accelerator the ends of episodes are looked up
            every 64 steps only, so that counting does not stall it at each step.
        actors: Actors of a multi-agent environment; empty for any other.
        members: Where the episodes of each member go; ``None``: to statistics of all of them.
    """

    def __init__(
        self,
        scopes: Sequence[slice],
        num_envs: int,
        device: torch.device,
        actors: Sequence[str] = (),
        members: Sequence[EpisodeStatistics] | None = None,
    ) -> None:
        self.actors = tuple(actors)
        owners = [0] * num_envs
        for member, scope in enumerate(scopes):
            for row in range(scope.start, scope.stop):
                owners[row] = member
        self._members = [EpisodeStatistics() for _ in scopes] if members is None else [*members]
        self._counter = _make_counter(owners, self._members, device, actors)

    @property
    def members(self) -> list[EpisodeStatistics]:
        """Statistics of each member, up to date."""
        self._counter.flush()
        return self._members

    def update(self, transition: Transition[Any]) -> None:
        """Count one step of the whole environment (tensors ``[N]``)."""
        self._counter.update(transition)

    def state_dict(self) -> State:
        """Return the episodes under way, and what is known of earlier ones."""
        members = [member.state_dict() for member in self.members]
        return {"members": members, **self._counter.state_dict()}

    def load_state_dict(self, state: State) -> None:
        """Go back to what :meth:`state_dict` returned."""
        for member, own in zip(self.members, state["members"], strict=True):
            member.load_state_dict(own)
        self._counter.load_state_dict(state)

    def forget_unfinished(self) -> None:
        """Drop the episodes that are under way: the instances were reset."""
        self._counter.flush()
        self._counter.forget()


class _Counter(abc.ABC):
    """Adds up returns and lengths of the episodes under way.

    Args:
        owners: Index of the member that each instance belongs to.
        members: Where episodes that ended are added.
        device: Device of rewards and flags.
    """

    def __init__(
        self, owners: Sequence[int], members: Sequence[EpisodeStatistics], device: torch.device
    ) -> None:
        self._owners, self._members = owners, members
        exact = torch.float32 if device.type == "mps" else torch.float64
        self._returns = torch.zeros(len(owners), dtype=exact, device=device)
        self._lengths = torch.zeros(len(owners), dtype=torch.int64, device=device)

    @abc.abstractmethod
    def update(self, transition: Any) -> None:
        """Count one step."""

    def flush(self) -> None:
        """Add all episodes that ended."""

    def state_dict(self) -> State:
        """Return the sums of the episodes under way."""
        return {"under_way": {"returns": self._returns, "lengths": self._lengths}}

    def load_state_dict(self, state: State) -> None:
        """Go back to what :meth:`state_dict` returned."""
        self._returns.copy_(state["under_way"]["returns"])
        self._lengths.copy_(state["under_way"]["lengths"])

    def forget(self) -> None:
        """Start all over."""
        self._returns.zero_()
        self._lengths.zero_()

    def _add(self, rows: Sequence[int], returns: Sequence[float], lengths: Sequence[int]) -> None:
        for row, episode_return, length in zip(rows, returns, lengths, strict=True):
            self._members[self._owners[row]].add(episode_return, length, row)


class _HostCounter(_Counter):
    """In the main memory, with numpy: it needs a tenth of the time for small arrays."""

    def update(self, transition: Transition) -> None:
        """Count one step."""
        returns, lengths = self._returns.numpy(), self._lengths.numpy()
        rewards = transition.rewards.detach().numpy()
        if transition.all_valid:
            returns += rewards
            lengths += 1
        else:
            valid = transition.valid.numpy()
            returns += np.where(valid, rewards, 0.0)
            lengths += valid
        done = transition.terminated.numpy() | transition.truncated.numpy()
        rows = done.nonzero()[0]
        if rows.size:
            self._add(rows.tolist(), returns[rows].tolist(), lengths[rows].tolist())
            returns[rows] = 0.0
            lengths[rows] = 0


class _DeviceCounter(_Counter):
    """On an accelerator: the ends of episodes are looked up every 64 steps."""

    def __init__(
        self, owners: Sequence[int], members: Sequence[EpisodeStatistics], device: torch.device
    ) -> None:
        super().__init__(owners, members, device)
        self._waiting: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def update(self, transition: Transition) -> None:
        """Count one step."""
        if transition.all_valid:
            self._returns += transition.rewards
            self._lengths += 1
        else:
            self._returns += torch.where(transition.valid, transition.rewards, 0.0)
            self._lengths += transition.valid
        done = transition.done
        self._waiting.append((done, self._returns.clone(), self._lengths.clone()))
        if len(self._waiting) >= _BUFFERED_STEPS:
            self.flush()
        self._returns.masked_fill_(done, 0.0)
        self._lengths.masked_fill_(done, 0)

    def flush(self) -> None:
        """Add all episodes that ended."""
        for done, returns, lengths in self._waiting:
            rows = done.cpu().nonzero().flatten()
            self._add(rows.tolist(), returns.cpu()[rows].tolist(), lengths.cpu()[rows].tolist())
        self._waiting.clear()


class _TeamCounter(_Counter):
    """Of teams: adds up per actor; ends are looked up at once only in the main memory."""

    def __init__(
        self,
        owners: Sequence[int],
        members: Sequence[EpisodeStatistics],
        device: torch.device,
        actors: Sequence[str],
    ) -> None:
        super().__init__(owners, members, device)
        self._actors = tuple(actors)
        shape = len(actors), len(owners)
        self._returns = torch.zeros(shape, dtype=self._returns.dtype, device=device)
        self._lengths = torch.zeros(shape, dtype=torch.int64, device=device)
        self._on_host = device.type == "cpu"
        self._waiting: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def update(self, transition: TeamTransition) -> None:
        """Count one step."""
        self._returns += self._stack(transition.rewards)  # 0 where an actor is gone
        self._lengths += self._stack(transition.valid)
        done = transition.done
        if self._on_host and not bool(done.any()):
            return
        self._waiting.append((done, self._returns.clone(), self._lengths.clone()))
        if self._on_host or len(self._waiting) >= _BUFFERED_STEPS:
            self.flush()
        self._returns.masked_fill_(done, 0.0)
        self._lengths.masked_fill_(done, 0)

    def flush(self) -> None:
        """Add all episodes that ended."""
        for done, returns, lengths in self._waiting:
            rows = done.cpu().nonzero().flatten()
            own_returns, own_lengths = returns.cpu()[:, rows], lengths.cpu()[:, rows]
            longest = own_lengths.max(0).values.tolist()
            self._add(rows.tolist(), own_returns.mean(0).tolist(), longest)
            for row, gained, took in zip(
                rows.tolist(), own_returns.T.tolist(), own_lengths.T.tolist(), strict=True
            ):
                found = dict(zip(self._actors, zip(gained, took, strict=True), strict=True))
                self._members[self._owners[row]].add_of_actors(found)
        self._waiting.clear()

    def _stack(self, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return torch.stack([tensors[actor] for actor in self._actors])


def _make_counter(
    owners: Sequence[int],
    members: Sequence[EpisodeStatistics],
    device: torch.device,
    actors: Sequence[str],
) -> _Counter:
    if actors:
        return _TeamCounter(owners, members, device, actors)
    kind = _HostCounter if device.type == "cpu" else _DeviceCounter
    return kind(owners, members, device)
