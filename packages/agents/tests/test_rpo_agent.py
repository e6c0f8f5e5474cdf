"""RPO: PPO whose means are disturbed when it learns."""

import numpy as np
import pytest
import torch
from attrs import evolve
from gymnasium import spaces
from torch import distributions

from coterie import ConfigError
from coterie.testing import AgentSuite, assert_same_state, differs
from coterie_agents import PPO, RPO, RPOCfg, RPOLearner
from coterie_agents._ppo.gradients import descend
from coterie_agents._ppo.rollout import Samples

BOX = spaces.Box(-1.0, 1.0, (2,), np.float32)
SMALL = {"rollouts": 8, "learning_epochs": 2, "mini_batches": 2, "model": {"hidden_sizes": (8, 8)}}


def make(tools, kind=RPO, *, seed=0, **settings):
    agent = kind(
        observation_space=tools.observations,
        action_space=BOX,
        seed=seed,
        cfg={**SMALL, **settings},
    )
    agent.setup(4)
    return agent


COLUMNS = (
    "policy_inputs",
    "value_inputs",
    "actions",
    "log_prob",
    "advantages",
    "returns",
    "values",
)


class TestRPOInTheSuite(AgentSuite):
    action_space = BOX

    def make_agent(self, **arguments):
        return RPO(**arguments, cfg={**SMALL, "rollouts": 7})


@pytest.mark.parametrize("space", [spaces.Discrete(2), spaces.MultiDiscrete([2, 3])])
def test_other_actions_are_refused(tools, space):
    with pytest.raises(ConfigError, match=r"needs a Box action space[\s\S]*take PPO"):
        RPO(observation_space=tools.observations, action_space=space)
    with pytest.raises(ConfigError, match="alpha"):
        RPO(observation_space=tools.observations, action_space=BOX, cfg={"alpha": -0.1})


def test_without_noise_it_is_ppo_bit_for_bit(tools):
    mine, theirs, disturbed = make(tools, alpha=0.0), make(tools, PPO), make(tools)
    for agent in (mine, theirs, disturbed):
        tools.run(agent, 24)
    state, other = mine.state_dict(), theirs.state_dict()
    assert state["settings"].pop("alpha") == 0.0
    assert_same_state(state, other)
    assert differs(disturbed.state_dict()["networks"], other["networks"])


def test_it_acts_like_ppo_until_it_learns(tools):
    acted = [
        agent.act(tools.observe(tools.observations, 4, 0))
        for agent in (make(tools), make(tools, PPO))
    ]
    assert torch.equal(*acted)


def learner(alphas):
    return RPOLearner(
        observation_space=spaces.Box(-1.0, 1.0, (3,), np.float32),
        action_space=BOX,
        cfgs=[RPOCfg(alpha=alpha, mini_batches=2) for alpha in alphas],
        generators=[torch.Generator().manual_seed(i) for i in range(len(alphas))],
        seeds=list(range(len(alphas))),
        dtype=torch.float64,
    )


def samples(population, rows):
    generator = torch.Generator().manual_seed(9)

    def draw(*shape):
        return torch.randn(population, rows, *shape, generator=generator, dtype=torch.float64)

    inputs = draw(3)
    return Samples(
        policy_inputs=inputs,
        value_inputs=inputs,
        actions=torch.zeros(population, rows, 2, dtype=torch.float64),
        log_prob=0.2 * draw() - 2,
        advantages=draw(),
        returns=draw(),
        values=draw(),
        weights=None,
    )


