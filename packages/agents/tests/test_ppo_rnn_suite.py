"""What every agent must do, for recurrent PPO."""

import numpy as np
from gymnasium import spaces

from coterie.testing import AgentSuite
from coterie_agents import PPORNN

SMALL = {
    "rollouts": 6,
    "sequence_length": 3,
    "learning_epochs": 2,
    "mini_batches": 2,
    "observation_normalization": True,
    "model": {"hidden_size": 5, "sizes_before": (6,)},
}


class Suite(AgentSuite):
    timesteps = 51

    def settings(self):
        return SMALL

    def make_agent(self, **arguments):
        return PPORNN(**arguments, cfg=self.settings())

    def learned(self, state):
        return {name: state[name] for name in ("networks", "optimizer", "scalers")}


class TestGRUInTheSuite(Suite):
    pass


class TestLSTMInTheSuite(Suite):
    action_space = spaces.Box(-1.5, 0.5, (2,), np.float32)

    def settings(self):
        model = {"cell": "lstm", "layers": 2, "hidden_size": 4, "sizes_before": (5,)}
        return {**SMALL, "sequence_length": None, "model": {**model, "sizes_after": (3,)}}
