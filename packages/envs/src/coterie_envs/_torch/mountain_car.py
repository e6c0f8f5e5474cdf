"""A car in a valley, as gymnasium's ``MountainCar-v0`` and ``MountainCarContinuous-v0``."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from coterie import ConfigError

from .base import TorchEnv
from .drawing import Capsule

LEFT, RIGHT = -1.2, 0.6
MAX_SPEED = 0.07
FORCE = 0.001
POWER = 0.0015
GRAVITY = 0.0025
GOAL = 0.5
CONTINUOUS_GOAL = 0.45


class _Valley(TorchEnv):
    """What both cars share: a track of height ``sin(3 x)``."""

    state_size = 2
    draw_size = 1
    goal: float
    view = (-1.25, -0.25, 0.65, 1.35)

    def __init__(self, num_envs: int = 1, *, goal_velocity: float = 0.0, **settings: Any) -> None:
        super().__init__(num_envs, **settings)
        if (
            isinstance(goal_velocity, bool)
            or not isinstance(goal_velocity, int | float)
            or not math.isfinite(goal_velocity)
        ):
            raise ConfigError(f"goal_velocity = {goal_velocity!r}: expected a finite number")
        self.goal_velocity = float(goal_velocity)
        low = np.array([LEFT, -MAX_SPEED], dtype=np.float32)
        high = np.array([RIGHT, MAX_SPEED], dtype=np.float32)
        self.observation_space = spaces.Box(low, high, dtype=np.float32)

    def initial(self, draws: torch.Tensor) -> torch.Tensor:
        """The position is uniform from -0.6 to -0.4, the velocity 0."""
        position = (draws[0] * 0.2 - 0.6).to(self.state_dtype)
        return torch.stack((position, torch.zeros_like(position)))

    def _moved(self, position: torch.Tensor, velocity: torch.Tensor) -> torch.Tensor:
        """Bound the velocity, move, and stop at the left end."""
        velocity = velocity.clamp(-MAX_SPEED, MAX_SPEED)
        position = (position + velocity).clamp_(LEFT, RIGHT)
        stopped = (position == LEFT) & (velocity < 0)
        return torch.stack((position, velocity.masked_fill(stopped, 0.0)))

    def terminal(self, state: torch.Tensor) -> torch.Tensor:
        """Whether the car is at the goal, or beyond, and fast enough."""
        return (state[0] >= self.goal) & (state[1] >= self.goal_velocity)

    def observe(self, state: torch.Tensor) -> torch.Tensor:
        """Position and velocity as float32 ``[N, 2]``."""
        return state.new_empty(state.shape[::-1], dtype=torch.float32).copy_(state.t())

    def shapes(self, state: torch.Tensor) -> list[Capsule]:
        """The track, the flag and the car."""
        knots = [LEFT + (RIGHT - LEFT) * k / 24 for k in range(25)]
        heights = [math.sin(3 * x) * 0.45 + 0.55 for x in knots]
        corners = list(zip(knots, heights, strict=True))
        track = [Capsule(one, two, 0.012, (90, 90, 90)) for one, two in pairwise(corners)]
        base = math.sin(3 * self.goal) * 0.45 + 0.55
        pole = Capsule((self.goal, base), (self.goal, base + 0.2), 0.01, (60, 60, 60))
        top = base + 0.18
        flag = Capsule((self.goal, top), (self.goal + 0.06, top), 0.025, (230, 180, 0))
        x, slope = state[0].double(), (3 * state[0].double()).cos() * 1.35
        scale = (1 + slope.square()).rsqrt()
        height = (3 * x).sin() * 0.45 + 0.55
        x, height = x - slope * scale * 0.05, height + scale * 0.05
        along = (scale * 0.05, slope * scale * 0.05)
        rear, front = (x - along[0], height - along[1]), (x + along[0], height + along[1])
        return [*track, pole, flag, Capsule(rear, front, 0.035, (40, 90, 200))]


class MountainCar(_Valley):
    """Drive a car out of a valley, with a motor too weak to climb without a run-up.

    State and observation are position and velocity (per step); the state is float64, the
    observation float32. Actions 0, 1 and 2 push to the left, not at all and to the right. An
    episode ends at position 0.5 with at least ``goal_velocity``, and is truncated after 200
    steps. Each step is worth -1.

    The task is that of A. W. Moore, "Efficient memory-based learning for robot control",
    University of Cambridge (1990), in the form of R. S. Sutton and A. G. Barto, "Reinforcement
    Learning: An Introduction", 2nd edition (2018), example 10.1, with gymnasium 1.x's numbers and
    order of terms.

    Args:
        num_envs: Number of instances.
        goal_velocity: The least velocity at which the goal counts.
        settings: As in :class:`TorchEnv`.

    Raises:
        ConfigError: ``goal_velocity`` is no finite number.
    """

    id = "MountainCar-v0"
    episode_steps = 200
    goal = GOAL

    def __init__(self, num_envs: int = 1, **settings: Any) -> None:
        super().__init__(num_envs, **settings)
        self.action_space = spaces.Discrete(3)

    def dynamics(self, state: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """One step; ``actions`` int64 ``[N]``, the push plus 1."""
        position, velocity = state.unbind(0)
        push = (actions - 1).double().mul_(FORCE)
        pull = (3 * position).cos_().mul_(-GRAVITY)
        return self._moved(position, push.add_(pull).add_(velocity))

    def reward(
        self,
        state: torch.Tensor,
        actions: torch.Tensor,
        next_state: torch.Tensor,
        terminated: torch.Tensor,
    ) -> torch.Tensor:
        """-1 per step."""
        return torch.full(terminated.shape, -1.0, device=terminated.device)


class MountainCarContinuous(_Valley):
    """Drive a car out of a valley, with a motor that can be driven as hard as one likes.

    State and observation are position and velocity (per step), both float32. The action is a
    push from -1 to 1, clipped. An episode ends at position 0.45 with at least ``goal_velocity``,
    and is truncated after 999 steps. A step costs 0.1 times the square of its action (not
    clipped); the one that ends the episode is worth 100 besides.

    Rounded as gymnasium 1.x rounds it, which computes in float32 but for the cosine and for the
    sum of a clipped push and gravity; only the first step of an episode is float64 there.

    Args:
        num_envs: Number of instances.
        goal_velocity: The least velocity at which the goal counts.
        settings: As in :class:`TorchEnv`.

    Raises:
        ConfigError: ``goal_velocity`` is no finite number.
    """

    id = "MountainCarContinuous-v0"
    state_dtype = torch.float32
    episode_steps = 999
    goal = CONTINUOUS_GOAL

    def __init__(self, num_envs: int = 1, **settings: Any) -> None:
        super().__init__(num_envs, **settings)
        self.action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)

    def dynamics(self, state: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """One step; ``actions`` float32 ``[N, 1]``."""
        position, velocity = state.unbind(0)
        wanted = actions[:, 0]
        force = wanted.clamp(-1.0, 1.0)
        pull = (3 * position).double().cos_().mul_(GRAVITY)
        single = force * POWER - pull.float()
        double = (force.double() * POWER - pull).float()
        return self._moved(position, velocity + torch.where(force == wanted, single, double))

    def reward(
        self,
        state: torch.Tensor,
        actions: torch.Tensor,
        next_state: torch.Tensor,
        terminated: torch.Tensor,
    ) -> torch.Tensor:
        """100 for the goal, less the cost of the push."""
        return terminated.double().mul_(100.0).sub_(actions[:, 0].double().square().mul_(0.1))
