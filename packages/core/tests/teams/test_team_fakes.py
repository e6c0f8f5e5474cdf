"""The multi-agent environment for tests is one, in all three autoreset modes."""

from gymnasium.vector import AutoresetMode

from coterie.testing import CountingTeamEnv, TeamEnvSuite


class TestSameStep(TeamEnvSuite):
    def settings(self):
        return {}

    def make_env(self, num_envs, seed):
        return CountingTeamEnv(num_envs, seed=seed, **self.settings())


class TestNextStep(TestSameStep):
    def settings(self):
        return {"autoreset_mode": AutoresetMode.NEXT_STEP, "state": "own"}


class TestDisabled(TestSameStep):
    def settings(self):
        return {"autoreset_mode": AutoresetMode.DISABLED, "state": "shared"}


class TestReusedBuffers(TestSameStep):
    def settings(self):
        return {"reuses_buffers": True}


class TestTogether(TestSameStep):
    def settings(self):
        return {"together": True, "alike": True}
