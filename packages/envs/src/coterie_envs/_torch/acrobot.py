"""Two links that hang from a joint, as gymnasium's ``Acrobot-v1``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from .base import TorchEnv
from .drawing import Capsule

GRAVITY = 9.8  # m/s²
LENGTH = 1.0  # m, of either link; its mass is 1 kg and its moment of inertia 1 kg·m²
CENTRE = 0.5  # m from the joint to a link's centre of mass
SECONDS = 0.2  # per step
MAX_SPEEDS = (4 * math.pi, 9 * math.pi)  # rad/s


class Acrobot(TorchEnv):
    """Swing the lower end of two links up, with a motor in the joint between them alone.

    The state is the first link's angle (rad, 0 hangs down), the second's relative to it, and
    their velocities (rad/s), float64; the observation is cosine and sine of either angle and the
    velocities, float32. Actions 0, 1 and 2 are torques of -1, 0 and 1 N·m. An episode ends when
    the end is higher than a link's length above the joint, and is truncated after 500 steps. Each
    step is worth -1, the one that ends the episode 0.

    The equations are those of R. S. Sutton and A. G. Barto, "Reinforcement Learning: An
    Introduction", 2nd edition (2018), section 11.3 of the first edition (1998), integrated by one
    Runge-Kutta step of fourth order per 0.2 s as gymnasium 1.x does it. Initial states are float32
    numbers there as here. torch's sine and numpy's may differ in the last bit, and the motion is
    chaotic: the same step from the same state is equal, long episodes need not be.

    Args:
        num_envs: Number of instances.
        settings: As in :class:`TorchEnv`.
    """

    id = "Acrobot-v1"
    state_size = 4
    draw_size = 4
    episode_steps = 500
    view = (-2.2, -2.2, 2.2, 2.2)

    def __init__(self, num_envs: int = 1, **settings: Any) -> None:
        super().__init__(num_envs, **settings)
        high = np.array([1.0, 1.0, 1.0, 1.0, *MAX_SPEEDS], dtype=np.float32)
        self.observation_space = spaces.Box(-high, high, dtype=np.float32)
        self.action_space = spaces.Discrete(3)

    def initial(self, draws: torch.Tensor) -> torch.Tensor:
        """All four values are uniform from -0.1 to 0.1."""
        return (draws * 0.2 - 0.1).float().double()

    def dynamics(self, state: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """One Runge-Kutta step of 0.2 s; ``actions`` int64 ``[N]``, the torque plus 1."""
        torque = (actions - 1).double()
        first = _rates(state, torque)
        second = _rates(state + SECONDS / 2 * first, torque)
        third = _rates(state + SECONDS / 2 * second, torque)
        fourth = _rates(state + SECONDS * third, torque)
        sums = second.mul_(2).add_(first).add_(third.mul_(2)).add_(fourth)
        angle, bend, speed, bend_speed = sums.mul_(SECONDS / 6).add_(state).unbind(0)
        fast, faster = MAX_SPEEDS
        bounded = (speed.clamp(-fast, fast), bend_speed.clamp(-faster, faster))
        return torch.stack((_wrapped(angle), _wrapped(bend), *bounded))

    def reward(
        self,
        state: torch.Tensor,
        actions: torch.Tensor,
        next_state: torch.Tensor,
        terminated: torch.Tensor,
    ) -> torch.Tensor:
        """-1 per step, 0 for the one that ends the episode."""
        return terminated.float().sub_(1)

    def terminal(self, state: torch.Tensor) -> torch.Tensor:
        """Whether the end is more than 1 m above the joint."""
        angle, bend = state[0], state[1]
        return angle.cos().neg_().sub_((bend + angle).cos()) > 1.0

    def observe(self, state: torch.Tensor) -> torch.Tensor:
        """Cosines, sines and velocities as float32 ``[N, 6]``."""
        angle, bend, speed, bend_speed = state.unbind(0)
        parts = (angle.cos(), angle.sin(), bend.cos(), bend.sin(), speed, bend_speed)
        return torch.stack(parts, 1).float()

    def shapes(self, state: torch.Tensor) -> list[Capsule]:
        """The height to reach, both links and the joints."""
        angle, bend = state[0], state[0] + state[1]
        joint = (angle.sin(), -angle.cos())
        end = (joint[0] + bend.sin(), joint[1] - bend.cos())
        return [
            Capsule((-2.2, 1.0), (2.2, 1.0), 0.02, (90, 90, 90)),
            Capsule((0.0, 0.0), joint, 0.1, (0, 150, 160)),
            Capsule(joint, end, 0.1, (0, 190, 200)),
            Capsule((0.0, 0.0), (0.0, 0.0), 0.08, (220, 180, 0)),
            Capsule(joint, joint, 0.08, (220, 180, 0)),
        ]


def _rates(state: torch.Tensor, torque: torch.Tensor) -> torch.Tensor:
    """Velocities and accelerations of states ``[4, N]`` under torques ``[N]``."""
    angle, bend, speed, bend_speed = state.unbind(0)
    cosine, sine = bend.cos(), bend.sin()
    inertia = CENTRE**2 + (LENGTH**2 + CENTRE**2 + 2 * LENGTH * CENTRE * cosine) + 1.0 + 1.0
    coupling = (CENTRE**2 + LENGTH * CENTRE * cosine) + 1.0
    lower = CENTRE * GRAVITY * (angle + bend - math.pi / 2).cos()
    both = (
        -LENGTH * CENTRE * bend_speed.square() * sine
        - 2 * LENGTH * CENTRE * bend_speed * speed * sine
        + (CENTRE + LENGTH) * GRAVITY * (angle - math.pi / 2).cos()
        + lower
    )
    pull = torque + coupling / inertia * both - LENGTH * CENTRE * speed.square() * sine - lower
    bending = pull / (CENTRE**2 + 1.0 - coupling.square() / inertia)
    turning = -(coupling * bending + both) / inertia
    return torch.stack((speed, bend_speed, turning, bending))


def _wrapped(angle: torch.Tensor) -> torch.Tensor:
    """The same angle from -π to π; one that lies there stays bit for bit as it is."""
    turns = ((angle.abs() - math.pi) / (2 * math.pi)).ceil_().clamp_(min=0)
    return angle - torch.copysign(turns, angle) * (2 * math.pi)
