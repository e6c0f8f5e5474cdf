"""What environments that count have in common: the counters, resets, and their state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from gymnasium.vector import AutoresetMode

from .._envs.interface import VectorEnv
from .._types import Infos, State, Tree

_COUNTERS = ("streams", "episodes", "steps", "waiting")


class Counting(VectorEnv):
    """Counts the episodes and steps of each instance, int64 ``[N]``; subclasses say what is seen.

    Attributes:
        closed: How often it was closed.
    """

    independent_streams = True

    def _start_counting(self) -> None:
        self.closed = 0
        self._streams = torch.zeros(self.num_envs, dtype=torch.int64)
        self._episodes = torch.zeros(self.num_envs, dtype=torch.int64)
        self._steps = torch.zeros(self.num_envs, dtype=torch.int64)
        self._waiting = torch.zeros(self.num_envs, dtype=torch.bool)
        self._started = False

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Tree, Infos]:
        """Start episodes; with a seed, the count of episodes starts anew."""
        mask = (options or {}).get("reset_mask", torch.ones(self.num_envs, dtype=torch.bool))
        if seed is None and not self._started:
            seed = self.seed
        if seed is not None:
            seeds = seed if not isinstance(seed, int) else [seed + k for k in range(self.num_envs)]
            self._streams = torch.tensor([value % 997 for value in seeds])
            self._episodes.zero_()
        else:
            self._episodes = self._episodes + mask
        self._started = True
        self._steps = torch.where(mask, 0, self._steps)
        self._waiting = torch.where(mask, False, self._waiting)
        return self._observe(), {}

    def close(self) -> None:
        """Count the call."""
        self.closed += 1

    @property
    def saves_state(self) -> bool:
        """Whether the state can be saved: always."""
        return True

    def state_dict(self) -> State:
        """Return the counters."""
        return {name: getattr(self, f"_{name}").clone() for name in _COUNTERS}

    def load_state_dict(self, state: State) -> None:
        """Take the counters over."""
        for name in _COUNTERS:
            setattr(self, f"_{name}", state[name].clone())
        self._started = True

    @property
    def splits_state(self) -> bool:
        """Whether states can be cut by instance: wherever they can be saved."""
        return self.saves_state

    def split_state(self, state: State, scopes: Sequence[slice]) -> list[State]:
        """Cut the counters."""
        return [{name: state[name][scope].clone() for name in _COUNTERS} for scope in scopes]

    def join_states(self, states: Sequence[State]) -> State:
        """Put counters together."""
        return {name: torch.cat([state[name] for state in states]) for name in _COUNTERS}

    def _count_step(self) -> torch.Tensor:
        """Count a step, or an episode where one begins; return where, bool ``[N]``."""
        if self.autoreset_mode is AutoresetMode.DISABLED:
            assert not self._waiting.any(), "an instance waits for its reset"
        resets = self._waiting
        self._begin(resets)
        self._steps = self._steps + (~resets).long()
        return resets

    def _begin(self, mask: torch.Tensor) -> None:
        self._episodes = self._episodes + mask
        self._steps = torch.where(mask, 0, self._steps)

    def _places(self) -> torch.Tensor:
        """Stack stream, episode and step, float32 ``[N, 3]``."""
        return torch.stack([self._streams, self._episodes, self._steps], 1).float()

    def _observe(self) -> Any:
        raise NotImplementedError
