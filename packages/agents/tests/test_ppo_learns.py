"""Short learning: the reward of a tiny task rises to nearly all there is."""

import numpy as np
import pytest
from gymnasium import spaces


@pytest.mark.parametrize(("seed", "normalize"), [(0, True), (1, True), (0, False)])
def test_learns_which_action_agrees_with_the_observation(tools, seed, normalize):
    agent = tools.agent(
        seed=seed,
        num_envs=16,
        rollouts=16,
        learning_epochs=4,
        mini_batches=4,
        learning_rate=1e-2,
        observation_normalization=normalize,
        value_normalization=normalize,
    )
    early = tools.run(agent, 16)
    late = tools.run(agent, 16 * 19, start=16, mean_over=16)
    assert early < 0.65
    assert late > 0.9


def test_learns_a_real_action(tools, monkeypatch):
    import sys

    loop = sys.modules[tools.run.__module__]

    def closeness(observations, actions):
        return -(actions[:, 0] - 0.5 * observations[:, 0]).square()

    monkeypatch.setattr(loop, "reward", closeness)
    agent = tools.agent(
        action_space=spaces.Box(-2.0, 2.0, (1,), np.float32),
        num_envs=16,
        rollouts=32,
        learning_epochs=8,
        mini_batches=4,
        learning_rate=1e-2,
        model={"initial_log_std": -0.5},
    )
    early = tools.run(agent, 32)
    late = tools.run(agent, 32 * 15, start=32, mean_over=32)
    assert late > 0.25 * early
    assert late > -0.15
