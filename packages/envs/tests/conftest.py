"""Environments that the tests share."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces


class Counter(gymnasium.Env[Any, Any]):
    """Observes (episode, step), both counted from 0; an episode has ``length`` steps.

    With ``reuse`` every observation is the same array. ``lives`` says whether the last step
    terminates or truncates the episode.
    """

    observation_space = spaces.Box(0, 100, (2,), np.float32)
    action_space = spaces.Discrete(3)

    def __init__(self, length: int = 3, reuse: bool = False, truncate: bool = False) -> None:
        self.length, self.reuse, self.truncate = length, reuse, truncate
        self.buffer = np.zeros(2, np.float32)
        self.episode = -1
        self.closed = 0

    def _observe(self) -> np.ndarray:
        self.buffer[:] = (self.episode, self.steps)
        return self.buffer if self.reuse else self.buffer.copy()

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode += 1
        self.steps = 0
        self.draw = float(self.np_random.random())
        return self._observe(), {"draw": self.draw}

    def step(self, action):
        self.steps += 1
        ended = self.steps >= self.length
        observation = self._observe()
        return observation, float(action), ended and not self.truncate, ended and self.truncate, {}

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def counter() -> type[Counter]:
    return Counter
