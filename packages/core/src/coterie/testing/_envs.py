"""Environments whose every observation says where it comes from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from .._seeding import derive_seed
from .._spaces import sample_actions
from .._trees import tree_cat, tree_leaves
from .._types import Infos, Tree
from ._counting import Counting


class CountingEnv(Counting):
    """Observes ``[stream, episode, step]``, so that a test can tell every observation apart.

    ``stream`` comes from the instance's seed, ``episode`` and ``step`` count from 0. The reward
    is the step's number plus the sum of the action, in float32. An episode has
    ``3 + stream % 4 + episode % 3`` steps, and ends terminated when ``episode`` is even,
    truncated when it is odd.

    Args:
        num_envs: Number of instances.
        autoreset_mode: What happens at the end of an episode.
        reuses_buffers: Whether observations are always the same tensor, changed in place; what
            was returned before is then overwritten, as in many simulators.
        action_space: Space of one instance's action; default ``Discrete(2)``.
        state: Whether there is a privileged observation too, the negative of the observation.
        reset_reward: Reward of a step that only resets, in the mode ``NEXT_STEP``.
        seed: Seed for resets without one.
    """

    name = "testing:Counting"

    def __init__(
        self,
        num_envs: int,
        *,
        autoreset_mode: AutoresetMode = AutoresetMode.SAME_STEP,
        reuses_buffers: bool = False,
        action_space: spaces.Space[Any] | None = None,
        state: bool = False,
        reset_reward: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.num_envs = num_envs
        self.device = torch.device("cpu")
        self.seed = seed
        self.autoreset_mode = autoreset_mode
        self.reuses_buffers = reuses_buffers
        self.observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float32)
        self.action_space = action_space or spaces.Discrete(2)
        self.state_space = spaces.Box(-np.inf, np.inf, (3,), np.float32) if state else None
        self.rendered = 0
        self._reset_reward = reset_reward
        self._buffer = torch.zeros(num_envs, 3)
        self._start_counting()

    def step(self, actions: Tree) -> tuple[Tree, torch.Tensor, torch.Tensor, torch.Tensor, Infos]:
        """Count one step."""
        resets = self._count_step()
        rewards = self._steps.float() + _sum_actions(actions)
        rewards = torch.where(resets, self._reset_reward, rewards)
        over = (self._steps >= 3 + self._streams % 4 + self._episodes % 3) & ~resets
        even = self._episodes % 2 == 0
        infos: dict[str, Any] = {"episode": {"step": self._steps.float()}}
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            infos["final_obs"] = self._places()
            infos["final_state"] = -self._places()
            self._begin(over)
        else:
            self._waiting = over
        return self._observe(), rewards, over & even, over & ~even, infos

    def state(self) -> Tree | None:
        """Return the negative of the observation, if there is a state space."""
        return None if self.state_space is None else -self._places()

    def render(self) -> Any:
        """Count the call."""
        self.rendered += 1

    def _observe(self) -> Any:
        if not self.reuses_buffers:
            return self._places()
        return self._buffer.copy_(self._places())


class SpaceEnv(CountingEnv):
    """Like :class:`CountingEnv`, with any observation space; observations look random.

    What an instance observes depends on its seed, its episode and its step alone.

    Args:
        num_envs: Number of instances.
        observation_space: Space of one instance's observation.
        settings: As for :class:`CountingEnv`.
    """

    name = "testing:Space"

    def __init__(
        self, num_envs: int, observation_space: spaces.Space[Any], **settings: Any
    ) -> None:
        super().__init__(num_envs, **settings)
        self.observation_space = observation_space

    def step(self, actions: Tree) -> tuple[Tree, torch.Tensor, torch.Tensor, torch.Tensor, Infos]:
        """Count one step."""
        observations, rewards, terminated, truncated, infos = super().step(actions)
        counted = infos.get("final_obs")
        if counted is None:
            return observations, rewards, terminated, truncated, infos
        final = self._dress(counted)
        return observations, rewards, terminated, truncated, {**infos, "final_obs": final}

    def _observe(self) -> Any:
        return self._dress(self._places())

    def _dress(self, counted: torch.Tensor) -> Any:
        rows = []
        for place in counted.long().tolist():
            generator = torch.Generator().manual_seed(derive_seed(0, *place))
            rows.append(sample_actions(self.observation_space, 1, generator))
        return tree_cat(rows)


class BrokenEnv(CountingEnv):
    """Breaks its promise at one step, in a way of your choice.

    Args:
        num_envs: Number of instances.
        at: Timestep at which it breaks.
        how: ``"raise"``, ``"nan"`` (in the last instance), ``"shape"``, ``"dtype"``,
            ``"reward_shape"`` or ``"no_final"`` (an episode ends without its final observation).
        settings: As for :class:`CountingEnv`.
    """

    name = "testing:Broken"

    def __init__(self, num_envs: int, *, at: int, how: str, **settings: Any) -> None:
        super().__init__(num_envs, **settings)
        self._at, self._how, self._count = at, how, 0

    def step(self, actions: Tree) -> tuple[Tree, torch.Tensor, torch.Tensor, torch.Tensor, Infos]:
        """Count one step, or break."""
        observations, rewards, terminated, truncated, infos = super().step(actions)
        at, self._count = self._count, self._count + 1
        observed: Any = observations
        if at != self._at:
            return observed, rewards, terminated, truncated, infos
        if self._how == "raise":
            raise RuntimeError("the simulator fell over")
        if self._how == "nan":
            observed = observed.clone()
            observed[-1, 0] = float("nan")
        elif self._how == "shape":
            observed = observed[:, :2]
        elif self._how == "dtype":
            observed = observed.double()
        elif self._how == "reward_shape":
            rewards = rewards[:, None]
        elif self._how == "no_final":
            infos, truncated = {}, torch.ones_like(truncated)
        return observed, rewards, terminated, truncated, infos


def _sum_actions(actions: Tree) -> torch.Tensor:
    parts = [leaf.reshape(leaf.shape[0], -1).float().sum(1) for leaf in tree_leaves(actions)]
    return torch.stack(parts).sum(0)
