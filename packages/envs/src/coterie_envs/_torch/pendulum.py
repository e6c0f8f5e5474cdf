"""A pendulum to be swung up, as gymnasium's ``Pendulum-v1``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from coterie import ConfigError

from .base import TorchEnv
from .drawing import Capsule

MAX_SPEED = 8.0  # rad/s
MAX_TORQUE = 2.0  # N·m
SECONDS = 0.05  # per step
MASS = 1.0  # kg
LENGTH = 1.0  # m


class Pendulum(TorchEnv):
    """Swing a pendulum up with a weak motor, and keep it there.

    The state is angle (rad, 0 is upright) and angular velocity (rad/s) in float64; the
    observation is the angle's cosine and sine and the velocity, float32. The action is a torque
    from -2 to 2 N·m, clipped. The reward is ``-(angle² + 0.1 velocity² + 0.001 torque²)`` with
    the angle from -π to π. Episodes never end by themselves and are truncated after 200 steps.

    The same terms in the same order and precision as gymnasium 1.x computes them (what holds
    only the torque is float32). torch's sine and numpy's may differ in the last bit.

    Without ``velocities`` an observation is the angle's cosine and sine: a policy has to remember.

    Args:
        num_envs: Number of instances.
        g: Gravity, m/s².
        velocities: Whether observations hold the angular velocity.
        settings: As in :class:`TorchEnv`.

    Raises:
        ConfigError: ``g`` is no finite number.
    """

    id = "Pendulum-v1"
    state_size = 2
    draw_size = 2
    episode_steps = 200
    view = (-1.3, -1.3, 1.3, 1.3)

    def __init__(
        self, num_envs: int = 1, *, g: float = 10.0, velocities: bool = True, **settings: Any
    ) -> None:
        super().__init__(num_envs, **settings)
        if isinstance(g, bool) or not isinstance(g, int | float) or not math.isfinite(g):
            raise ConfigError(f"g = {g!r}: expected a finite number")
        self.g = float(g)
        self.velocities = bool(velocities)
        high = np.array([1.0, 1.0, MAX_SPEED][: 3 if self.velocities else 2], dtype=np.float32)
        self.observation_space = spaces.Box(-high, high, dtype=np.float32)
        self.action_space = spaces.Box(-MAX_TORQUE, MAX_TORQUE, (1,), np.float32)

    def initial(self, draws: torch.Tensor) -> torch.Tensor:
        """The angle is uniform from -π to π, the velocity from -1 to 1."""
        centred = draws * 2.0 - 1.0
        return torch.stack((centred[0] * math.pi, centred[1]))

    def dynamics(self, state: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """One step of 0.05 s with ``actions`` float32 ``[N, 1]``: first velocity, then angle."""
        angle, speed = state.unbind(0)
        pull = 3 * self.g / (2 * LENGTH) * angle.sin()
        push = 3.0 / (MASS * LENGTH**2) * self._torque(actions)
        speed = (speed + (pull + push) * SECONDS).clamp(-MAX_SPEED, MAX_SPEED)
        return torch.stack((angle + speed * SECONDS, speed))

    def _torque(self, actions: torch.Tensor) -> torch.Tensor:
        return actions[:, 0].clamp(-MAX_TORQUE, MAX_TORQUE)

    def reward(
        self,
        state: torch.Tensor,
        actions: torch.Tensor,
        next_state: torch.Tensor,
        terminated: torch.Tensor,
    ) -> torch.Tensor:
        """The cost of where the step started and of its torque, negated."""
        angle, speed = state.unbind(0)
        upright = torch.remainder(angle + math.pi, 2 * math.pi) - math.pi
        effort = 0.001 * self._torque(actions).square()
        return -(upright.square() + 0.1 * speed.square() + effort)

    def terminal(self, state: torch.Tensor) -> torch.Tensor:
        """Never."""
        return torch.zeros_like(state[0], dtype=torch.bool)

    def observe(self, state: torch.Tensor) -> torch.Tensor:
        """Cosine, sine and velocity as float32 ``[N, 3]``; without velocities ``[N, 2]``."""
        angle, speed = state.unbind(0)
        parts = (angle.cos(), angle.sin(), speed) if self.velocities else (angle.cos(), angle.sin())
        return torch.stack(parts, 1).float()

    def shapes(self, state: torch.Tensor) -> list[Capsule]:
        """The rod and its axle."""
        end = (-LENGTH * state[0].sin(), LENGTH * state[0].cos())
        return [
            Capsule((0.0, 0.0), end, 0.12, (200, 70, 70)),
            Capsule((0.0, 0.0), (0.0, 0.0), 0.06, (40, 40, 40)),
        ]
