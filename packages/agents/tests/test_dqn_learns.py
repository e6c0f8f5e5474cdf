"""Short learning: the best action of a tiny task is found nearly everywhere."""

import pytest

from coterie_agents import DQN

VARIANTS = {
    "double": {},
    "plain": {"double": False, "loss": "mse"},
    "everything": {
        "dueling": True,
        "n_step": 2,
        "memory": "prioritized",
        "target_update_rate": 0.05,
        "target_update_interval": 1,
        "observation_normalization": True,
    },
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("seed", [0, 1])
def test_learns_which_action_agrees_with_the_observation(tools, variant, seed):
    agent = DQN(
        observation_space=tools.observations,
        action_space=tools.binary,
        seed=seed,
        cfg={
            "learning_starts": 20,
            "batch_size": 64,
            "memory_size": 4000,
            "learning_rate": 1e-2,
            "discount_factor": 0.5,
            "target_update_interval": 20,
            "exploration_timesteps": 100,
            "final_epsilon": 0.0,
            "model": {"hidden_sizes": (16,)},
            **VARIANTS[variant],
        },
    )
    agent.setup(16)
    early = tools.run(agent, 20)
    late = tools.run(agent, 200, start=20, mean_over=50)
    assert early < 0.7
    assert late > 0.93
