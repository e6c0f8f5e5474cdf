"""Recurrent SAC: sequences of the memory, and updates against a plain implementation."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from coterie import ConfigError, Transition, make_env
from coterie_agents import SACRNN, SequenceReplayMemory, SharedReplay

OBSERVATIONS = spaces.Box(-2.0, 2.0, (3,), np.float32)
STATES = spaces.Box(-2.0, 2.0, (4,), np.float32)
ACTIONS = spaces.Box(-2.0, 1.0, (2,), np.float32)
SMALL = {
    "model": {"hidden_size": 5, "sizes_before": (4,), "sizes_after": (6,)},
    "batch_size": 4,
    "sequence_length": 3,
    "burn_in": 2,
    "memory_size": 90,
    "learning_starts": 10,
    "random_timesteps": 3,
    "actor_learning_rate": 2e-2,
    "critic_learning_rate": 3e-2,
    "temperature_learning_rate": 0.1,
    "polyak": 0.1,
}
EACH = ({}, {"discount_factor": 0.5, "polyak": 0.3}, {"critic_learning_rate": 1e-2})
ENVS = 3


def make(members=(5,), cell="gru", state_space=None, **settings):
    model = {**SMALL["model"], "cell": cell}
    cfgs = [
        SACRNN(
            observation_space=OBSERVATIONS,
            action_space=ACTIONS,
            cfg={**SMALL, **settings, "model": model, **EACH[seed % 3]},
        ).cfg
        for seed in members
    ]
    learner = SACRNN.learner_class(
        observation_space=OBSERVATIONS,
        action_space=ACTIONS,
        state_space=state_space,
        cfgs=cfgs,
        generators=[torch.Generator().manual_seed(seed) for seed in members],
        seeds=members,
        dtype=torch.float64,
    )
    learner.allocate(ENVS)
    return learner


def numbers(learner, timestep, salt, size):
    drawn = []
    for seed in learner.seeds:
        generator = torch.Generator().manual_seed(10_000 * salt + 100 * seed + timestep)
        drawn.append(torch.rand(ENVS, size, generator=generator) * 4 - 2)
    return torch.cat(drawn)


def step(learner, timestep):
    lots = numbers(learner, timestep, 3, 3)
    private = learner.state_space is not None
    seen = numbers(learner, timestep, 1, 3)
    learner.record(
        Transition(
            observations=seen,
            actions=learner.act(seen),
            rewards=lots[:, 0],
            next_observations=numbers(learner, timestep, 4, 3),
            terminated=lots[:, 1] > 1.4,
            truncated=lots[:, 2] > 1.2,
            valid=lots[:, 2] > -1.6,
            all_valid=False,
            states=numbers(learner, timestep, 5, 4) if private else None,
            next_states=numbers(learner, timestep, 6, 4) if private else None,
        )
    )


def train(learner, steps, start=0):
    for timestep in range(start, start + steps):
        step(learner, timestep)
        if learner.ready_to_learn:
            learner.update(timestep=timestep, timesteps=100)


def counting_memory(length, capacity=7, valid=True, steps=20):
    """A memory of two members with two instances, whose samples say where they come from."""
    fields = dict.fromkeys(("member", "instance", "number"), ((), torch.int64))
    fields |= {"rewards": ((), torch.float64)}
    fields |= dict.fromkeys(("terminated", "truncated"), ((), torch.bool))
    memory = SequenceReplayMemory(fields, capacity, 2, 2, length=length)
    member, instance = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
    counts = torch.zeros(4, dtype=torch.int64)
    for t in range(steps):
        counted = torch.ones(4, dtype=torch.bool)
        if not valid:
            counted[t % 3] = False
        flags = torch.zeros(4, dtype=torch.bool)
        samples = [member, instance, counts, torch.zeros(4), flags, flags]
        memory.write(samples, None if valid else counted)
        counts = counts + counted
    return memory, counts.view(2, 2)


@pytest.mark.parametrize("valid", [True, False])
@pytest.mark.parametrize("length", [1, 3, 7])
def test_every_sequence_is_as_likely_and_whole(valid, length):
    memory, counts = counting_memory(length, valid=valid)
    uniforms = torch.arange(0.5, 1000) / 1000
    batch = memory.pick(uniforms.double().expand(2, -1))
    by_sequence = {name: batch[name].view(2, -1, length) for name in ("instance", "number")}
    assert torch.equal(batch["member"], torch.tensor([[0], [1]]).expand(2, 1000 * length))
    assert torch.equal(by_sequence["number"], by_sequence["number"][..., :1] + torch.arange(length))
    assert torch.equal(
        by_sequence["instance"], by_sequence["instance"][..., :1].expand(2, -1, length)
    )
    for p in range(2):
        starts = set()
        for n in range(2):
            head = int(counts[p, n])
            starts |= {(n, s) for s in range(head - 7, head - length + 1)}
        found = list(
            zip(
                by_sequence["instance"][p, :, 0].tolist(),
                by_sequence["number"][p, :, 0].tolist(),
                strict=True,
            )
        )
        assert set(found) == starts
        shares = [found.count(start) / 1000 for start in starts]
        assert max(shares) - min(shares) <= 0.0021


def test_instances_without_a_whole_sequence_are_left_out():
    memory, counts = counting_memory(4, valid=False, steps=4)
    assert counts.tolist() == [[2, 3], [3, 4]]
    memory.columns.load(torch.tensor([2, 4]), 0)  # as if the second instance had gone on
    batch = memory.pick((torch.arange(0.5, 10) / 10).double().expand(2, -1))
    assert batch["instance"][1].unique().tolist() == [1]
    assert torch.equal(batch["number"][1], torch.arange(4).repeat(10))


class Plain(nn.Module):
    """One network from torch's modules; an action may join behind its memory."""

    def __init__(self, network, row):
        super().__init__()
        named = {name: p.detach()[row] for name, p in network.named_parameters()}
        kind = nn.LSTM if network.cell.parts == 2 else nn.GRU
        double = {"dtype": torch.float64}
        self.before = nn.Linear(*named["before_weight_0"].shape, **double)
        self.memory = kind(self.before.out_features, network.hidden_size, **double)
        self.join = nn.Linear(*named["after_weight_0"].shape, **double)
        self.last = nn.Linear(*named["after_weight_1"].shape, **double)
        self.pairs = [
            ("before_weight_0", self.before.weight),
            ("before_bias_0", self.before.bias),
            ("weight_ih_0", self.memory.weight_ih_l0),
            ("weight_hh_0", self.memory.weight_hh_l0),
            ("bias_ih_0", self.memory.bias_ih_l0),
            ("bias_hh_0", self.memory.bias_hh_l0),
            ("after_weight_0", self.join.weight),
            ("after_bias_0", self.join.bias),
            ("after_weight_1", self.last.weight),
            ("after_bias_1", self.last.bias),
        ]
        for name, own in self.pairs:
            own.data.copy_(named[name].t() if "weight" in name else named[name][0])

    def walk(self, rows, starts, burn_in):
        """Go through one sequence; return what is seen, and states, behind the burn-in."""
        state, seen, states = None, [], []
        for t, row in enumerate(rows):
            if starts[t]:
                state = None
            if t == burn_in and state is not None:
                state = (
                    tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
                )
            hidden, state = self.memory(self.before(row)[None].tanh(), state)
            seen.append(hidden[0])
            states.append(state)
        return seen[burn_in:], states[burn_in:]

    def on(self, row, state):
        return self.memory(self.before(row)[None].tanh(), state)[0][0]

    def say(self, seen, action=None):
        joined = seen if action is None else torch.cat([seen, action])
        return self.last(self.join(joined).tanh())

    def gradient(self, loss):
        found = torch.autograd.grad(loss, [p for _, p in self.pairs], retain_graph=True)
        return torch.cat([g.t().reshape(-1) if g.dim() == 2 else g for g in found])


