"""Checkpoints of skrl into agents, and back."""

import os
from itertools import pairwise

import pytest
import torch
from gymnasium import spaces
from skrl.agents.torch.a2c import A2C, A2C_CFG
from skrl.agents.torch.dqn import DQN, DQN_CFG
from skrl.agents.torch.ppo import PPO, PPO_CFG
from skrl.memories.torch import RandomMemory
from skrl.models.torch import CategoricalMixin, DeterministicMixin, GaussianMixin, Model
from skrl.resources.preprocessors.torch import RunningStandardScaler
from torch import nn

import coterie
from coterie.testing import SpaceEnv
from coterie_skrl import adapt, from_skrl, to_skrl

CPU = torch.device("cpu")
BOX = spaces.Box(-1, 1, (3,))


def net(*sizes, activation=nn.Tanh):
    layers = []
    for first, last in pairwise(sizes):
        layers += [nn.Linear(first, last), activation()]
    return nn.Sequential(*layers[:-1])


class Gaussian(GaussianMixin, Model):
    def __init__(self, observations, actions, hidden=16):
        Model.__init__(self, observation_space=observations, action_space=actions, device=CPU)
        GaussianMixin.__init__(self)
        self.net = net(self.num_observations, hidden, hidden, self.num_actions)
        self.log_std_parameter = nn.Parameter(torch.full((self.num_actions,), -0.3))

    def compute(self, inputs, role):
        return self.net(inputs["observations"]), {"log_std": self.log_std_parameter}


class Categorical(CategoricalMixin, Model):
    def __init__(self, observations, actions, hidden=16):
        Model.__init__(self, observation_space=observations, action_space=actions, device=CPU)
        CategoricalMixin.__init__(self)
        self.net = net(self.num_observations, hidden, hidden, self.num_actions)

    def compute(self, inputs, role):
        return self.net(inputs["observations"]), {}


class Values(DeterministicMixin, Model):
    def __init__(self, observations, actions, outputs=1, hidden=16, activation=nn.Tanh):
        Model.__init__(self, observation_space=observations, action_space=actions, device=CPU)
        DeterministicMixin.__init__(self)
        sizes = (self.num_observations, hidden, hidden, outputs)
        self.net = net(*sizes, activation=activation)

    def compute(self, inputs, role):
        return self.net(inputs["observations"]), {}


def skrl_ppo(actions=BOX, *, seed=0, hidden=16, scaled=True, kind=(PPO, PPO_CFG)):
    torch.manual_seed(seed)
    policy = Gaussian if isinstance(actions, spaces.Box) else Categorical
    scaling = {
        "observation_preprocessor": RunningStandardScaler,
        "observation_preprocessor_kwargs": {"size": BOX, "device": CPU},
        "value_preprocessor": RunningStandardScaler,
        "value_preprocessor_kwargs": {"size": 1, "device": CPU},
    }
    agent = kind[0](
        models={
            "policy": policy(BOX, actions, hidden),
            "value": Values(BOX, actions, hidden=hidden),
        },
        memory=RandomMemory(memory_size=8, num_envs=4, device=CPU),
        observation_space=BOX,
        action_space=actions,
        device=CPU,
        cfg=kind[1](rollouts=8, **(scaling if scaled else {})),
    )
    if scaled:
        agent._observation_preprocessor(torch.randn(64, 3) * 2 + 1, train=True)
        agent._value_preprocessor(torch.randn(64, 1) * 3 - 1, train=True)
    for group in agent.optimizer.param_groups:  # a step, so that it has a state
        for parameter in group["params"]:
            parameter.grad = torch.randn_like(parameter)
    agent.optimizer.step()
    return agent


def own(kind="ppo", actions=BOX, *, scaled=True, hidden=(16, 16), **settings):
    if kind != "dqn":
        settings |= {"observation_normalization": scaled, "value_normalization": scaled}
    env = SpaceEnv(4, observation_space=BOX, action_space=actions)
    return coterie.make_agent(
        kind, env=env, cfg={"model": {"hidden_sizes": hidden}, **settings}, seed=1
    )


