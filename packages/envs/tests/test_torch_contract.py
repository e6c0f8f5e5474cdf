"""The other torch-native environments against core's suite."""

from __future__ import annotations

import coterie
from coterie.testing import EnvSuite


class TestTorchAcrobot(EnvSuite):
    env_id = "Acrobot-v1"
    timesteps = 20

    def make_env(self, num_envs, seed):
        return coterie.make_env(
            f"torch:{self.env_id}", num_envs=num_envs, seed=seed, max_episode_steps=6
        )


class TestTorchMountainCar(TestTorchAcrobot):
    env_id = "MountainCar-v0"


class TestTorchMountainCarContinuous(TestTorchAcrobot):
    env_id = "MountainCarContinuous-v0"


class TestTorchGridWorld(TestTorchAcrobot):
    env_id = "GridWorld-v0"


class TestTorchSwimmer(TestTorchAcrobot):
    env_id = "Swimmer-v0"
