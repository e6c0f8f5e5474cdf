"""A task that needs memory: recall a cue that was shown at the start of the episode."""

import pytest
import torch
from gymnasium import spaces

from coterie import SequentialTrainer, VectorEnv
from coterie_agents import PPO, PPORNN

LENGTH = 6


class RecallEnv(VectorEnv):
    """Shows +1 or -1 once, then 0; the last action is worth 1 if it names the cue, else 0.

    The observations of the last step are the same for both cues, so who sees only these gets a
    mean return of 0.5, whatever it does.
    """

    name = "test:Recall"
    reuses_buffers = False

    def __init__(self, num_envs, seed=0):
        self.num_envs, self.device = num_envs, torch.device("cpu")
        self.observation_space = spaces.Box(-1.0, 1.0, (2,))
        self.action_space = spaces.Discrete(2)
        self.generator = torch.Generator().manual_seed(seed)
        self.count, self.cue = 0, torch.zeros(num_envs)
        self.returns = []

    def observe(self):
        shown = self.cue if self.count == 0 else torch.zeros(self.num_envs)
        last = torch.full((self.num_envs,), float(self.count == LENGTH - 1))
        return torch.stack([shown, last], 1)

    def reset(self, *, seed=None, options=None):
        self.count = 0
        drawn = torch.rand(self.num_envs, generator=self.generator)
        self.cue = (drawn > 0.5).float() * 2 - 1
        return self.observe(), {}

    def step(self, actions):
        self.count += 1
        over = torch.full((self.num_envs,), self.count == LENGTH)
        named = (actions == (self.cue > 0).long()).float()
        rewards = torch.where(over, named, 0.0)
        observations = self.observe()
        infos = {}
        if self.count == LENGTH:
            self.returns.append(float(rewards.mean()))
            infos["final_obs"] = observations
            observations, _ = self.reset()
        return observations, rewards, over, torch.zeros_like(over), infos


def train(kind, timesteps, **settings):
    env = RecallEnv(32)
    agent = kind(
        observation_space=env.observation_space,
        action_space=env.action_space,
        cfg={
            "rollouts": 12,
            "learning_epochs": 4,
            "mini_batches": 2,
            "learning_rate": 1e-2,
            "discount_factor": 1.0,
            **settings,
        },
    )
    cfg = {"timesteps": timesteps, "disable_progressbar": True}
    SequentialTrainer(env=env, agents=[agent], cfg=cfg).train()
    return sum(env.returns[-10:]) / 10


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_recurrent_policies_recall_the_cue(cell):
    model = {"cell": cell, "hidden_size": 16, "sizes_before": (16,)}
    assert train(PPORNN, 420, sequence_length=6, model=model) > 0.95


def test_policies_without_memory_stay_at_chance():
    assert train(PPO, 420, model={"hidden_sizes": (16,)}) < 0.65
