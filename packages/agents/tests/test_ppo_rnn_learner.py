"""Recurrent PPO against a plain single-agent implementation with torch's modules, in float64."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import distributions, nn

from coterie import ConfigError, Transition
from coterie_agents import PPO, PPORNN, PPORNNCfg
from coterie_agents._ppo.gradients import descend

OBSERVATIONS = spaces.Box(-2.0, 2.0, (3,), np.float32)
STATES = spaces.Box(-2.0, 2.0, (4,), np.float32)
BOX = spaces.Box(-1.0, 1.0, (2,), np.float32)
ACTIONS = {"discrete": spaces.Discrete(3), "box": BOX}
CELLS = ("gru", "lstm")
SMALL = {
    "rollouts": 6,
    "sequence_length": 3,
    "learning_epochs": 1,
    "mini_batches": 2,
    "normalize_advantages": False,
    "value_normalization": False,
    "entropy_loss_scale": 0.01,
    "learning_rate": 1e-2,
}
EACH = ({}, {"gae_lambda": 0.5, "ratio_clip": 0.1}, {"discount_factor": 0.8, "grad_norm_clip": 0})
ENVS = 3


def make(cell="gru", members=(5,), action="discrete", state_space=None, **settings):
    """A learner with a member for each seed; settings differ as in ``EACH``."""
    model = {"cell": cell, "hidden_size": 5, "sizes_before": (4,), **settings.pop("model", {})}
    cfgs = [
        PPORNN(
            observation_space=OBSERVATIONS,
            action_space=ACTIONS[action],
            cfg={**SMALL, **settings, "model": model, **EACH[seed % 3]},
        ).cfg
        for seed in members
    ]
    learner = PPORNN.learner_class(
        observation_space=OBSERVATIONS,
        action_space=ACTIONS[action],
        state_space=state_space,
        cfgs=cfgs,
        generators=[torch.Generator().manual_seed(seed) for seed in members],
        seeds=members,
        dtype=torch.float64,
    )
    learner.allocate(ENVS)
    return learner


def numbers(learner, timestep, salt, size):
    """Numbers that depend on the member, the instance and the timestep alone."""
    drawn = []
    for seed in learner.seeds:
        generator = torch.Generator().manual_seed(10_000 * salt + 100 * seed + timestep)
        drawn.append(torch.rand(ENVS, size, generator=generator) * 4 - 2)
    return torch.cat(drawn)


def step(learner, timestep, all_valid=False):
    """Act once and record it; return the transition."""
    private = learner.state_space is not None
    lots = numbers(learner, timestep, 3, 3)
    transition = Transition(
        observations=numbers(learner, timestep, 1, 3),
        actions=learner.act(numbers(learner, timestep, 1, 3)),
        rewards=lots[:, 0],
        next_observations=numbers(learner, timestep, 4, 3),
        terminated=lots[:, 1] > 1.4,
        truncated=lots[:, 2] > 1.2,
        valid=torch.ones(len(lots), dtype=torch.bool) if all_valid else lots[:, 2] > -1.5,
        all_valid=all_valid,
        states=numbers(learner, timestep, 5, 4) if private else None,
        next_states=numbers(learner, timestep, 6, 4) if private else None,
    )
    learner.record(transition)
    return transition


class Plain(nn.Module):
    """One member's network from torch's modules."""

    def __init__(self, network, member):
        super().__init__()
        named = {name: p.detach()[member] for name, p in network.named_parameters()}
        self.kind = nn.LSTM if network.cell.parts == 2 else nn.GRU
        weight = named["before_weight_0"]
        self.before = nn.Linear(*weight.shape, dtype=torch.float64)
        self.memory = self.kind(weight.shape[1], network.hidden_size, dtype=torch.float64)
        self.after = nn.Linear(*named["after_weight_0"].shape, dtype=torch.float64)
        self.pairs = []
        for name, own in (
            ("before_weight_0", self.before.weight),
            ("before_bias_0", self.before.bias),
            ("weight_ih_0", self.memory.weight_ih_l0),
            ("weight_hh_0", self.memory.weight_hh_l0),
            ("bias_ih_0", self.memory.bias_ih_l0),
            ("bias_hh_0", self.memory.bias_hh_l0),
            ("after_weight_0", self.after.weight),
            ("after_bias_0", self.after.bias),
        ):
            own.data.copy_(named[name].t() if "weight" in name else named[name][0])
            self.pairs.append((name, own))
        assert [name for name, _ in self.pairs] == list(named)

    def nothing(self):
        zero = torch.zeros(1, self.memory.hidden_size, dtype=torch.float64)
        return (zero, zero) if self.kind is nn.LSTM else zero

    def forward(self, observation, state):
        """One step of one instance."""
        seen, state = self.memory(self.before(observation.double())[None].tanh(), state)
        return self.after(seen[0]), state

    def unpack(self, vector):
        parts = vector.view(-1, 1, self.memory.hidden_size)
        return tuple(parts) if self.kind is nn.LSTM else parts[0]


def walk(network, rows, ends, state):
    """Let a plain network go through one instance's rows; return outputs, and states after."""
    outputs, states = [], []
    for t, row in enumerate(rows):
        if t and ends[t - 1]:
            state = network.nothing()
        output, state = network(row, state)
        outputs.append(output)
        states.append(state)
    return outputs, states