def weights(agent):
    found = agent.checkpoint_modules.values()
    return [tensor for module in found for tensor in _tensors(module.state_dict())]


def _tensors(value):
    if isinstance(value, dict):
        return [tensor for part in value.values() for tensor in _tensors(part)]
    if isinstance(value, list):
        return [tensor for part in value for tensor in _tensors(part)]
    return [value] if isinstance(value, torch.Tensor) else []


def same(one, other):
    mine, theirs = weights(one), weights(other)
    return len(mine) == len(theirs) and all(map(torch.equal, mine, theirs))


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_checkpoint_of_skrl_comes_into_its_agent_with_optimiser_and_preprocessors(
    tmp_path, wrapped
):
    source, target = skrl_ppo(seed=1), skrl_ppo(seed=2)
    source.save(str(tmp_path / "agent.pt"))
    assert not same(source, target)
    from_skrl(tmp_path / "agent.pt", adapt(target) if wrapped else target)
    assert same(source, target)


@pytest.mark.parametrize("wrapped", [False, True])
def test_skrl_reads_what_is_written(tmp_path, wrapped):
    source, target = skrl_ppo(seed=1), skrl_ppo(seed=2)
    to_skrl(adapt(source) if wrapped else source, tmp_path / "new" / "agent.pt")
    target.load(str(tmp_path / "new" / "agent.pt"))
    assert same(source, target)


def test_a_file_with_more_than_tensors_is_not_executed(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    torch.save({"policy": Evil()}, tmp_path / "agent.pt")
    with pytest.raises(coterie.CheckpointUnsafe, match="could run code"):
        from_skrl(tmp_path / "agent.pt", skrl_ppo())
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and nothing more", b"\x80\x02}q\x00."])
def test_what_is_no_checkpoint_is_refused(tmp_path, content):
    (tmp_path / "agent.pt").write_bytes(content)
    with pytest.raises(coterie.CheckpointCorrupt, match=r"agent\.pt"):
        from_skrl(tmp_path / "agent.pt", skrl_ppo())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(coterie.CheckpointNotFound, match=r"none\.pt"):
        from_skrl(tmp_path / "none.pt", skrl_ppo())


def test_a_module_too_many_or_too_few_is_named_and_nothing_changes(tmp_path):
    plain, scaled = skrl_ppo(seed=1, scaled=False), skrl_ppo(seed=2)
    plain.save(str(tmp_path / "plain.pt"))
    scaled.save(str(tmp_path / "scaled.pt"))
    with pytest.raises(coterie.CheckpointMismatch, match="lacks the module 'observation_prep"):
        from_skrl(tmp_path / "plain.pt", scaled)
    with pytest.raises(coterie.CheckpointMismatch, match="has a module 'observation_prep"):
        from_skrl(tmp_path / "scaled.pt", plain)
    assert same(scaled, skrl_ppo(seed=2))


def test_a_module_that_does_not_fit_leaves_the_others_as_they_were(tmp_path):
    source, target = skrl_ppo(seed=1), skrl_ppo(seed=2)
    modules = {name: module.state_dict() for name, module in source.checkpoint_modules.items()}
    modules["value"] = skrl_ppo(seed=1, hidden=8).value.state_dict()
    torch.save(modules, tmp_path / "agent.pt")
    with pytest.raises(coterie.CheckpointMismatch, match="value does not fit"):
        from_skrl(tmp_path / "agent.pt", target)
    assert same(target, skrl_ppo(seed=2))


def test_a_policy_of_skrl_acts_alike_as_an_agent_of_coterie(tmp_path):
    source, target = skrl_ppo(), own()
    source.save(str(tmp_path / "agent.pt"))
    from_skrl(tmp_path / "agent.pt", target)
    observations = torch.randn(32, 3)
    given = {"observations": source._observation_preprocessor(observations)}
    expected, _ = source.policy.compute(given, role="policy")
    found = target.act(observations, deterministic=True)
    torch.testing.assert_close(found, expected.clamp(-1, 1), rtol=1e-5, atol=1e-5)
    state = target.state_dict()
    assert torch.equal(state["networks"]["log_std"], source.policy.log_std_parameter.detach())
    assert state["scalers"]["observations"]["count"] == 65.0  # skrl counts from 1
    assert torch.equal(
        state["scalers"]["returns"]["mean"], source._value_preprocessor.running_mean.reshape(())
    )


