"""skrl's agents behind the contract: all that is asked of any agent."""

from types import SimpleNamespace

import pytest
from skrl.utils import set_seed

from coterie.testing import AgentSuite, TeamAgentSuite
from coterie_skrl import adapt


class TestPPO(AgentSuite):
    """skrl's PPO behind the contract is an agent like any other."""

    kind = "ppo"
    timesteps = 30

    @pytest.fixture(autouse=True)
    def _zoo(self, zoo, tmp_path):
        type(self).zoo, type(self).folder = staticmethod(lambda: zoo), tmp_path

    def make_agent(self, *, seed, **spaces):
        set_seed(seed)
        env = SimpleNamespace(device="cpu", **spaces)
        agent = self.zoo().make_agent(self.kind, env, 4, self.folder, write=0, checkpoint=0)
        return adapt(agent, seed=seed)

    def test_nothing_global_changes(self):
        """Making an agent of skrl seeds the process; that training does not is tested elsewhere."""


class TestDQN(TestPPO):
    kind = "dqn"


class TestTeam(TeamAgentSuite):
    timesteps = 30
    settings = {"alike": True, "state": "shared"}  # noqa: RUF012

    @pytest.fixture(autouse=True)
    def _zoo(self, zoo, tmp_path):
        type(self).zoo, type(self).folder = staticmethod(lambda: zoo), tmp_path

    def make_agent(self, *, seed, **spaces):
        set_seed(seed)
        team = self.zoo().make_team_of(spaces, 4, self.folder)
        return adapt(team, seed=seed)

    def test_nothing_global_changes(self):
        """Making an agent of skrl seeds the process; that training does not is tested elsewhere."""

    def learned(self, state):
        """Networks, optimisers and preprocessors; memories hold rows that are not used."""
        return {"modules": state["agent"]["checkpoint_modules"]}
