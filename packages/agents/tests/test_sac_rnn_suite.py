"""What every agent must do, for recurrent SAC."""

import numpy as np
from gymnasium import spaces

from coterie.testing import AgentSuite
from coterie_agents import SACRNN

SMALL = {
    "model": {"hidden_size": 5, "sizes_before": (4,), "sizes_after": (6,)},
    "batch_size": 3,
    "sequence_length": 3,
    "burn_in": 2,
    "memory_size": 60,
    "learning_starts": 10,
    "random_timesteps": 7,
    "observation_normalization": True,
}


class Suite(AgentSuite):
    timesteps = 30
    action_space = spaces.Box(-1.5, 0.5, (2,), np.float32)

    def settings(self):
        return SMALL

    def make_agent(self, **arguments):
        return SACRNN(**arguments, cfg=self.settings())


class TestGRUInTheSuite(Suite):
    pass


class TestLSTMInTheSuite(Suite):
    def settings(self):
        model = {"cell": "lstm", "layers": 2, "hidden_size": 4, "sizes_before": ()}
        return {**SMALL, "burn_in": 0, "model": {**SMALL["model"], **model}}
