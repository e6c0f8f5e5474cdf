"""A task of pixels alone: walk to the goal on a small grid, seen from above."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from coterie import Transition
from coterie_agents import DQN, PPO

IMAGE = spaces.Box(0, 255, (6, 6, 3), np.uint8)


class GridWorld:
    """Walk to the goal on 6 x 6 squares: channel 0 is the agent, 1 the goal, 2 is empty.

    The reward of a step is by how much it came nearer.
    """

    def __init__(self, num_envs, seed):
        self.num_envs = num_envs
        self.generator = torch.Generator().manual_seed(seed)
        self.agent = self._places(num_envs)
        self.goal = self._places(num_envs)
        self.age = torch.zeros(num_envs, dtype=torch.int64)

    def _places(self, count):
        return torch.randint(0, 6, (count, 2), generator=self.generator)

    def image(self):
        image = torch.zeros(self.num_envs, 6, 6, 3, dtype=torch.uint8)
        rows = torch.arange(self.num_envs)
        image[rows, self.agent[:, 0], self.agent[:, 1], 0] = 255
        image[rows, self.goal[:, 0], self.goal[:, 1], 1] = 255
        return image

    def step(self, actions):
        before = self._distance()
        moves = torch.tensor([[0, 1], [0, -1], [1, 0], [-1, 0]])
        self.agent = (self.agent + moves[actions]).clamp(0, 5)
        self.age += 1
        rewards = before - self._distance()
        found = (self.agent == self.goal).all(1)
        late = (self.age >= 20) & ~found
        final = self.image()
        ended = found | late
        fresh_agent, fresh_goal = self._places(self.num_envs), self._places(self.num_envs)
        self.agent = torch.where(ended[:, None], fresh_agent, self.agent)
        self.goal = torch.where(ended[:, None], fresh_goal, self.goal)
        self.age = torch.where(ended, 0, self.age)
        return rewards, found, late, final

    def _distance(self):
        return (self.agent - self.goal).abs().sum(1).float()


def found_in_time(agent, env, steps, start=0, total=1, learn=True):
    """Walk; return which share of the episodes that ended found the goal, and their number."""
    found, ended = 0, 0
    for timestep in range(start, start + steps):
        at = {"timestep": timestep, "timesteps": total}
        seen = env.image()
        actions = agent.act(seen, **at, deterministic=not learn)
        rewards, terminated, truncated, final = env.step(actions)
        found += int(terminated.sum())
        ended += int((terminated | truncated).sum())
        if learn:
            valid = torch.ones(env.num_envs, dtype=torch.bool)
            agent.record_transition(
                Transition(
                    observations=seen,
                    actions=actions,
                    rewards=rewards,
                    next_observations=final,
                    terminated=terminated,
                    truncated=truncated,
                    valid=valid,
                ),
                **at,
            )
            agent.post_interaction(**at)
    return found / max(1, ended)


LOOKING = {"hidden_sizes": (), "cnn": {"channels": (8,), "kernels": (3,), "features": 64}}
LEARNERS = {
    "ppo": (
        PPO,
        {
            "rollouts": 32,
            "learning_epochs": 4,
            "mini_batches": 4,
            "learning_rate": 3e-3,
            "discount_factor": 0.3,
            "entropy_loss_scale": 0.02,
            "model": LOOKING,
        },
        32 * 26,
    ),
    "dqn": (
        DQN,
        {
            "memory_size": 10_000,
            "batch_size": 128,
            "learning_starts": 20,
            "discount_factor": 0.3,
            "learning_rate": 2e-3,
            "target_update_interval": 50,
            "exploration_timesteps": 200,
            "final_epsilon": 0.2,
            "model": LOOKING,
        },
        650,
    ),
}


@pytest.mark.parametrize("kind", LEARNERS)
def test_finds_the_goal_by_looking(kind):
    cls, cfg, steps = LEARNERS[kind]
    actions = spaces.Discrete(4)
    agent = cls(observation_space=IMAGE, action_space=actions, seed=0, cfg=cfg)
    agent.setup(16)
    env = GridWorld(16, seed=1)
    assert found_in_time(agent, GridWorld(16, seed=9), 60, learn=False) < 0.5
    found_in_time(agent, env, steps, total=steps)
    assert found_in_time(agent, GridWorld(16, seed=9), 200, learn=False) > 0.95
