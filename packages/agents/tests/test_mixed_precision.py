"""Networks in 16 bits: what is scaled, skipped, saved and learned; off is as it was."""

import pytest
import torch
from gymnasium import spaces

from coterie import ConfigError, structure
from coterie_agents import A2C, DDPG, DQN, PPO, SAC, TD3, NonFiniteLoss, PPOCfg
from coterie_agents._precision.autocast import Precision, make_precision
from coterie_agents._precision.scaler import LossScaler

CPU = torch.device("cpu")
HALF = Precision(low=torch.float16)
BOX = spaces.Box(-1, 1, (2,))
MODEL = {"hidden_sizes": (8,)}
ROLLOUT = {"rollouts": 8, "learning_epochs": 2, "mini_batches": 2, "model": MODEL}
REPLAY = {"memory_size": 120, "batch_size": 6, "learning_starts": 4, "model": MODEL}
KINDS = {
    "ppo": (PPO, None, ROLLOUT),
    "a2c": (A2C, BOX, {"rollouts": 3, "model": MODEL}),
    "dqn": (DQN, None, REPLAY),
    "sac": (SAC, BOX, REPLAY),
    "td3": (TD3, BOX, {**REPLAY, "policy_delay": 1}),
    "ddpg": (DDPG, BOX, REPLAY),
}


def make(tools, kind, mixed, seed=0, **settings):
    cls, actions, cfg = KINDS[kind]
    agent = cls(
        observation_space=tools.observations,
        action_space=tools.binary if actions is None else actions,
        seed=seed,
        cfg={**cfg, "mixed_precision": mixed, **settings},
    )
    agent.setup(4)
    return agent