def squash(output, noise):
    mean, log_std = output[:2], output[2:].clamp(-20, 2)
    before = mean + log_std.exp() * noise
    normal = torch.distributions.Normal(mean, log_std.exp()).log_prob(before)
    action = before.tanh()
    return action, (normal - torch.log1p(-action.square())).sum()


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("states", [None, STATES])
def test_gradients_equal_a_plain_implementation(cell, states):
    learner = make((5, 6, 7), cell, states)
    train(learner, 14)
    samples = learner.draw()
    networks = learner.networks
    noise = learner.update_noise.current().double()
    plain = [
        {
            "actor": Plain(networks.actor.network, p),
            "critics": [Plain(networks.critics.network, 2 * p + k) for k in (0, 1)],
            "targets": [Plain(networks.target_critics.network, 2 * p + k) for k in (0, 1)],
        }
        for p in range(3)
    ]
    caught, temperature = {}, learner.temperature.clone()
    learner.descend = lambda name, gradient, loss: caught.setdefault(
        name, (gradient.clone(), loss.detach())
    )[1]
    learner.learn(samples)  # no network moves, so the actor is valued by the same critics
    for p, own in enumerate(plain):
        critic_loss, actor_loss = plain_losses(
            learner, samples, noise[p], p, own, float(temperature[p])
        )
        gradient, loss = caught["critics"]
        torch.testing.assert_close(loss[p], critic_loss.detach())
        wanted = torch.cat([critic.gradient(critic_loss) for critic in own["critics"]])
        torch.testing.assert_close(gradient[p], wanted, rtol=1e-8, atol=1e-11)
        gradient, loss = caught["actor"]
        torch.testing.assert_close(loss[p], actor_loss.detach())
        wanted = own["actor"].gradient(actor_loss)
        torch.testing.assert_close(gradient[p], wanted, rtol=1e-8, atol=1e-11)