def test_noise_is_uniform_of_each_members_width_and_fresh_in_each_epoch():
    made = learner([0.5, 2.0, 0.0])
    whole = samples(3, 4000)
    epochs = [torch.cat([b.actions for b in made.batches(whole)], dim=1) for _ in range(2)]
    for found in epochs:
        for noise, alpha in zip(found, (0.5, 2.0, 0.0), strict=True):
            assert float(noise.abs().max()) <= alpha
            if alpha:
                # A uniform variable has the variance alpha**2 / 3 and no fourth of it beyond 3/4.
                assert float(noise.var()) == pytest.approx(alpha**2 / 3, rel=0.05)
                assert float((noise.abs() > 0.75 * alpha).double().mean()) == pytest.approx(
                    0.25, abs=0.02
                )
                assert abs(float((noise[:, 0] * noise[:, 1]).mean())) < 0.05 * alpha**2
    assert not torch.equal(epochs[0][0], epochs[1][0])
    assert torch.equal(whole.actions, torch.zeros_like(whole.actions))


def test_noise_is_each_members_own():
    whole = samples(3, 50)
    together = list(learner([0.5, 0.0, 1.0]).batches(whole))
    for member, alpha in enumerate((0.5, 0.0, 1.0)):
        alone = learner([*[0.0] * member, alpha])
        rows = {name: getattr(whole, name)[: member + 1] for name in COLUMNS}
        one = evolve(whole, **rows)
        for mine, own in zip(together, alone.batches(one), strict=True):
            assert torch.equal(mine.actions[member], own.actions[member])
            assert torch.equal(mine.returns[member], own.returns[member])


def test_loss_and_gradient_are_those_with_noise_on_the_means():
    made, twin = learner([0.7]), learner([0.7])
    whole = samples(1, 9)
    cut = next(iter(made.batches(whole)))
    noise = -cut.actions  # the actions are 0
    losses, gradient = descend(made, cut)
    log_std = twin.networks.log_std.detach().clone().requires_grad_()
    means = twin.networks.policy(cut.policy_inputs)
    log_prob = distributions.Normal(means + noise, log_std.exp()).log_prob(torch.zeros(1)).sum(-1)
    ratio = (log_prob - cut.log_prob).exp()
    surrogate = torch.min(ratio * cut.advantages, ratio.clamp(0.8, 1.2) * cut.advantages)
    loss = -surrogate.mean()
    parameters = [*twin.networks.policy.parameters(), log_std]
    wanted = [g.reshape(-1) for g in torch.autograd.grad(loss, parameters)]
    torch.testing.assert_close(losses.policy[0], loss.detach(), rtol=1e-12, atol=1e-12)
    count = sum(part.numel() for part in wanted[:-1])
    torch.testing.assert_close(gradient[0, :count], torch.cat(wanted[:-1]), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(gradient[0, -2:], wanted[-1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("cut_at", [3, 11])
def test_resumed_from_a_file_equals_uninterrupted(tools, tmp_path, cut_at):
    whole, first, second = (make(tools) for _ in range(3))
    tools.run(whole, 26)
    tools.run(first, cut_at)
    first.save(tmp_path / "agent.safetensors")
    second.load(tmp_path / "agent.safetensors")
    tools.run(second, 26 - cut_at, start=cut_at)
    tools.assert_equal_states(whole.state_dict(), second.state_dict())


def test_alpha_changes_while_it_lives(tools):
    agent = make(tools)
    agent.reconfigure({"alpha": 0.25})
    assert agent.learner.alpha.tolist() == [0.25]
    assert agent.state_dict()["settings"]["alpha"] == 0.25


def test_learns_a_real_action(tools, monkeypatch):
    import sys

    def closeness(observations, actions):
        return -(actions[:, 0] - 0.5 * observations[:, 0]).square()

    monkeypatch.setattr(sys.modules[tools.run.__module__], "reward", closeness)
    agent = RPO(
        observation_space=tools.observations,
        action_space=spaces.Box(-2.0, 2.0, (1,), np.float32),
        seed=0,
        cfg={
            "rollouts": 32,
            "learning_epochs": 8,
            "mini_batches": 4,
            "learning_rate": 1e-2,
            "alpha": 0.2,
            "model": {"hidden_sizes": (8, 8), "initial_log_std": -0.5},
        },
    )
    agent.setup(16)
    early = tools.run(agent, 32)
    late = tools.run(agent, 32 * 15, start=32, mean_over=32)
    assert late > 0.4 * early
    assert late > -0.25
