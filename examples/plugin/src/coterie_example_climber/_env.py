"""The environment ``example:Point-v0``: a point that is to be moved to the middle of a square."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from attrs import frozen
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from coterie import (
    ConfigError,
    EnvAdapter,
    EnvContractError,
    State,
    VectorEnv,
    derive_seed,
    structure,
)

_LENGTH = 20
_REACH = 0.2


@frozen(kw_only=True)
class PointSettings:
    """Settings of the environment.

    Attributes:
        wind: How far each step blows the point along the first axis, from 0.
    """

    wind: float = 0.0


class PointEnv(VectorEnv):
    """A point in a square of side 2, moved by at most 0.2 along each axis per step.

    The reward is minus the distance from the middle; an episode is cut off after 20 steps. Each
    instance draws where it starts from a random stream of its own.

    Args:
        num_envs: Number of instances.
        seed: Seed of the first episodes; ``None``: a different one each time.
        device: Where the tensors live.
        wind: How far each step blows the point along the first axis.
    """

    name = "example:Point-v0"
    autoreset_mode = AutoresetMode.SAME_STEP
    independent_streams = True
    reuses_buffers = False

    def __init__(
        self, num_envs: int, *, seed: int | None = None, device: str = "cpu", wind: float = 0.0
    ) -> None:
        self.num_envs = num_envs
        self.device = torch.device(device)
        self.seed = seed
        self.observation_space = spaces.Box(-1.0, 1.0, (2,))
        self.action_space = spaces.Box(-1.0, 1.0, (2,))
        self._drift = torch.tensor((wind, 0.0), device=self.device)
        self._streams = [torch.Generator() for _ in range(num_envs)]
        self._seed_streams(seed)
        self._points = torch.zeros(num_envs, 2, device=self.device)
        self._ages = torch.zeros(num_envs, dtype=torch.int64, device=self.device)

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        """Start new episodes everywhere."""
        if seed is not None:
            self._seed_streams(seed)
        self._points = self._starts(range(self.num_envs))
        self._ages = torch.zeros_like(self._ages)
        return self._points, {}

    def step(
        self, actions: Any
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Move the points; episodes that ended start again."""
        moved = self._points + _REACH * actions.clamp(-1.0, 1.0) + self._drift
        ends = moved.clamp(-1.0, 1.0)
        rewards = -torch.linalg.vector_norm(ends, dim=-1)
        self._ages = self._ages + 1
        truncated = self._ages >= _LENGTH
        terminated = torch.zeros_like(truncated)
        infos: dict[str, Any] = {}
        self._points = ends
        if bool(truncated.any()):
            rows = truncated.nonzero().flatten()
            infos["final_obs"] = ends
            self._points = ends.clone()
            self._points[rows] = self._starts(rows.tolist())
            self._ages[rows] = 0
        return self._points, rewards, terminated, truncated, infos

    @property
    def saves_state(self) -> bool:
        """It can: points, ages and random streams are all that there is."""
        return True

    def state_dict(self) -> State:
        """Return everything that the following steps depend on."""
        return {
            "points": self._points.clone(),
            "ages": self._ages.clone(),
            "streams": [stream.get_state() for stream in self._streams],
        }

    def load_state_dict(self, state: State) -> None:
        """Go on from what :meth:`state_dict` returned.

        Raises:
            EnvContractError: The state is of another number of instances.
        """
        if len(state["streams"]) != self.num_envs:
            raise EnvContractError(
                f"the state is of {len(state['streams'])} instances, here are {self.num_envs}"
            )
        self._points = state["points"].to(self.device, copy=True)
        self._ages = state["ages"].to(self.device, copy=True)
        for stream, drawn in zip(self._streams, state["streams"], strict=True):
            stream.set_state(drawn)

    def _seed_streams(self, seed: int | Sequence[int] | None) -> None:
        for index, stream in enumerate(self._streams):
            if seed is None:
                stream.seed()
            else:
                own = derive_seed(seed, index) if isinstance(seed, int) else seed[index]
                stream.manual_seed(own)

    def _starts(self, rows: Sequence[int]) -> torch.Tensor:
        drawn = [torch.rand(2, generator=self._streams[row]) for row in rows]
        return (2 * torch.stack(drawn) - 1).to(self.device)


class PointAdapter(EnvAdapter):
    """Makes ``example:Point-v0``."""

    def make(
        self, env_id: str, *, num_envs: int, seed: int | None, device: str, **settings: Any
    ) -> PointEnv:
        """Make the environment; its only setting is ``wind``."""
        if env_id not in self.ids():
            raise ConfigError(f"example:{env_id} is unknown; known is example:Point-v0")
        checked = structure(PointSettings, settings, source="settings of example:Point-v0")
        return PointEnv(num_envs, seed=seed, device=device, wind=checked.wind)

    def ids(self) -> Sequence[str]:
        """List the only id."""
        return ("Point-v0",)
