"""A multi-agent environment whose every observation says where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from .._envs.multi_agent import MultiAgentVectorEnv
from .._trees import tree_leaves, tree_map
from .._types import Infos, Tree
from ._counting import Counting


class CountingTeamEnv(Counting, MultiAgentVectorEnv):
    """Every actor observes ``[stream, episode, step]``, and the actor's index if there is room.

    ``stream`` comes from the instance's seed, ``episode`` and ``step`` count from 0. The episode
    of an instance has ``4 + stream % 4 + episode % 3`` steps. Actors at even indices stay until
    its end, those at odd ones end ``1 + stream % 2`` steps before. Actor ``i`` ends terminated
    where ``episode + i`` is even, truncated where it is odd. Its reward is ``(i + 1) * step`` plus
    the sum of its action, in float32; an actor that is gone is given a reward, both flags and an
    observation that must not count.

    Args:
        num_envs: Number of instances.
        actors: Names of the actors.
        autoreset_mode: What happens at the end of an episode.
        reuses_buffers: Whether observations are always the same tensors, changed in place.
        alike: Whether all actors have the spaces of the first. Otherwise actor ``i`` observes
            ``3 + i`` numbers, and those at odd indices act in a Box instead of ``Discrete(3)``.
        together: Whether all actors stay until the end.
        state: ``"shared"``: a state that is the negative of ``[stream, episode, step]``;
            ``"own"``: one for each actor, the negative of its observation.
        reset_reward: Reward of a step that only resets, in the mode ``NEXT_STEP``.
        garbage: Reward of an actor that is gone; its observations are the negative of that.
        seed: Seed for resets without one.
    """

    name = "testing:CountingTeam"

    def __init__(
        self,
        num_envs: int,
        *,
        actors: Sequence[str] = ("left", "right", "scout"),
        autoreset_mode: AutoresetMode = AutoresetMode.SAME_STEP,
        reuses_buffers: bool = False,
        alike: bool = False,
        together: bool = False,
        state: Literal["shared", "own"] | None = None,
        reset_reward: float = 0.0,
        garbage: float = 1000.0,
        seed: int = 0,
    ) -> None:
        self.num_envs, self.device, self.seed = num_envs, torch.device("cpu"), seed
        self.actors, self.actors_end_together = tuple(actors), together
        self.autoreset_mode, self.reuses_buffers = autoreset_mode, reuses_buffers
        self._sizes = [3 if alike else 3 + i for i in range(len(self.actors))]
        self.observation_space = spaces.Dict(
            [(a, _box(size)) for a, size in zip(self.actors, self._sizes, strict=True)]
        )
        continuous = spaces.Box(-1, 1, (2,), np.float32)
        self.action_space = spaces.Dict(
            [
                (actor, continuous if i % 2 and not alike else spaces.Discrete(3))
                for i, actor in enumerate(self.actors)
            ]
        )
        kinds = {"shared": _box(3), "own": self.observation_space, None: None}
        self.state_space = kinds[state]
        self._state, self._reset_reward, self._garbage = state, reset_reward, garbage
        self._early = [0 if together else i % 2 for i in range(len(self.actors))]
        self._buffers: Any = None
        self._start_counting()

    def step(self, actions: Tree) -> tuple[Tree, Any, Any, Any, Infos]:
        """Count one step."""
        resets = self._count_step()
        rewards = self._rewards(actions, resets)
        terminated, truncated = self._flags(resets)
        over = (self._steps >= self._lengths()) & ~resets
        infos: dict[str, Any] = {
            "episode": {"step": self._steps.float(), "by_actor": {self.actors[0]: self._steps * 2}}
        }
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            infos["final_obs"], infos["final_state"] = self._values(), self._states()
            self._begin(over)
        else:
            self._waiting = over
        return self._observe(), rewards, terminated, truncated, infos

    def state(self) -> Tree | None:
        """Return the state, if there is a state space."""
        states: Tree | None = self._states()
        return states

    def _lengths(self, index: int | None = None) -> torch.Tensor:
        """Steps of the episodes under way, or of an actor's part in them."""
        whole = 4 + self._streams % 4 + self._episodes % 3
        return whole if index is None else whole - self._early[index] * (1 + self._streams % 2)

    def _rewards(self, actions: Any, resets: torch.Tensor) -> dict[str, torch.Tensor]:
        rewards = {}
        for i, actor in enumerate(self.actors):
            acted = actions[actor].reshape(self.num_envs, -1).float().sum(1)
            own = (i + 1) * self._steps.float() + acted
            own = torch.where(self._steps > self._lengths(i), self._garbage, own)
            rewards[actor] = torch.where(resets, self._reset_reward, own)
        return rewards

    def _flags(self, resets: torch.Tensor) -> tuple[dict[str, Any], dict[str, Any]]:
        terminated, truncated = {}, {}
        for i, actor in enumerate(self.actors):
            gone = self._steps > self._lengths(i)
            over = (self._steps == self._lengths(i)) & ~resets
            even = (self._episodes + i) % 2 == 0
            terminated[actor], truncated[actor] = over & even | gone, over & ~even | gone
        return terminated, truncated

    def _values(self) -> Any:
        places = self._places()
        values = {}
        for i, (actor, size) in enumerate(zip(self.actors, self._sizes, strict=True)):
            own = torch.cat([places, torch.full((self.num_envs, size - 3), float(i))], 1)
            gone = self._steps > self._lengths(i)
            values[actor] = torch.where(gone[:, None], -self._garbage, own)
        return values

    def _states(self) -> Any:
        if self._state == "shared":
            return -self._places()
        return tree_map(torch.neg, self._values()) if self._state == "own" else None

    def _observe(self) -> Any:
        values = self._values()
        if not self.reuses_buffers:
            return values
        if self._buffers is None:
            self._buffers = tree_map(torch.clone, values)
        for buffer, value in zip(tree_leaves(self._buffers), tree_leaves(values), strict=True):
            buffer.copy_(value)
        return self._buffers


def _box(size: int) -> spaces.Box:
    return spaces.Box(-np.inf, np.inf, (size,), np.float32)