def family(learner, member, output):
    if learner.networks.log_std is None:
        return distributions.Categorical(logits=output)
    return distributions.Normal(output, learner.networks.log_std[member].detach().exp())


def check_rollout(learner, transitions, carried):
    """Compare what an update learns from with a way through every instance, step by step."""
    kept = learner.memory.tensors
    prepared = learner.prepare().samples
    cfg, length = learner.cfg, learner.cfg.rollouts
    for p, own in enumerate(learner.cfgs):
        policy, value = (Plain(n, p) for n in (learner.networks.policy, learner.networks.value))
        for n in range(ENVS):
            row = p * ENVS + n
            now = [tr.observations[row] for tr in transitions]
            sees = now if learner.state_space is None else [tr.states[row] for tr in transitions]
            behind = [
                (tr.next_observations if tr.next_states is None else tr.next_states)[row]
                for tr in transitions
            ]
            ends = [bool(tr.starts[row]) for tr in transitions]
            start = carried.get((p, n), (policy.nothing(), value.nothing()))
            with torch.no_grad():
                outputs, policy_states = walk(policy, now, ends, start[0])
                values, value_states = walk(value, sees, ends, start[1])
            values = [float(v) for v in values]
            advantages = [0.0] * (length + 1)
            for t in reversed(range(length)):
                tr = transitions[t]
                over, cut = bool(tr.terminated[row]), bool(tr.truncated[row])
                following = 0.0
                if not over:
                    with torch.no_grad():
                        following = float(value(behind[t], value_states[t])[0])
                    # Steps that go on are continued with what the next row was acted on.
                    if t + 1 < length and not cut:
                        following = values[t + 1]
                delta = float(tr.rewards[row]) + own.discount_factor * following - values[t]
                go_on = 0.0 if over or cut else own.discount_factor * own.gae_lambda
                advantages[t] = delta + go_on * advantages[t + 1]
                if not tr.valid[row]:
                    advantages[t] = 0.0
                at = n * length + t
                found = family(learner, p, outputs[t]).log_prob(
                    kept["actions"][t, p, n].squeeze()
                    if learner.networks.log_std is None
                    else kept["actions"][t, p, n]
                )
                assert float(prepared.log_prob[p, at]) == pytest.approx(float(found.sum()))
                assert float(prepared.values[p, at]) == pytest.approx(values[t])
                assert float(prepared.advantages[p, at]) == pytest.approx(advantages[t])
            last = ends[-1]
            carried[p, n] = (
                policy.nothing() if last else policy_states[-1],
                value.nothing() if last else value_states[-1],
            )
    assert cfg.length == 3
    return carried


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("action", "states"), [("discrete", None), ("box", STATES)])
def test_values_and_advantages_equal_a_way_through_each_episode(cell, action, states):
    learner = make(cell, (5, 6, 7), action, states)
    carried = {}
    for update in range(3):
        transitions = [step(learner, 6 * update + t) for t in range(6)]
        carried = check_rollout(learner, transitions, carried)
        learner.update(timestep=6 * update + 5, timesteps=100)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("members", [(5,), (5, 6, 7)])
