"""Short learning of a task that takes two, of whom one leaves early."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

TWO = ("guide", "walker")
PLACES = {
    "observation_space": spaces.Dict([(a, spaces.Box(-2.0, 2.0, (3,), np.float32)) for a in TWO]),
    "action_space": spaces.Dict([(a, spaces.Discrete(2)) for a in TWO]),
}


def together(observations, actions, timestep):
    """All get 1 if each takes its own side of its own observation, and 0 otherwise.

    The walker's right side is the guide's wrong one, so that they have to tell themselves apart.
    An actor that is gone is not waited for.
    """
    sides = {a: (observations[a][:, 0] > 0).long() for a in TWO}
    gone = observations["walker"][:, 0] < -500
    right = actions["guide"] == sides["guide"]
    right &= gone | (actions["walker"] != sides["walker"])
    return dict.fromkeys(TWO, right.float())


@pytest.mark.parametrize("sharing", ["shared", "separate"])
def test_a_team_learns_what_takes_all_of_them(script, kind, sharing):
    team = script.team(
        kind,
        PLACES,
        num_envs=16,
        sharing=sharing,
        rollouts=16,
        learning_epochs=4,
        mini_batches=4,
        learning_rate=1e-2,
        gae_lambda=0.5,
        discount_factor=0.5,
        model={"hidden_sizes": (16, 16)},
    )
    play = script(filler=-1000.0, reward=together)
    early = play.run(team, 16)
    late = play.run(team, 16 * 19, start=16, mean_over=16)
    assert early < 0.6
    assert late > 0.9
    assert all(torch.isfinite(p).all() for g in team.learner.groups for p in g.networks.parameters)
