"""What every agent must do, for DDPG, TD3 and SAC."""

import numpy as np
from gymnasium import spaces

import coterie_agents
from coterie.testing import AgentSuite

SMALL = {
    "model": {"hidden_sizes": (8, 8)},
    "batch_size": 8,
    "memory_size": 60,
    "learning_starts": 5,
    "random_timesteps": 7,
    "observation_normalization": True,
    "n_step": 2,
}


class Suite(AgentSuite):
    action_space = spaces.Box(-1.5, 0.5, (2,), np.float32)
    made = ""

    def settings(self):
        return SMALL

    def make_agent(self, **arguments):
        return getattr(coterie_agents, self.made)(**arguments, cfg=self.settings())


class TestSACInTheSuite(Suite):
    made = "SAC"


class TestDDPGInTheSuite(Suite):
    made = "DDPG"

    def settings(self):
        return {**SMALL, "noise": "ornstein_uhlenbeck"}


class TestTD3WithPrioritiesInTheSuite(Suite):
    made = "TD3"

    def settings(self):
        # An exponent below 1 is a schedule over the whole run, which its halves do not share.
        more = {"memory": "prioritized", "importance_exponent": 1.0, "policy_delay": 3}
        return {**SMALL, **more}
