"""The code with a population axis against a plain implementation for one agent."""

import numpy as np
import pytest
import torch
from attrs import evolve
from gymnasium import spaces
from torch import distributions, nn

from coterie import Transition
from coterie._spaces import sample_actions
from coterie_agents import PPOCfg, PPOLearner
from coterie_agents._models.mlp import StackedMLP
from coterie_agents._ppo.gradients import by_autograd, by_hand, descend
from coterie_agents._ppo.rollout import Samples, mini_batches, part_sizes

BOX = spaces.Box(-1.0, 1.0, (3,), np.float32)
ACTIONS = {"discrete": spaces.Discrete(4), "box": spaces.Box(-1.0, 1.0, (2,), np.float32)}
MORE_ACTIONS = {
    **ACTIONS,
    "choices": spaces.MultiDiscrete([2, 3]),
    "bits": spaces.MultiBinary(3),
}
MEMBERS = [
    {"ratio_clip": 0.2, "entropy_loss_scale": 0.01, "value_clip": 0.3, "learning_rate": 1e-3},
    {"ratio_clip": 0.1, "entropy_loss_scale": 0.0, "value_clip": 0.0, "discount_factor": 0.9},
    {"value_loss_scale": 1.0, "gae_lambda": 0.8, "grad_norm_clip": 0.0, "learning_rate": 3e-3},
]


def make_cfg(index, **settings):
    fixed = {
        "rollouts": 6,
        "learning_epochs": 2,
        "mini_batches": 3,
        "model": {"hidden_sizes": (5,)},
    }
    from coterie import structure

    return structure(PPOCfg, {**fixed, **MEMBERS[index], **settings})


def make_learner(members, action_space, **settings):
    return PPOLearner(
        observation_space=BOX,
        action_space=action_space,
        cfgs=[make_cfg(i, **settings) for i in members],
        generators=[torch.Generator().manual_seed(i) for i in members],
        seeds=list(members),
        dtype=torch.float64,
    )


def random_batch(learner, rows=7):
    generator = torch.Generator().manual_seed(9)
    head, population = learner.networks.head, learner.population

    def draw(*shape):
        return torch.randn(population, rows, *shape, generator=generator, dtype=torch.float64)

    inputs = draw(3)
    with torch.no_grad():
        noise = head.noise((population, rows), generator).double()
        actions = learner.networks.sample(inputs, noise)
        log_prob, _ = learner.networks.evaluate(inputs, actions)
    return Samples(
        policy_inputs=inputs,
        value_inputs=inputs,
        actions=actions,
        log_prob=log_prob + 0.3 * draw(),
        advantages=draw(),
        returns=draw(),
        values=draw(),
        weights=None,
    )