def plain_losses(learner, samples, noise, p, own, alpha):
    """SAC's losses of one member, sequence by sequence and step by step."""
    burn_in, length = 2, 3
    critic_losses, actor_losses = [], []
    for s in range(4):
        starts = samples.observations.starts[p, s]
        rows, sees = samples.observations.features[p, s], samples.states.features[p, s]
        seen, after = own["actor"].walk(rows, starts, burn_in)
        valued = [critic.walk(sees, starts, burn_in)[0] for critic in own["critics"]]
        behind = [target.walk(sees, starts, burn_in)[1] for target in own["targets"]]
        for t in range(length):
            at = s * length + t
            with torch.no_grad():
                following = own["actor"].on(samples.next_observations[p, at], after[t])
                action, log_prob = squash(own["actor"].say(following), noise[0, at])
                values = [
                    target.say(target.on(samples.next_states[p, at], state[t]), action)
                    for target, state in zip(own["targets"], behind, strict=True)
                ]
                target = samples.rewards[p, at]
                if not samples.terminated[p, at]:
                    soft = torch.min(*values)[0] - alpha * log_prob
                    target = target + learner.cfgs[p].discount_factor * soft
            for critic, steps in zip(own["critics"], valued, strict=True):
                error = critic.say(steps[t], samples.actions[p, at])[0] - target
                critic_losses.append(error**2)
            action, log_prob = squash(own["actor"].say(seen[t]), noise[1, at])
            values = [
                critic.say(steps[t].detach(), action)
                for critic, steps in zip(own["critics"], valued, strict=True)
            ]
            actor_losses.append(alpha * log_prob - torch.min(*values)[0])
    return 2 * torch.stack(critic_losses).mean(), torch.stack(actor_losses).mean()


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_members_of_a_stack_equal_each_alone(cell):
    settings = {"observation_normalization": True, "gradient_steps": 2}
    stack = make((5, 6, 7), cell, **settings)
    train(stack, 16)
    for p, seed in enumerate((5, 6, 7)):
        alone = make((seed,), cell, **settings)
        train(alone, 16)
        assert alone.descents > 5
        assert_close(stack.member_state(p), alone.member_state())


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


def test_it_remembers_while_it_acts_at_random_and_forgets_with_the_episode():
    learner = make((5, 6), random_timesteps=50)
    for timestep in range(5):
        step(learner, timestep)
        lots = numbers(learner, timestep, 3, 3)
        starts = (lots[:, 1] > 1.4) | (lots[:, 2] > 1.2) | ~(lots[:, 2] > -1.6)
        assert torch.equal(~learner.hidden.now.any(-1).flatten(), starts)
    learner.cut()
    assert not learner.hidden.now.any()


def test_evaluation_remembers_apart_from_training():
    one, other = (
        SACRNN(observation_space=OBSERVATIONS, action_space=ACTIONS, cfg=SMALL) for _ in "ab"
    )
    seen = torch.full((ENVS, 3), 0.3)
    for agent in (one, other):
        agent.setup(ENVS)
        agent.act(seen)
    other.enable_training_mode(False)
    first, second = (other.act(seen, deterministic=True) for _ in "ab")
    assert not torch.equal(first, second)
    other.episodes_ended(torch.ones(ENVS, dtype=torch.bool))
    assert torch.equal(other.act(seen, deterministic=True), first)
    other.enable_training_mode(True)
    assert_close(one.state_dict(), other.state_dict())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_starts": 9}, "expected at least 10, twice burn_in"),
        ({"memory": "prioritized"}, "sampled 'uniform' only"),
        ({"n_step": 3}, "look 1 step ahead"),
        ({"model": {"sizes_after": ()}}, "sizes_after is empty"),
        ({"memory_size": 20}, "raise memory_size"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        SACRNN(
            observation_space=OBSERVATIONS, action_space=ACTIONS, cfg={**SMALL, **settings}
        ).setup(ENVS)


def test_shared_memories_and_images_are_refused():
    env = make_env("torch:Pendulum-v1", num_envs=2, seed=0)
    shared = SharedReplay.for_env(env, members=2, capacity=20)
    with pytest.raises(ConfigError, match="learns from sequences"):
        SACRNN(
            observation_space=env.observation_space,
            action_space=env.action_space,
            memory=shared.part(0),
        )
    picture = spaces.Box(0, 255, (8, 8, 3), np.uint8)
    with pytest.raises(ConfigError, match="sees vectors, but states is an image"):
        SACRNN(observation_space=OBSERVATIONS, action_space=ACTIONS, state_space=picture)
