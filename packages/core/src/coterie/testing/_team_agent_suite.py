"""What every team must do; inherit it to test yours."""

from __future__ import annotations

from typing import Any

import pytest

from .._agents.multi_agent import MultiAgent
from .._envs.interface import VectorEnv
from ._agent_suite import AgentSuite
from ._compare import differs
from ._team_envs import CountingTeamEnv


class TeamAgentSuite(AgentSuite):
    """Inherit this in a test class and implement :meth:`make_agent`.

    .. code-block:: python

        class TestMyTeam(TeamAgentSuite):
            def make_agent(self, **arguments):
                return MyTeam(**arguments, cfg={"rollouts": 8})

    All that :class:`AgentSuite` asks for holds here too. In the environment one of three actors
    ends before the others, and what it is given after that is far from anything true.
    """

    settings: dict[str, Any] = {}  # noqa: RUF012
    """Settings of :class:`CountingTeamEnv`: ``{"alike": True, "state": "shared"}``."""

    def env(self, num_envs: int = 4, **settings: Any) -> VectorEnv:
        """Make a multi-agent environment."""
        return CountingTeamEnv(num_envs, **{**self.settings, **settings})

    def test_it_is_a_team(self) -> None:
        """It is a :class:`~coterie.MultiAgent` with the environment's actors."""
        env = self.env()
        agent = self.agent(env)
        assert isinstance(agent, MultiAgent)
        assert agent.actors == env.interface.actors

    @pytest.mark.parametrize("garbage", [0.0, 50.0])
    def test_actors_that_are_gone_teach_nothing(self, garbage: float) -> None:
        """What stands in the rows of an actor that is gone changes nothing that is learned."""
        env = self.env(garbage=garbage)
        found = self.learned(self.train(self.agent(env), env).state_dict())
        assert not differs(self.learned(self.trained()), found)
