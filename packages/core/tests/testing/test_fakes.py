"""The fakes keep the promises that they are there to test."""

from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from coterie.testing import AgentSuite, CountingEnv, EnvSuite, GlobalDrawAgent, SpaceEnv, SumAgent


class TestCountingSameStep(EnvSuite):
    def make_env(self, num_envs, seed):
        return CountingEnv(num_envs, seed=seed)


class TestCountingNextStep(EnvSuite):
    def make_env(self, num_envs, seed):
        return CountingEnv(num_envs, seed=seed, autoreset_mode=AutoresetMode.NEXT_STEP)


class TestCountingDisabled(EnvSuite):
    def make_env(self, num_envs, seed):
        return CountingEnv(num_envs, seed=seed, autoreset_mode=AutoresetMode.DISABLED)


class TestCountingReused(EnvSuite):
    def make_env(self, num_envs, seed):
        return CountingEnv(num_envs, seed=seed, reuses_buffers=True)


class TestSpace(EnvSuite):
    timesteps = 30

    def make_env(self, num_envs, seed):
        space = spaces.Dict({"a": spaces.Box(-1, 1, (2,)), "b": spaces.Discrete(50)})
        return SpaceEnv(num_envs, space, seed=seed)


class TestSumAgent(AgentSuite):
    def make_agent(self, **arguments):
        return SumAgent(**arguments)


class TestGlobalDrawAgent(AgentSuite):
    def make_agent(self, **arguments):
        return GlobalDrawAgent(**arguments)
