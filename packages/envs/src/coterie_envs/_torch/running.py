"""How the steps of a torch-native environment run: on the CPU and elsewhere."""

from __future__ import annotations

import abc
import math
from typing import TYPE_CHECKING

import torch

from .simulation import Simulation

if TYPE_CHECKING:
    from .base import TorchEnv


class Runner(abc.ABC):
    """Holds the simulation of one environment and moves it on, one step at a time.

    Args:
        env: Whose functions are called.
        next_episode: How far the positions of two episodes of one stream are apart.
    """

    def __init__(self, env: TorchEnv, next_episode: int) -> None:
        self._env, self._next = env, next_episode

    @abc.abstractmethod
    def start(self, simulation: Simulation) -> None:
        """Go on from a simulation whose tensors nobody else has."""

    @abc.abstractmethod
    def simulation(self) -> Simulation:
        """Where the instances are; not to be changed."""

    @abc.abstractmethod
    def step(self, actions: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Do one step; give the fields of an ``Outcome``, fresh tensors all of them."""


class Whole(Runner):
    """Computes every column of everything, and never waits: for accelerators."""

    def start(self, simulation: Simulation) -> None:
        """Go on from a simulation."""
        self._simulation = simulation

    def simulation(self) -> Simulation:
        """Where the instances are."""
        return self._simulation

    def step(self, actions: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Do one step."""
        self._simulation, outcome = self._env.advance(self._simulation, actions)
        return outcome


class Stepwise(Runner):
    """Computes what it must, with as few operations as it can: for the CPU.

    The states that episodes begin in are drawn for many instances at once, before they are
    needed, and again when an instance needs its second. ``_following`` holds the positions of the
    episodes drawn last, ``_fresh`` their first states; where ``_used``, that episode is the one
    that is running.
    """

    def start(self, simulation: Simulation) -> None:
        """Go on from a simulation."""
        self._state, self._elapsed, self._following = simulation
        self._used = torch.ones_like(self._following, dtype=torch.bool)
        self._fresh = self._state
        self._safe_steps = self._steps_to_limit()

    def simulation(self) -> Simulation:
        """Where the instances are."""
        before = self._following - self._next
        positions = torch.where(self._used, self._following, before)
        return Simulation(self._state, self._elapsed, positions)

    def _steps_to_limit(self) -> float:
        """Number of steps from now of which the last is the first that may be truncated."""
        limit = self._env.max_episode_steps
        return math.inf if limit is None else limit - int(self._elapsed.max())

    def step(self, actions: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Do one step."""
        env, before = self._env, self._state
        state = env.dynamics(before, actions)
        terminated = env.terminal(state)
        rewards = env.reward(before, actions, state, terminated)
        if rewards.dtype is not torch.float32:
            rewards = rewards.float()
        observations = ended = env.observe(state)
        self._elapsed.add_(1)
        self._safe_steps -= 1
        if self._safe_steps > 0:
            truncated, done = torch.zeros_like(terminated), terminated
        else:
            truncated = env.overtime(self._elapsed)
            done = terminated | truncated
        if done.numpy().any():
            self._draw_for(done)
            self._used |= done
            self._elapsed.masked_fill_(done, 0)
            # Not in place: an observation may be a view of the state.
            state = torch.where(done, self._fresh, state)
            observations = env.observe(state)
        if self._safe_steps <= 0:
            self._safe_steps = self._steps_to_limit()
        self._state = state
        return observations, rewards, terminated, truncated, ended

    def _draw_for(self, done: torch.Tensor) -> None:
        """Make sure that there is a fresh state where ``done`` (bool ``[N]``)."""
        if not (done & self._used).numpy().any():
            return
        columns = self._used.nonzero().squeeze(1)
        following = self._following[columns] + self._next
        drawn = self._env.draw(following)
        self._following = self._following.index_copy(0, columns, following)
        self._fresh = self._fresh.index_copy(1, columns, drawn)
        self._used.zero_()
