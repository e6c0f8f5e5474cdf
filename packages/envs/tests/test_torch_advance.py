"""The step as a pure function, alone and in a compiled chunk of steps."""

from __future__ import annotations

import pytest
import torch

from coterie_envs import CartPole, GridWorld, MountainCarContinuous, Outcome, Simulation, Swimmer


def some_actions(env, steps):
    generator = torch.Generator().manual_seed(0)
    if env.action_space.shape == ():
        return torch.randint(int(env.action_space.n), (steps, env.num_envs), generator=generator)
    return torch.rand(steps, env.num_envs, *env.action_space.shape, generator=generator) * 2 - 1


@pytest.mark.parametrize("kind", [CartPole, GridWorld, MountainCarContinuous, Swimmer])
def test_it_does_what_step_does_and_changes_nothing(kind):
    env = kind(6, seed=1, max_episode_steps=7)
    env.reset()
    simulation = env.simulation
    for action in some_actions(env, 20):
        kept = [part.clone() for part in simulation]
        after, outcome = env.advance(simulation, action)
        assert all(torch.equal(*pair) for pair in zip(kept, simulation, strict=True))
        stepped = env.step(action)
        for ours, theirs in zip(outcome, (*stepped[:4], stepped[4]["final_obs"]), strict=True):
            assert torch.equal(ours, theirs)
        simulation = after
        assert all(torch.equal(*pair) for pair in zip(simulation, env.simulation, strict=True))


def test_a_chunk_of_steps_is_one_graph():
    """A policy and four steps, captured without a break; the result is brought back."""
    env = CartPole(5, seed=2, max_episode_steps=3)
    env.reset()

    def chunk(
        simulation: Simulation, observations: torch.Tensor
    ) -> tuple[Simulation, list[Outcome]]:
        outcomes = []
        for _ in range(4):
            actions = (observations[:, 2] + observations[:, 3] > 0).long()
            simulation, outcome = env.advance(simulation, actions)
            observations = outcome.observations
            outcomes.append(outcome)
        return simulation, outcomes

    start = env.simulation
    expected, steps = chunk(start, env.observe(start.state))
    compiled = torch.compile(chunk, backend="aot_eager", fullgraph=True)
    found, same_steps = compiled(start, env.observe(start.state))
    for one, two in zip((*expected, *steps[-1]), (*found, *same_steps[-1]), strict=True):
        torch.testing.assert_close(one, two)
    assert steps[2].truncated.all()
    env.load_state_dict(found._asdict())
    other = CartPole(5, seed=2, max_episode_steps=3)
    other.load_state_dict(expected._asdict())
    action = torch.tensor([0, 1, 0, 1, 0])
    torch.testing.assert_close(env.step(action)[0], other.step(action)[0])