def torch_scales(finite, first, interval):
    """What torch's own scaler does with gradients that are finite or not."""
    scaler = torch.amp.GradScaler("cpu", init_scale=first, growth_interval=interval)
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    found = []
    for good in finite:
        before = parameter.detach().clone()
        scaler.scale((parameter * (1.0 if good else torch.inf)).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        found.append((scaler.get_scale(), not torch.equal(before, parameter.detach())))
    return found


@pytest.mark.parametrize("first", [64.0, 2.0**127])
def test_scales_follow_as_torch_lets_them(monkeypatch, first):
    from coterie_agents._precision import scaler as module

    monkeypatch.setattr(module, "FIRST_SCALE", first)
    monkeypatch.setattr(module, "GROWTH_INTERVAL", 3)
    pattern = [1, 1, 0, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1]
    members = [pattern, pattern[::-1], [1] * len(pattern)]
    scaler = LossScaler(3, HALF, CPU)
    steps = []
    for column in zip(*members, strict=True):
        norm = torch.tensor([1.0 if good else torch.nan for good in column])
        seen = scaler.check(norm)
        allowed = scaler.allowed(None)
        assert torch.equal(seen == 0, ~allowed)
        steps.append(list(zip(scaler.scale.tolist(), allowed.tolist(), strict=True)))
    for member, own in enumerate(members):
        assert [step[member] for step in steps] == torch_scales(own, first, 3)


def test_gradients_come_back_to_their_size():
    scaler = LossScaler(2, HALF, CPU)
    scaler.scale = torch.tensor([8.0, 1024.0])
    loss = torch.tensor([0.5, 3.0])
    assert scaler.enlarge(loss).tolist() == [4.0, 3072.0]
    slopes = torch.ones(2, 3)
    assert scaler.enlarge(slopes).tolist() == [[8.0] * 3, [1024.0] * 3]
    gradient = torch.tensor([[16.0, 4.0], [1024.0, -512.0]])
    assert scaler.shrink(gradient).tolist() == [[2.0, 0.5], [1.0, -0.5]]


def test_at_the_lowest_scale_the_guard_sees_what_is_wrong():
    scaler = LossScaler(2, HALF, CPU)
    scaler.scale = torch.tensor([2.0, 1.0])
    seen = scaler.check(torch.tensor([torch.inf, torch.inf]))
    assert seen.tolist() == [0.0, torch.inf]
    active = torch.tensor([True, True])
    assert scaler.allowed(active).tolist() == [False, True]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mixed", ["bfloat16", "float16"])
def test_states_go_on_and_weights_stay_in_full(tools, kind, mixed):
    whole = make(tools, kind, mixed)
    tools.run(whole, 17)
    first, second = make(tools, kind, mixed), make(tools, kind, mixed, seed=7)
    tools.run(first, 9)
    state = first.state_dict()
    assert ("loss_scales" in state) == (mixed == "float16")
    second.load_state_dict(tools_copy(state))
    tools.run(second, 8, start=9)
    tools.assert_equal_states(whole.state_dict(), second.state_dict())
    for module in whole.models.values():
        assert {p.dtype for p in module.parameters()} == {torch.float32}


def tools_copy(state):
    from coterie.spaces import tree_map

    return tree_map(lambda x: x.clone() if isinstance(x, torch.Tensor) else x, state)


@pytest.mark.parametrize("kind", KINDS)
def test_sixteen_bits_change_the_numbers_a_little(tools, kind):
    found = {}
    for mixed in ("off", "bfloat16", "float16"):
        agent = make(tools, kind, mixed)
        tools.run(agent, 8)
        state = agent.state_dict()
        assert ("loss_scales" in state) == (mixed == "float16")
        found[mixed] = [
            (name, tensor)
            for name, module in agent.models.items()
            for tensor in module.state_dict().values()
        ]
    for mixed in ("bfloat16", "float16"):
        pairs = list(zip(found["off"], found[mixed], strict=True))
        for (name, full), (_, half) in pairs:
            assert half.dtype == full.dtype, name
            torch.testing.assert_close(half, full, rtol=0.2, atol=0.05)
        assert any(not torch.equal(full, half) for (_, full), (_, half) in pairs)


def test_off_runs_no_autocast(tools, monkeypatch):
    def refuse(*arguments, **settings):
        raise AssertionError("autocast was asked for")

    monkeypatch.setattr(torch, "autocast", refuse)
    for kind in KINDS:
        tools.run(make(tools, kind, "off"), 8)
    with pytest.raises(AssertionError, match="asked for"):
        tools.run(make(tools, "ppo", "bfloat16"), 8)


@pytest.mark.parametrize("kind", ["ppo", "dqn", "sac"])
def test_an_overflow_skips_the_step_of_one_member_only(tools, kind):
    """The scale of one member is so large that its gradients overflow, again and again."""
    huge, fine = make(tools, kind, "float16", seed=0), make(tools, kind, "float16", seed=1)
    stack = fine.stack([huge, fine])
    alone = make(tools, kind, "float16", seed=1)
    scalers = getattr(stack.learner, "scalers", None) or {"all": stack.learner.scaler}
    for scaler in scalers.values():
        scaler.scale[0] = 2.0**120
    before = {name: own[0].clone() for name, own in _weights(stack.learner)}
    for step in range(8):
        at = {"timestep": step, "timesteps": 8}
        one = tools.observe(tools.observations, 4, step)
        actions = stack.act(torch.cat([one, one]), **at)
        transition = tools.make_transition(alone, one, actions[4:], step, None)
        own = alone.act(one, **at)
        torch.testing.assert_close(own.float(), actions[4:].float(), rtol=0, atol=0.05)
        alone.record_transition(transition, **at)
        doubled = _double(transition)
        stack.record_transition(doubled, **at)
        assert stack.post_interaction(**at) == {}
        alone.post_interaction(**at)
    for name, own in _weights(stack.learner):
        if "target" not in name:
            assert torch.equal(own[0], before[name]), name
            assert not torch.equal(own[1], before[name]), name
    for scaler in scalers.values():
        assert 2.0**100 < float(scaler.scale[0]) < 2.0**120
        assert float(scaler.scale[1]) <= 65536
    assert all(v == v for m in stack.metrics() for v in m.values())


def _weights(learner):
    for module_name, module in learner.modules.items():
        for name, parameter in module.named_parameters():
            rows = parameter.detach().view(2, -1, *parameter.shape[1:])
            yield f"{module_name}.{name}", rows


def _double(transition):
    from attrs import evolve

    names = ("observations", "actions", "rewards", "next_observations")
    names += ("terminated", "truncated", "valid")
    return evolve(transition, **{n: torch.cat([getattr(transition, n)] * 2) for n in names})


@pytest.mark.parametrize("kind", ["ppo", "dqn", "sac"])
def test_a_loss_that_is_not_finite_is_still_a_failure(tools, kind, monkeypatch):
    import sys

    loop = sys.modules[tools.run.__module__]
    agent = make(tools, kind, "float16")
    monkeypatch.setattr(loop, "reward", lambda o, a: torch.full((len(o),), torch.inf))
    with pytest.raises(NonFiniteLoss):
        tools.run(agent, 9)


def test_gradients_that_never_become_finite_are_a_failure_in_the_end(tools, monkeypatch):
    agent = make(tools, "ppo", "float16")
    learner = agent.learner
    gather = learner.optimizer.gather
    monkeypatch.setattr(learner.optimizer, "gather", lambda g: gather(g).fill_(torch.nan))
    # 4 steps an update, and 16 halvings from 65536 to 1.
    tools.run(agent, 32)
    assert float(learner.scaler.scale) == 1
    with pytest.raises(NonFiniteLoss, match="gradient_norm is nan"):
        tools.run(agent, 8, start=32)


def test_learns_in_bfloat16(tools):
    agent = tools.agent(
        num_envs=16,
        rollouts=16,
        learning_epochs=4,
        mini_batches=4,
        learning_rate=1e-2,
        mixed_precision="bfloat16",
    )
    early = tools.run(agent, 16)
    assert early < 0.65
    assert tools.run(agent, 16 * 15, start=16, mean_over=16) > 0.9


def test_what_can_not_be_asked_for():
    with pytest.raises(ConfigError, match="bfloat16"):
        structure(PPOCfg, {"mixed_precision": "bf16"})
    with pytest.raises(ConfigError, match="float32"):
        make_precision("bfloat16", torch.float64, CPU)
    with pytest.raises(ConfigError, match=r"autocast.*'meta'"):
        make_precision("float16", torch.float32, torch.device("meta"))
