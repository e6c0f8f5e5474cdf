"""The contract of teams: actors, states, and what is refused."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from coterie import ConfigError, SequentialTrainer, WorkerError, make_agent
from coterie.testing import (
    CountingEnv,
    CountingTeamEnv,
    LeanSumTeam,
    SumAgent,
    SumTeam,
    TeamAgentSuite,
    agents_for,
)

BOX, PAIR = spaces.Box(-1, 1, (2,), np.float32), spaces.Discrete(2)


class TestSumTeam(TeamAgentSuite):
    def make_agent(self, **arguments):
        return SumTeam(**arguments)


class TestLeanSumTeamWithStates(TeamAgentSuite):
    def env(self, num_envs=4, **settings):
        return CountingTeamEnv(num_envs, state="own", **settings)

    def make_agent(self, **arguments):
        return LeanSumTeam(**arguments)


def test_actors_keep_the_order_of_the_space():
    space = spaces.Dict([("b", BOX), ("a", BOX)])
    other = spaces.Dict([("a", PAIR), ("b", PAIR)])
    assert SumTeam(observation_space=space, action_space=other).actors == ("b", "a")


@pytest.mark.parametrize(
    ("observation_space", "action_space", "message"),
    [
        (BOX, spaces.Dict({"a": PAIR}), "observation_space must be a gymnasium.spaces.Dict"),
        (spaces.Dict({"a": BOX}), PAIR, "action_space must be a gymnasium.spaces.Dict"),
        (spaces.Dict({}), spaces.Dict({}), "needs spaces by actor"),
        (spaces.Dict({"a": BOX}), spaces.Dict({"b": PAIR}), "they must be the same"),
    ],
)
def test_spaces_must_be_by_actor(observation_space, action_space, message):
    with pytest.raises(ConfigError, match=message):
        SumTeam(observation_space=observation_space, action_space=action_space)


def test_states_are_shared_or_own():
    tensors = {"left": torch.zeros(1), "right": torch.ones(1), "scout": torch.ones(1)}
    (own,) = agents_for(CountingTeamEnv(1, state="own"), SumTeam)
    assert own.has_own_states
    assert own.state_space_of("right").shape == (4,)
    assert own.state_of("right", tensors) is tensors["right"]
    assert own.state_of("right", None) is None
    (shared,) = agents_for(CountingTeamEnv(1, state="shared"), SumTeam)
    assert not shared.has_own_states
    assert shared.state_space_of("right").shape == (3,)
    assert shared.state_of("right", tensors["left"]) is tensors["left"]
    (without,) = agents_for(CountingTeamEnv(1), SumTeam)
    assert without.state_space_of("left") is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda acted: {"left": acted["left"]}, r"actions\.right: .*\(2, 2\), but it is missing"),
        (lambda acted: acted["left"], r"actions\.left: .*missing"),
        (lambda acted: {**acted, "scout": acted["scout"][:1]}, r"actions\.scout: .*got \(1,\)"),
        (lambda acted: {**acted, "left": acted["left"].int()}, r"actions\.left: .*int32"),
    ],
)
def test_wrong_actions_are_named_by_actor(change, message):
    class Wrong(SumTeam):
        def act(self, *arguments, **more):
            return change(super().act(*arguments, **more))

    env = CountingTeamEnv(2)
    with pytest.raises(WorkerError, match=message):
        SequentialTrainer(env=env, agents=agents_for(env, Wrong), cfg={"timesteps": 2}).train()


def test_making_an_agent_for_one_in_a_multi_agent_environment(made_envs):
    with pytest.raises(ConfigError, match=r"'sum' is an agent for one.*coterie\.MultiAgent"):
        make_agent("sum", env=CountingTeamEnv(1))
    assert make_agent("sum", env=CountingEnv(1)).kind == "sum"


def test_all_problems_at_once():
    env = CountingTeamEnv(4)
    other = CountingTeamEnv(4, actors=("left", "right"))
    wrong = [*agents_for(CountingEnv(1), SumAgent), *agents_for(other, SumTeam)]
    with pytest.raises(ConfigError) as caught:
        SequentialTrainer(env=env, agents=wrong)
    text = str(caught.value)
    assert "agents[0] (sum): 'sum' is an agent for one" in text
    assert "agents[1] (sum-team): observation_space: the agent was made for" in text
