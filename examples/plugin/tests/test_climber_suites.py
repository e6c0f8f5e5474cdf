"""Coterie's own suites for trainers, agents and environments."""

import pytest
import torch
from coterie_example_climber import Climber, PointEnv, TimedTrainer
from gymnasium import spaces

from coterie import ConfigError
from coterie.testing import AgentSuite, EnvSuite, TrainerSuite


class TestTimedTrainer(TrainerSuite):
    def make_trainer(self, **arguments):
        return TimedTrainer(**arguments)


class TestClimber(AgentSuite):
    def make_agent(self, **arguments):
        return Climber(**arguments, cfg={"candidates": 2})


class TestContinuousClimber(TestClimber):
    action_space = spaces.Box(-2.0, 0.5, (2,))


class TestPointEnv(EnvSuite):
    def make_env(self, num_envs, seed):
        return PointEnv(num_envs, seed=seed)


def test_the_search_moves_to_the_mean_and_spread_of_the_elite():
    agent = Climber(
        observation_space=spaces.Box(-1, 1, (1,)),
        action_space=spaces.Discrete(2),
        cfg={"candidates": 4, "elite_fraction": 0.5, "lowest_spread": 0.1},
    )
    agent._tried = [torch.full((2, 2), weight) for weight in (1.0, 2.0, 3.0, 4.0)]
    agent._scores = [0.0, 10.0, -5.0, 20.0]
    agent.post_interaction(timestep=0, timesteps=1)
    # The elite are 4 (score 20) and 2 (score 10): mean 3, standard deviation 1.
    assert torch.equal(agent.mean, torch.full((2, 2), 3.0))
    assert torch.equal(agent.spread, torch.ones(2, 2))
    assert agent.metrics() == {"score/mean": 6.25, "score/best": 20.0, "spread": 1.0}
    agent._tried = [torch.full((2, 2), 5.0)] * 4
    agent._scores = [1.0] * 4
    agent.post_interaction(timestep=1, timesteps=2)
    assert torch.equal(agent.spread, torch.full((2, 2), 0.1))


@pytest.mark.parametrize(
    ("observation", "action"),
    [
        (spaces.Discrete(3), spaces.Discrete(2)),
        (spaces.Box(-1, 1, (2,)), spaces.MultiBinary(2)),
        (spaces.Box(-1, 1, (2,)), spaces.Box(-float("inf"), 1, (2,))),
    ],
)
def test_other_spaces_are_refused(observation, action):
    with pytest.raises(ConfigError, match="a climber"):
        Climber(observation_space=observation, action_space=action)


def test_continuous_actions_span_their_box():
    space = spaces.Box(torch.tensor([-2.0, 0.0]).numpy(), torch.tensor([0.5, 3.0]).numpy())
    agent = Climber(observation_space=spaces.Box(-1, 1, (1,)), action_space=space)
    agent.setup(3)
    outputs = torch.tensor([[-50.0, -50.0], [0.0, 0.0], [50.0, 50.0]])
    expected = torch.tensor([[-2.0, 0.0], [-0.75, 1.5], [0.5, 3.0]])
    assert torch.allclose(agent._actions(outputs), expected)