def plain_network(network, member):
    layers = []
    parameters = [p[member] for p in network.parameters()]
    for weight, bias in zip(parameters[::2], parameters[1::2], strict=True):
        linear = nn.Linear(*weight.shape, dtype=torch.float64)
        linear.weight.data = weight.t().clone()
        linear.bias.data = bias[0].clone()
        layers += [linear, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def plain_gradient(learner, batch, member):
    """PPO's loss as a textbook has it, with nn.Linear and torch.distributions."""
    cfg, networks = learner.cfgs[member], learner.networks
    policy, value = (plain_network(n, member) for n in (networks.policy, networks.value))
    inputs, actions = batch.policy_inputs[member], batch.actions[member]
    extra = []
    if networks.log_std is None:
        family = distributions.Categorical(logits=policy(inputs))
        log_prob, entropy = family.log_prob(actions[:, 0]), family.entropy()
    else:
        log_std = networks.log_std[member].detach().clone().requires_grad_()
        extra = [log_std]
        family = distributions.Normal(policy(inputs), log_std.exp())
        log_prob, entropy = family.log_prob(actions).sum(-1), family.entropy().sum(-1)
    ratio = (log_prob - batch.log_prob[member]).exp()
    advantages = batch.advantages[member]
    clipped = ratio.clamp(1 - cfg.ratio_clip, 1 + cfg.ratio_clip)
    loss = -torch.min(ratio * advantages, clipped * advantages).mean()
    values, old, returns = value(inputs)[:, 0], batch.values[member], batch.returns[member]
    errors = (values - returns) ** 2
    if cfg.value_clip:
        near = old + (values - old).clamp(-cfg.value_clip, cfg.value_clip)
        errors = torch.max(errors, (near - returns) ** 2)
    loss = loss + cfg.value_loss_scale * errors.mean() - cfg.entropy_loss_scale * entropy.mean()
    found = []
    parameters = [*policy.parameters(), *value.parameters(), *extra]
    for gradient in torch.autograd.grad(loss, parameters):
        found.append(gradient.t().reshape(-1) if gradient.dim() == 2 else gradient)
    return torch.cat(found), loss.detach()


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("members", [(0,), (0, 1, 2)])
def test_gradients_equal_a_plain_implementation(members, action):
    learner = make_learner(members, ACTIONS[action])
    batch = random_batch(learner)
    losses, gradient = descend(learner, batch)
    for member in range(len(members)):
        wanted, loss = plain_gradient(learner, batch, member)
        torch.testing.assert_close(losses.total[member].detach(), loss, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(gradient[member], wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("action", MORE_ACTIONS)
@pytest.mark.parametrize("members", [(0,), (0, 1, 2)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("activation", ["tanh", "relu", "elu"])
def test_backward_by_hand_equals_autograd(members, action, weighted, activation):
    model = {"hidden_sizes": (6, 5), "activation": activation, "value_hidden_sizes": (4,)}
    learner = make_learner(members, MORE_ACTIONS[action], model=model)
    assert learner.networks.backward_by_hand
    batch = random_batch(learner, rows=70)
    if weighted:
        generator = torch.Generator().manual_seed(4)
        weights = (torch.rand(batch.returns.shape, generator=generator) > 0.3).double()
        batch = evolve(batch, weights=weights)
    found, gradient = by_hand(learner, batch)
    gradient = gradient.clone()
    wanted, recorded = by_autograd(learner, batch)
    torch.testing.assert_close(found.total, wanted.total.detach(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient, recorded, rtol=1e-9, atol=1e-12)


def test_other_activations_are_left_to_autograd():
    learner = make_learner((0, 1), ACTIONS["discrete"], model={"activation": "silu"})
    assert not learner.networks.backward_by_hand
    batch = random_batch(learner)
    gradient = descend(learner, batch)[1].clone()
    torch.testing.assert_close(gradient, by_autograd(learner, batch)[1], rtol=0, atol=0)
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("activation", ["tanh", "relu", "elu", "silu"])
@pytest.mark.parametrize("outputs", [1, 2, 20])
def test_network_is_the_same_with_and_without_gradients(activation, outputs):
    generators = [torch.Generator().manual_seed(i) for i in range(2)]
    network = StackedMLP((3, 6, outputs), activation, generators, 1.0, dtype=torch.float64)
    inputs = torch.randn(2, 90, 3, generator=generators[0], dtype=torch.float64)
    recorded = network(inputs)
    assert recorded.requires_grad
    with torch.no_grad():
        torch.testing.assert_close(network(inputs), recorded.detach(), rtol=1e-12, atol=1e-12)


def step(learner, timestep, num_envs, members):
    """One timestep on data that belongs to each member, whoever else is in the stack."""

    def stack(draw):
        return torch.cat([draw(torch.Generator().manual_seed(50 * i + timestep)) for i in members])

    observations = stack(lambda g: sample_actions(BOX, num_envs, g))
    following = stack(lambda g: torch.rand(num_envs, 3, generator=g))
    actions = learner.act(observations)
    transition = Transition(
        observations=observations,
        actions=actions,
        rewards=stack(lambda g: torch.rand(num_envs, generator=g)),
        next_observations=following,
        terminated=stack(lambda g: torch.rand(num_envs, generator=g) < 0.1),
        truncated=stack(lambda g: torch.rand(num_envs, generator=g) > 0.9),
        valid=stack(lambda g: torch.rand(num_envs, generator=g) > 0.2),
        all_valid=False,
    )
    learner.record(transition)
    return actions


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("scheduler", ["constant", "kl_adaptive", "linear"])
def test_stacked_members_learn_like_single_ones(action, scheduler):
    members, num_envs = (0, 1, 2), 4
    settings = {
        "learning_rate_scheduler": scheduler,
        "observation_normalization": True,
        "kl_threshold": 0.02,
    }
    stack = make_learner(members, ACTIONS[action], **settings)
    singles = [make_learner((i,), ACTIONS[action], **settings) for i in members]
    for learner in (stack, *singles):
        learner.allocate(num_envs)
    for timestep in range(18):
        acted = step(stack, timestep, num_envs, members).chunk(3)
        for i, learner in enumerate(singles):
            own = step(learner, timestep, num_envs, (i,))
            torch.testing.assert_close(acted[i], own, rtol=1e-5, atol=1e-6)
        if stack.ready_to_learn:
            scalars = stack.update(timestep=timestep, timesteps=18)
            for i, learner in enumerate(singles):
                (own_scalars,) = learner.update(timestep=timestep, timesteps=18)
                close = scalars[i]["learning_rate"], own_scalars["learning_rate"]
                assert close[0] == pytest.approx(close[1])
    assert stack.updates == [3, 3, 3]
    for i, learner in enumerate(singles):
        mine, own = stack.networks.state(i), learner.networks.state(0)
        for name in ("policy", "value"):
            for key, tensor in mine[name].items():
                torch.testing.assert_close(tensor, own[name][key], rtol=1e-8, atol=1e-10)


def test_stacked_members_may_differ_in_some_settings_only():
    with pytest.raises(ValueError, match="learning_epochs, mini_batches"):
        PPOLearner(
            observation_space=BOX,
            action_space=ACTIONS["discrete"],
            cfgs=[make_cfg(0), make_cfg(1, mini_batches=2, learning_epochs=5)],
            generators=[torch.Generator(), torch.Generator()],
            seeds=[0, 1],
        )


@pytest.mark.parametrize("population", [1, 2])
def test_mini_batches_hold_every_sample_of_a_member_once(population):
    learner = make_learner(tuple(range(population)), ACTIONS["discrete"])
    batch = random_batch(learner, rows=11)
    generators = [torch.Generator().manual_seed(i) for i in range(population)]
    parts = list(mini_batches(batch, 4, generators))
    assert [part.returns.shape[1] for part in parts] == part_sizes(11, 4) == [3, 3, 3, 2]
    for name in ("returns", "policy_inputs", "actions"):
        joined = torch.cat([getattr(part, name) for part in parts], dim=1)
        whole = getattr(batch, name)
        for member in range(population):
            assert torch.equal(joined[member].sort(0).values, whole[member].sort(0).values)
            assert not torch.equal(joined[member], whole[member])
