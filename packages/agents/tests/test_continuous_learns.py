"""Short learning: SAC, TD3 and DDPG find an action that follows the observation."""

import sys

import numpy as np
import pytest
from gymnasium import spaces

import coterie_agents


@pytest.mark.parametrize("made", ["SAC", "TD3", "DDPG"])
def test_learns_a_real_action(tools, monkeypatch, made):
    def closeness(observations, actions):
        return -(actions[:, 0] - 0.5 * observations[:, 0]).square()

    monkeypatch.setattr(sys.modules[tools.run.__module__], "reward", closeness)
    cfg = {
        "model": {"hidden_sizes": (16, 16)},
        "batch_size": 64,
        "learning_starts": 10,
        "random_timesteps": 20,
        "memory_size": 10_000,
        "actor_learning_rate": 3e-3,
        "critic_learning_rate": 1e-2,
        "discount_factor": 0.5,
        "gradient_steps": 2,
    }
    if made == "SAC":
        cfg = {**cfg, "temperature": 0.05, "automatic_temperature": False}
    agent = getattr(coterie_agents, made)(
        observation_space=tools.observations,
        action_space=spaces.Box(-2.0, 2.0, (1,), np.float32),
        cfg=cfg,
    )
    agent.setup(16)
    early = tools.run(agent, 20)
    late = tools.run(agent, 120, start=20, mean_over=20)
    assert early < -1.0
    assert late > -0.2