def test_gradients_equal_a_plain_implementation(cell, action, members):
    learner = make(cell, members, action)
    for update in range(2):
        for t in range(6):
            step(learner, 6 * update + t)
        if not update:
            learner.update(timestep=5, timesteps=100)
    samples = learner.prepare().samples
    learner.optimizer.step(0.1 * torch.ones_like(learner.optimizer.mean))  # ratios that are not 1
    for batch in learner.batches(samples):
        losses, gradient = descend(learner, batch)
        gradient = gradient.clone()
        for p, cfg in enumerate(learner.cfgs):
            wanted, total = plain_gradient(learner, batch, p, cfg)
            assert float(losses.total[p].detach()) == pytest.approx(float(total.detach()))
            torch.testing.assert_close(gradient[p], wanted, rtol=1e-9, atol=1e-11)


def plain_gradient(learner, batch, p, cfg):
    networks = learner.networks
    policy, value = Plain(networks.policy, p), Plain(networks.value, p)
    sequences, length = batch.policy_inputs, 3
    outputs, values = [], []
    for s in range(sequences.features.shape[1]):
        for network, own, found in (
            (policy, batch.policy_inputs, outputs),
            (value, batch.value_inputs, values),
        ):
            state = network.unpack(own.state[p, s])
            for t in range(length):
                if own.starts[p, s, t]:
                    state = network.nothing()
                output, state = network(own.features[p, s, t], state)
                found.append(output)
    outputs, values = torch.stack(outputs), torch.stack(values)[:, 0]
    extra = []
    if networks.log_std is None:
        chosen = distributions.Categorical(logits=outputs)
        log_prob, entropy = chosen.log_prob(batch.actions[p][:, 0]), chosen.entropy()
    else:
        log_std = networks.log_std[p].detach().clone().requires_grad_()
        extra = [log_std]
        chosen = distributions.Normal(outputs, log_std.exp())
        log_prob, entropy = chosen.log_prob(batch.actions[p]).sum(-1), chosen.entropy().sum(-1)
    share = batch.weights[p] / batch.weights[p].sum()
    ratio = (log_prob - batch.log_prob[p]).exp()
    gain = batch.advantages[p]
    gain = torch.min(ratio * gain, ratio.clamp(1 - cfg.ratio_clip, 1 + cfg.ratio_clip) * gain)
    errors = (values - batch.returns[p]) ** 2
    bonus = cfg.entropy_loss_scale * entropy
    total = (share * (cfg.value_loss_scale * errors - gain - bonus)).sum()
    own = [parameter for network in (policy, value) for _, parameter in network.pairs]
    found = torch.autograd.grad(total, [*own, *extra])
    return torch.cat([g.t().reshape(-1) if g.dim() == 2 else g for g in found]), total


@pytest.mark.parametrize("cell", CELLS)
def test_members_of_a_stack_learn_as_each_alone(cell):
    settings = {"learning_epochs": 2, "observation_normalization": True, "value_clip": 0.2}
    stack = make(cell, (5, 6, 7), **settings)
    singles = [make(cell, (seed,), **settings) for seed in (5, 6, 7)]
    for t in range(21):
        acted = step(stack, t).actions.chunk(3)
        for own, learner in zip(acted, singles, strict=True):
            assert torch.equal(own, step(learner, t).actions)
        if stack.ready_to_learn:
            for learner in (stack, *singles):
                learner.update(timestep=t, timesteps=40)
    for p, learner in enumerate(singles):
        assert_close(stack.member_state(p), learner.member_state())


def assert_close(one, other):
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_close(one[key], other[key])
    elif isinstance(one, torch.Tensor) and one.is_floating_point():
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    else:
        assert one == other


def test_what_is_remembered_starts_anew_where_episodes_end_and_when_they_are_cut():
    learner = make(members=(5, 6))
    for t in range(4):
        starts = step(learner, t).starts.view(2, ENVS)
        forgotten = ~learner.hidden.now.any(-1)
        assert torch.equal(forgotten, starts)
    assert not forgotten.all()
    learner.cut()
    assert not learner.hidden.now.any()
    for t in range(4, 6):
        step(learner, t)
    starts = learner.prepare().samples.policy_inputs.starts
    assert starts.shape == (2, 6, 3)
    assert starts[:, 1::2, 1].all()  # the fifth timestep, behind the cut


