"""The gradient of a mini-batch as a graph, and programs that are compiled from it."""

import copy
import shutil
import warnings

import attrs
import numpy as np
import pytest
import torch
import torch._inductor
from gymnasium import spaces

from coterie import ConfigError
from coterie_agents import PPOCfg, PPOLearner
from coterie_agents._ppo import compiled
from coterie_agents._ppo.gradients import by_autograd, by_hand, descend
from coterie_agents._ppo.graph import mini_batch, rational_tanh
from coterie_agents._ppo.losses import Losses
from coterie_agents._ppo.rollout import Samples

BOX = spaces.Box(-1.0, 1.0, (3,), np.float32)
STATES = spaces.Box(-1.0, 1.0, (5,), np.float32)
ACTIONS = {
    "discrete": spaces.Discrete(4),
    "choices": spaces.MultiDiscrete([2, 3]),
    "bits": spaces.MultiBinary(3),
    "box": spaces.Box(-1.0, 1.0, (2,), np.float32),
}
MEMBERS = (
    {"ratio_clip": 0.2, "entropy_loss_scale": 0.01, "value_clip": 0.3},
    {"ratio_clip": 0.1, "entropy_loss_scale": 0.0, "value_clip": 0.0},
)
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")


@pytest.fixture(autouse=True)
def no_programs(monkeypatch):
    monkeypatch.setattr(compiled, "_programs", {})


def make_learner(members=2, action_space=ACTIONS["discrete"], dtype=torch.float64, **settings):
    model = {"hidden_sizes": (6, 5), **settings.pop("model", {})}
    cfg = {"rollouts": 6, "learning_epochs": 2, "mini_batches": 3, "model": model, **settings}
    from coterie import structure

    return PPOLearner(
        observation_space=BOX,
        action_space=action_space,
        cfgs=[structure(PPOCfg, {**cfg, **own}) for own in MEMBERS[:members]],
        generators=[torch.Generator().manual_seed(i) for i in range(members)],
        seeds=list(range(members)),
        dtype=dtype,
    )


def random_batch(learner, rows=7, *, weights=False):
    generator = torch.Generator().manual_seed(9)
    head, population = learner.networks.head, learner.population

    def draw(*shape):
        return torch.randn(population, rows, *shape, generator=generator, dtype=learner.dtype)

    inputs = draw(3)
    with torch.no_grad():
        noise = head.noise((population, rows), generator).to(learner.dtype)
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
        weights=(draw() > -0.5).to(learner.dtype) if weights else None,
    )


def fields(record):
    return {field.name: getattr(record, field.name) for field in attrs.fields(type(record))}


def from_graph(learner, batch):
    networks = learner.networks
    both = tuple(list(network.parameters()) for network in (networks.policy, networks.value))
    with torch.no_grad():
        gradient, *parts = mini_batch(
            networks.head,
            learner.cfg.model.activation,
            both,
            networks.log_std,
            fields(batch),
            fields(learner.hyper),
        )
    return Losses(*parts), gradient


@pytest.mark.parametrize("activation", ["tanh", "relu", "elu"])
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("members", [1, 2])
def test_the_graph_equals_autograd(members, action, activation):
    learner = make_learner(members, ACTIONS[action], model={"activation": activation})
    for weights in (False, True):
        batch = random_batch(learner, weights=weights)
        losses, gradient = from_graph(learner, batch)
        wanted_losses, wanted = by_autograd(learner, batch)
        torch.testing.assert_close(gradient, wanted, rtol=1e-10, atol=1e-12)
        for name, value in fields(losses).items():
            expected = getattr(wanted_losses, name).detach()
            torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-12)


def refuse(programs, error):
    raise error


class Compiled:
    """Like what torch's compiler returns: it can be called, but not asked for its truth."""

    def __init__(self, graph):
        self.graph = graph

    def __call__(self, *inputs):
        return self.graph(*inputs)

    def __len__(self):
        raise TypeError("no len()")


@pytest.mark.parametrize("action", ACTIONS)
def test_what_is_compiled_takes_in_whatever_changes(action, monkeypatch):
    monkeypatch.setattr(torch._inductor, "compile", lambda graph, *_, **__: Compiled(graph))
    monkeypatch.setattr(compiled.CompiledGradients, "_give_up", refuse)
    learner, other = (make_learner(action_space=ACTIONS[action], compile_update=True) for _ in "ab")
    for weights in (False, True):
        batch = random_batch(learner, weights=weights)
        descend(learner, batch)
        with torch.no_grad():
            for parameter in learner.networks.parameters:
                parameter.mul_(0.9)
        learner.reconfigure(0, attrs.evolve(learner.cfgs[0], ratio_clip=0.05, value_clip=0.1))
        again = random_batch(learner, weights=weights)
        for each in (learner, other):
            found, wanted = descend(each, again)[1], by_autograd(each, again)[1]
            torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)
    assert len(compiled._programs) == 2, "with and without weights; learners share them"
    descend(learner, random_batch(learner, rows=5))
    assert len(compiled._programs) == 3, "another size"


def test_the_rational_tanh_is_tanh_in_single_precision():
    x = torch.cat([torch.linspace(-20, 20, 400_001), torch.logspace(-12, 0, 1000)])
    wanted = x.double().tanh()
    found = rational_tanh(x).double()
    assert float((found - wanted).abs().max()) < 5e-7
    small = x.abs() < 1e-3
    assert float(((found - wanted) / wanted)[small & (x != 0)].abs().max()) < 3e-7
    assert torch.isnan(rational_tanh(torch.tensor([float("nan")]))).all()


@pytest.mark.slow
@pytest.mark.timeout(600)
@needs_compiler
def test_a_compiled_program_does_what_the_hand_does(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    small = {"hidden_sizes": (5,)}  # each layer is another program for the C++ compiler
    learner = make_learner(dtype=torch.float32, compile_update=True, model=small)
    batch = random_batch(learner)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        losses, gradient = descend(learner, batch)
    assert learner.compiled.take_seconds() > 0
    assert learner.compiled.take_seconds() == 0
    wanted_losses, wanted = by_hand(learner, batch)
    torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(losses.total, wanted_losses.total, rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        for parameter in learner.networks.parameters:
            parameter.mul_(0.9)
    learner.reconfigure(0, attrs.evolve(learner.cfgs[0], ratio_clip=0.05))
    torch.testing.assert_close(
        descend(learner, batch)[1], by_hand(learner, batch)[1], rtol=1e-4, atol=1e-6
    )
    assert learner.compiled.take_seconds() == 0, "the same program serves new weights and settings"
    assert copy.deepcopy(learner.compiled).find(learner, batch) is not None


def test_without_a_compiler_one_warning_and_the_same_gradient(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("no C++ compiler\nand a long story")

    monkeypatch.setattr(torch._inductor, "compile", fail)
    learner = make_learner(compile_update=True)
    batch = random_batch(learner)
    with pytest.warns(RuntimeWarning, match=r"failed \(no C\+\+ compiler\)"):
        _, gradient = descend(learner, batch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, again = descend(learner, batch)
    wanted = by_hand(learner, batch)[1]
    assert torch.equal(gradient, wanted)
    assert torch.equal(again, wanted)


def test_networks_that_can_not_be_compiled_are_refused():
    with pytest.raises(ConfigError, match="compile_update = true needs built-in perceptrons"):
        make_learner(compile_update=True, model={"activation": "silu"})
