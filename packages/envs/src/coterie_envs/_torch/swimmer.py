"""A swimmer of seven links: a continuous task of locomotion that needs no simulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from .base import TorchEnv
from .chain import Chain
from .drawing import Capsule

LINKS = 7
HALF_LENGTH = 0.1  # m
MASS = 0.5  # kg, of a link
DRAG_ALONG = 0.3  # N·s/m, of a link
DRAG_ACROSS = 3.0  # N·s/m
DAMPING = 0.01  # N·m·s, in a joint
STIFFNESS = 1.0  # N·m/rad, of a joint's stop
STOP = 1.6  # rad
TORQUE = 0.4  # N·m, of the strongest motor
SECONDS = 0.04  # per step
PARTS = 2  # Runge-Kutta steps that make one
EFFORT = 0.01


class Swimmer(TorchEnv):
    """Swim to the right with seven links and six motors, in a plane, by pushing water aside.

    The motion is that of :mod:`coterie_envs._torch.chain`: links of 0.2 m and 0.5 kg, drag of 0.3
    N·s/m along and 3 N·s/m across each, joints damped by 0.01 N·m·s with elastic stops (1 N·m/rad)
    at ±1.6 rad, two Runge-Kutta steps of fourth order per 0.04 s.

    The state is the centre of mass, the links' angles from the tail to the head, and their
    velocities: 18 float64. The observation are 17 float32: cosine and sine of the head's angle to
    the x-axis, the six joints' angles, the velocity of the centre of mass along and across the
    head (m/s), the head's angular velocity and those of the joints (rad/s). The action are six
    torques from -1 to 1, clipped, in units of 0.4 N·m. The reward is the mean velocity of the
    centre of mass to the right during the step (m/s), less 0.01 times the mean square of the
    action. Episodes never end by themselves and are truncated after 250 steps, 10 s. They begin at
    rest, straight but for up to 0.1 rad per joint, with the head within 0.1 rad of the x-axis.

    Args:
        num_envs: Number of instances.
        settings: As in :class:`TorchEnv`.
    """

    id = "Swimmer-v0"
    state_size = 4 + 2 * LINKS
    draw_size = LINKS
    episode_steps = 250
    view = (-1.2, -1.0, 1.2, 1.0)

    def __init__(self, num_envs: int = 1, **settings: Any) -> None:
        super().__init__(num_envs, **settings)
        self.observation_space = spaces.Box(-np.inf, np.inf, (17,), np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, (LINKS - 1,), np.float32)
        self._chain = Chain(
            rods=LINKS,
            half=HALF_LENGTH,
            mass=MASS,
            along=DRAG_ALONG,
            across=DRAG_ACROSS,
            damping=DAMPING,
            stiffness=STIFFNESS,
            stop=STOP,
            device=self.device,
        )

    def initial(self, draws: torch.Tensor) -> torch.Tensor:
        """At rest at the origin; the head and the joints are uniform from -0.1 to 0.1 rad."""
        bends = (draws * 0.2 - 0.1).cumsum(0).flip(0)
        rest = torch.zeros_like(bends)
        return torch.cat((rest[:2], bends, rest[:2], rest))

    def dynamics(self, state: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Two Runge-Kutta steps of 0.02 s; ``actions`` float32 ``[N, 6]``."""
        torques = actions.double().clamp(-1.0, 1.0).t() * TORQUE
        rates, seconds = self._chain.rates, SECONDS / PARTS
        for _ in range(PARTS):
            first = rates(state, torques)
            second = rates(state + seconds / 2 * first, torques)
            third = rates(state + seconds / 2 * second, torques)
            fourth = rates(state + seconds * third, torques)
            state = state + seconds / 6 * (first + 2 * (second + third) + fourth)
        return state

    def reward(
        self,
        state: torch.Tensor,
        actions: torch.Tensor,
        next_state: torch.Tensor,
        terminated: torch.Tensor,
    ) -> torch.Tensor:
        """The way to the right per time, less the effort."""
        forces = actions.double().clamp(-1.0, 1.0).t()
        effort = forces[0].square()
        for force in forces[1:]:
            effort = effort + force.square()
        return (next_state[0] - state[0]) / SECONDS - EFFORT / (LINKS - 1) * effort

    def terminal(self, state: torch.Tensor) -> torch.Tensor:
        """Never."""
        return torch.zeros_like(state[0], dtype=torch.bool)

    def observe(self, state: torch.Tensor) -> torch.Tensor:
        """What the head feels, as float32 ``[N, 17]``."""
        angles, spins = state[2 : 2 + LINKS], state[4 + LINKS :]
        east, north = state[2 + LINKS], state[3 + LINKS]
        cosine, sine = angles[-1].cos(), angles[-1].sin()
        velocity = (east * cosine + north * sine, north * cosine - east * sine)
        head = torch.stack((cosine, sine, *velocity, spins[-1]))
        bends, rates = angles[1:] - angles[:-1], spins[1:] - spins[:-1]
        parts = torch.cat((head[:2], bends, head[2:], rates))
        return parts.t().to(torch.float32, memory_format=torch.contiguous_format)

    def shapes(self, state: torch.Tensor) -> list[Capsule]:
        """The links, the head in another colour, and lines on the ground every half metre."""
        shift = state[0] - torch.remainder(state[0], 0.5)
        lines = []
        for k in range(-3, 5):
            x = shift + 0.5 * k - state[0]
            lines.append(Capsule((x, -1.0), (x, 1.0), 0.006, (205, 222, 235)))
        angles = state[2 : 2 + LINKS]
        levers = self._chain.levers
        x, y = ((levers * part).sum(1) for part in (angles.cos(), angles.sin()))
        links = []
        for k in range(LINKS):
            along = (angles[k].cos() * HALF_LENGTH, angles[k].sin() * HALF_LENGTH)
            ends = (x[k] - along[0], y[k] - along[1]), (x[k] + along[0], y[k] + along[1])
            colour = (230, 120, 0) if k == LINKS - 1 else (0, 80 + 40 * (k % 2), 170)
            links.append(Capsule(*ends, 0.045, colour))
        return [*lines, *links]