def test_asking_twice_gives_the_same_actions_and_remembers_one_step():
    once, twice = make("lstm"), make("lstm")
    for t in range(5):
        twice.act(numbers(twice, t, 1, 3))
        assert torch.equal(step(once, t).actions, step(twice, t).actions)
        assert torch.equal(once.hidden.now, twice.hidden.now)


def test_steps_that_others_chose_are_remembered_too():
    acted, told = make(), make()
    for t in range(5):
        transition = step(acted, t)
        told.record(transition)
        assert torch.equal(acted.hidden.now, told.hidden.now)


def agent(**settings):
    spaces_given = {
        name: settings.pop(name)
        for name in ("observation_space", "action_space", "models")
        if name in settings
    }
    return PPORNN(
        **{"observation_space": OBSERVATIONS, "action_space": BOX, **spaces_given},
        cfg={**SMALL, **settings},
    )


def test_evaluation_remembers_apart_from_training():
    one, other = agent(), agent()
    for each in (one, other):
        each.setup(ENVS)
    seen = [torch.full((ENVS, 3), 0.1 * t) for t in range(4)]
    for each in (one, other):
        each.act(seen[0])
    other.enable_training_mode(False)
    first = other.act(seen[1], deterministic=True)
    second = other.act(seen[1], deterministic=True)
    assert not torch.equal(first, second)
    other.episodes_ended(torch.tensor([True, False, True]))
    third = other.act(seen[1], deterministic=True)
    assert torch.equal(third[0], first[0])
    assert torch.equal(third[2], first[2])
    assert not torch.equal(third[1], first[1])
    assert other.act(torch.zeros(7, 3)).shape == (7, 2)  # as many instances as there are
    other.enable_training_mode(False)
    assert torch.equal(other.act(seen[1], deterministic=True), first)
    other.enable_training_mode(True)
    assert torch.equal(one.act(seen[2]), other.act(seen[2]))


def test_dict_observations_are_flattened():
    nested = spaces.Dict({"a": OBSERVATIONS, "b": spaces.Discrete(4)})
    made = agent(observation_space=nested)
    made.setup(2)
    seen = {"a": torch.zeros(2, 3), "b": torch.zeros(2, dtype=torch.int64)}
    assert made.act(seen).shape == (2, 2)
    assert made.learner.networks.policy.features == 7


def test_sequences_that_do_not_fit_are_refused():
    with pytest.raises(
        ConfigError, match="sequence_length = 4: expected a divisor of rollouts = 6"
    ):
        PPORNNCfg(rollouts=6, sequence_length=4)
    with pytest.raises(ConfigError, match="for example 3"):
        agent(sequence_length=4)
    assert PPORNNCfg(rollouts=6, sequence_length=None).length == 6
    with pytest.raises(ConfigError, match="has 3 sequences of 6, which can't be cut into 4"):
        agent(sequence_length=None, mini_batches=4).setup(3)


def test_what_it_can_not_see_or_take_is_refused():
    camera = spaces.Dict({"camera": spaces.Box(0, 255, (8, 8, 3), np.uint8)})
    with pytest.raises(ConfigError, match=r"observations.camera is an image of shape \(8, 8, 3\)"):
        agent(observation_space=camera)
    with pytest.raises(ConfigError, match="policy"):
        agent(models={"policy": nn.Linear(3, 2), "value": nn.Linear(3, 1)})


def test_a_state_of_another_agent_is_refused():
    plain = PPO(observation_space=OBSERVATIONS, action_space=BOX)
    made = agent()
    with pytest.raises(Exception, match="hidden is missing"):
        made.load_state_dict(plain.state_dict())
    wider = agent(model={"hidden_size": 9})
    before = made.state_dict()
    with pytest.raises(Exception, match="another PPO-RNN agent"):
        made.load_state_dict(wider.state_dict())
    assert_close(before, made.state_dict())