@pytest.mark.parametrize(
    ("kind", "actions"),
    [
        ("ppo", BOX),
        ("ppo", spaces.Discrete(4)),
        ("rpo", BOX),
        ("a2c", BOX),
        ("a2c", spaces.Discrete(4)),
    ],
    ids=str,
)
def test_networks_go_to_skrl_and_come_back(tmp_path, kind, actions):
    source, target, last = own(kind, actions), own(kind, actions), skrl_ppo(actions)
    source.load_state_dict(_trained(source))
    to_skrl(source, tmp_path / "agent.pt", like=last)
    last.load(str(tmp_path / "agent.pt"))
    from_skrl(tmp_path / "agent.pt", target)
    for part in ("networks", "scalers"):
        mine, theirs = _tensors(source.state_dict()[part]), _tensors(target.state_dict()[part])
        assert mine
        assert all(map(torch.equal, mine, theirs))


def _trained(agent):
    """A state with numbers of its own in everything."""
    state = agent.state_dict()
    for tensor in _tensors({key: state[key] for key in ("networks", "scalers")}):
        tensor.copy_(torch.rand_like(tensor) + 0.5)
    return state


def test_a_q_network_of_skrl_chooses_alike(tmp_path):
    torch.manual_seed(0)
    actions = spaces.Discrete(4)
    models = {
        name: Values(BOX, actions, 4, activation=nn.ReLU)
        for name in ("q_network", "target_q_network")
    }
    source = DQN(
        models=models,
        memory=RandomMemory(memory_size=8, num_envs=4, device=CPU),
        observation_space=BOX,
        action_space=actions,
        device=CPU,
        cfg=DQN_CFG(),
    )
    source.save(str(tmp_path / "agent.pt"))
    target = own("dqn", actions)
    from_skrl(tmp_path / "agent.pt", target)
    observations = torch.randn(64, 3)
    expected, _ = source.q_network.compute({"observations": observations}, role="")
    found = target.act(observations, deterministic=True)
    assert torch.equal(found, expected.argmax(-1))


def test_other_layers_are_told_apart(tmp_path):
    skrl_ppo(hidden=8).save(str(tmp_path / "agent.pt"))
    expected = r"policy has layers.*\(3, 8\), \(8, 8\), \(8, 3\).*network.*\(3, 16\)"
    with pytest.raises(coterie.CheckpointMismatch, match=expected):
        from_skrl(tmp_path / "agent.pt", own())


@pytest.mark.parametrize("there", [True, False])
def test_normalisation_on_one_side_only_is_refused(tmp_path, there):
    skrl_ppo(scaled=there).save(str(tmp_path / "agent.pt"))
    with pytest.raises(coterie.CheckpointMismatch, match="normalises observations"):
        from_skrl(tmp_path / "agent.pt", own(scaled=not there))


def test_kinds_that_mean_something_else_are_refused(tmp_path):
    skrl_ppo(kind=(A2C, A2C_CFG)).save(str(tmp_path / "agent.pt"))
    agent = coterie.make_agent("sac", env=SpaceEnv(4, observation_space=BOX, action_space=BOX))
    with pytest.raises(coterie.ConfigError, match=r"kind 'sac'.*they can for a2c, ppo, rpo, dqn"):
        from_skrl(tmp_path / "agent.pt", agent)


def test_the_reader_must_be_given(tmp_path):
    with pytest.raises(coterie.ConfigError, match="like= must be the agent of skrl"):
        to_skrl(own(), tmp_path / "agent.pt")


def test_a_stranger_is_no_agent(tmp_path):
    skrl_ppo().save(str(tmp_path / "agent.pt"))
    with pytest.raises(coterie.ConfigError, match=r"got builtins\.dict"):
        from_skrl(tmp_path / "agent.pt", {})
