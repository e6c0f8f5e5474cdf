"""A pole on a cart, as gymnasium's ``CartPole-v1``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from .base import TorchEnv
from .drawing import Capsule

GRAVITY = 9.8  # m/s²
POLE_MASS = 0.1  # kg
TOTAL_MASS = POLE_MASS + 1.0  # kg, with the cart
HALF_LENGTH = 0.5  # m
FORCE = 10.0  # N
SECONDS = 0.02  # per step
X_LIMIT = 2.4  # m
ANGLE_LIMIT = 12 * 2 * math.pi / 360  # rad


class CartPole(TorchEnv):
    """Push a cart to the left (action 0) or to the right so that its pole stays upright.

    State and observation are position (m), velocity (m/s), angle (rad) and angular velocity
    (rad/s); the state is float64, the observation float32, as in gymnasium. An episode ends when
    the cart leaves ±2.4 m or the pole ±12°, and is truncated after 500 steps. Each step is worth
    1, also the last one; with ``sutton_barto_reward`` 0, and the one that ends it -1.

    The equations are those of A. G. Barto, R. S. Sutton and C. W. Anderson, "Neuronlike adaptive
    elements that can solve difficult learning control problems", IEEE Transactions on Systems,
    Man, and Cybernetics 13 (1983), frictionless, in explicit Euler steps, the same terms
    in the same order as gymnasium 1.x computes them. torch's sine and numpy's may differ in the
    last bit.

    Without ``velocities`` an observation holds position and angle only: a policy has to remember.

    Args:
        num_envs: Number of instances.
        sutton_barto_reward: Whether rewards are 0 and -1 instead of 1.
        velocities: Whether observations hold the two velocities.
        settings: As in :class:`TorchEnv`.
    """

    id = "CartPole-v1"
    state_size = 4
    draw_size = 4
    episode_steps = 500
    view = (-2.4, -0.6, 2.4, 1.8)

    def __init__(
        self,
        num_envs: int = 1,
        *,
        sutton_barto_reward: bool = False,
        velocities: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(num_envs, **settings)
        self.velocities = bool(velocities)
        high = np.array([2 * X_LIMIT, np.inf, 2 * ANGLE_LIMIT, np.inf], dtype=np.float32)
        high = high if self.velocities else high[::2]
        self.observation_space = spaces.Box(-high, high, dtype=np.float32)
        self.action_space = spaces.Discrete(2)
        limits = ((X_LIMIT,), (ANGLE_LIMIT,))
        self._limits = torch.tensor(limits, dtype=torch.float64, device=self.device)
        self.sutton_barto_reward = bool(sutton_barto_reward)

    def initial(self, draws: torch.Tensor) -> torch.Tensor:
        """All four values are uniform from -0.05 to 0.05."""
        return draws * 0.1 - 0.05

    def dynamics(self, state: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """One Euler step of 0.02 s; ``actions`` int64 ``[N]``, 1 pushes to the right."""
        _, velocity, angle, spin = state.unbind(0)
        cosine, sine = angle.cos(), angle.sin()
        # In place where a value is not used again: a step of few instances is as long as the
        # list of its operations.
        push = spin.square().mul_(POLE_MASS * HALF_LENGTH).mul_(sine)
        push.add_(torch.where(actions == 1, FORCE, -FORCE)).div_(TOTAL_MASS)
        inertia = cosine.square().mul_(-POLE_MASS).div_(TOTAL_MASS).add_(4 / 3).mul_(HALF_LENGTH)
        spin_rate = sine.mul_(GRAVITY).sub_(cosine * push).div_(inertia)
        acceleration = push.sub_(cosine.mul_(POLE_MASS * HALF_LENGTH * spin_rate).div_(TOTAL_MASS))
        rates = torch.stack((velocity, acceleration, spin, spin_rate))
        return rates.mul_(SECONDS).add_(state)

    def reward(
        self,
        state: torch.Tensor,
        actions: torch.Tensor,
        next_state: torch.Tensor,
        terminated: torch.Tensor,
    ) -> torch.Tensor:
        """1 per step, or (``sutton_barto_reward``) -1 for the step that ends it and 0 else."""
        if self.sutton_barto_reward:
            return -terminated.float()
        return torch.ones(terminated.shape, device=terminated.device)

    def terminal(self, state: torch.Tensor) -> torch.Tensor:
        """Whether the cart or the pole is beyond its limit."""
        return (state[::2].abs() > self._limits).any(0)

    def observe(self, state: torch.Tensor) -> torch.Tensor:
        """The state as float32 ``[N, 4]``; without velocities position and angle, ``[N, 2]``."""
        if not self.velocities:
            state = state[::2]
        return state.new_empty(state.shape[::-1], dtype=torch.float32).copy_(state.t())

    def shapes(self, state: torch.Tensor) -> list[Capsule]:
        """The track, the cart and the pole."""
        x, angle = state[0], state[2]
        top = (x + 2 * HALF_LENGTH * angle.sin(), 2 * HALF_LENGTH * angle.cos())
        return [
            Capsule((-2.4, -0.2), (2.4, -0.2), 0.02, (90, 90, 90)),
            Capsule((x - 0.2, 0.0), (x + 0.2, 0.0), 0.15, (40, 70, 120)),
            Capsule((x, 0.0), top, 0.06, (210, 140, 70)),
        ]
