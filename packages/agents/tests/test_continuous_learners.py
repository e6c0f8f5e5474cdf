"""Updates of DDPG, TD3 and SAC against plain single-agent implementations, in float64."""

import math

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from coterie import ConfigError, SequentialTrainer, Transition
from coterie.testing import CountingEnv
from coterie_agents import DDPG, SAC, TD3

OBSERVATIONS = spaces.Box(-2.0, 2.0, (3,), np.float32)
STATES = spaces.Box(-2.0, 2.0, (4,), np.float32)
ACTIONS = spaces.Box(-2.0, 1.0, (2,), np.float32)
KINDS = {"ddpg": DDPG, "td3": TD3, "sac": SAC}
SMALL = {
    "model": {"hidden_sizes": (9, 8), "critic_hidden_sizes": (7, 6)},
    "batch_size": 16,
    "memory_size": 200,
    "learning_starts": 4,
    "random_timesteps": 3,
    "actor_learning_rate": 2e-2,
    "critic_learning_rate": 3e-2,
    "polyak": 0.1,
}


def make(kind, members=(5,), state_space=None, each=({},), dtype=torch.float64, **settings):
    """A learner with a member for each seed; ``each`` are settings of single members."""
    agent = KINDS[kind]
    model = {**SMALL["model"], **settings.pop("model", {})}
    probe = [
        agent(
            observation_space=OBSERVATIONS,
            action_space=ACTIONS,
            cfg={**SMALL, **settings, "model": model, **own},
        )
        for own in (each * len(members) if len(each) == 1 else each)
    ]
    learner = agent.learner_class(
        observation_space=OBSERVATIONS,
        action_space=ACTIONS,
        state_space=state_space,
        cfgs=[one.cfg for one in probe],
        generators=[torch.Generator().manual_seed(seed) for seed in members],
        seeds=members,
        dtype=dtype,
    )
    learner.allocate(3)
    return learner


def numbers(shape, member, timestep, name):
    generator = torch.Generator().manual_seed(hash((member, timestep, name)) % 2**31)
    return torch.rand(shape, generator=generator) * 4 - 2


def rows(learner, timestep, name, size):
    drawn = [numbers((3, size), seed, timestep, name) for seed in learner.seeds]
    return torch.cat(drawn)


def step(learner, timestep, reward=None):
    """Act once and record it; what the environment says depends on member and timestep alone."""
    observed = rows(learner, timestep, 1, 3)
    private = learner.state_space is not None
    actions = learner.act(observed, timestep=timestep, timesteps=100)
    rewards = observed[:, 0] - actions.square().sum(-1)
    instances = torch.arange(len(observed)) % 3
    learner.record(
        Transition(
            observations=observed,
            actions=actions,
            rewards=rewards if reward is None else reward(rewards),
            next_observations=rows(learner, timestep + 1, 1, 3),
            terminated=(instances + timestep) % 5 == 0,
            truncated=(instances + timestep) % 4 == 0,
            valid=torch.ones(len(observed), dtype=torch.bool),
            states=rows(learner, timestep, 2, 4) if private else None,
            next_states=rows(learner, timestep + 1, 2, 4) if private else None,
        )
    )
    return actions


def train(learner, steps, start=0, **options):
    """Run the loop of an agent; return the scalars of the last update."""
    scalars = None
    for timestep in range(start, start + steps):
        step(learner, timestep, **options)
        if learner.ready_to_learn:
            scalars = learner.update(timestep=timestep, timesteps=100)
    return scalars


class Plain:
    """One member as ordinary modules, optimisers and a literal update."""

    def __init__(self, learner, member):
        self.learner, self.p, self.cfg = learner, member, learner.cfgs[member]
        networks, count = learner.networks, learner.critics
        self.actor = modules(networks.actor.network, member)
        own = range(member * count, (member + 1) * count)
        self.critics = [modules(networks.critics.network, row) for row in own]
        self.target_actor = modules(networks.target_actor.network, member)
        self.targets = [modules(networks.target_critics.network, row) for row in own]
        eps = self.cfg.adam_epsilon
        self.actor_adam = torch.optim.Adam(
            self.actor.parameters(), lr=self.cfg.actor_learning_rate, eps=eps
        )
        critics = [p for critic in self.critics for p in critic.parameters()]
        self.critic_adam = torch.optim.Adam(critics, lr=self.cfg.critic_learning_rate, eps=eps)
        if learner.kind == "sac":
            start = math.log(self.cfg.temperature)
            self.log_alpha = torch.tensor(start, dtype=torch.float64, requires_grad=True)
            self.alpha_adam = torch.optim.Adam(
                [self.log_alpha], lr=self.cfg.temperature_learning_rate, eps=eps
            )
        self.steps = 0

    def policy(self, inputs, noise):
        mean, log_std = self.actor(inputs).chunk(2, -1)
        normal = torch.distributions.Normal(mean, log_std.clamp(-20, 2).exp())
        before = normal.mean + normal.stddev * noise
        log_prob = normal.log_prob(before) - torch.log(1 - torch.tanh(before) ** 2)
        return torch.tanh(before), log_prob.sum(-1)

    def values(self, critics, states, actions):
        return [critic(torch.cat([states, actions], -1)).squeeze(-1) for critic in critics]

    def target(self, samples, noise):
        p, cfg = self.p, self.cfg
        with torch.no_grad():
            if self.learner.kind == "sac":
                actions, log_prob = self.policy(samples.next_observations[p], noise[0])
                values = self.values(self.targets, samples.next_states[p], actions)
                behind = torch.min(*values) - self.log_alpha.exp() * log_prob
            else:
                actions = torch.tanh(self.target_actor(samples.next_observations[p]))
                if self.learner.kind == "td3":
                    clip = cfg.target_noise_clip
                    actions = actions + (noise[0] * cfg.target_noise).clamp(-clip, clip)
                    actions = actions.clamp(-1, 1)
                values = self.values(self.targets, samples.next_states[p], actions)
                behind = values[0] if len(values) == 1 else torch.min(*values)
            on = ~samples.terminated[p]
            return samples.rewards[p] + samples.discounts[p] * torch.where(on, behind, 0.0)

    def learn(self, samples, noise):
        p, sac = self.p, self.learner.kind == "sac"
        target = self.target(samples, noise)
        values = self.values(self.critics, samples.states[p], samples.actions[p])
        self.descend(self.critic_adam, sum(((v - target) ** 2).mean() for v in values))
        self.steps += 1
        if self.steps % getattr(self.cfg, "policy_delay", 1):
            return
        if sac:
            actions, log_prob = self.policy(samples.observations[p], noise[1])
            values = torch.min(*self.values(self.critics, samples.states[p], actions))
            loss = (self.log_alpha.exp().detach() * log_prob - values).mean()
        else:
            actions = torch.tanh(self.actor(samples.observations[p]))
            loss = -self.values(self.critics, samples.states[p], actions)[0].mean()
        self.descend(self.actor_adam, loss)
        if sac and self.cfg.automatic_temperature:
            wanted = -2.0 if self.cfg.target_entropy is None else self.cfg.target_entropy
            self.descend(self.alpha_adam, -self.log_alpha * (log_prob.detach() + wanted).mean())
        self.average()

    def descend(self, adam, loss):
        adam.zero_grad()
        loss.backward()
        parameters = [p for group in adam.param_groups for p in group["params"]]
        if self.cfg.grad_norm_clip and len(parameters) > 1:
            nn.utils.clip_grad_norm_(parameters, self.cfg.grad_norm_clip)
        adam.step()

    def average(self):
        pairs = [(self.target_actor, self.actor), *zip(self.targets, self.critics, strict=True)]
        with torch.no_grad():
            for target, online in pairs:
                for old, new in zip(target.parameters(), online.parameters(), strict=True):
                    old.copy_((1 - self.cfg.polyak) * old + self.cfg.polyak * new)

    def check(self):
        networks, count = self.learner.networks, self.learner.critics
        close(self.actor, networks.actor.network, self.p)
        if networks.target_actor is not networks.actor:
            close(self.target_actor, networks.target_actor.network, self.p)
        for k in range(count):
            close(self.critics[k], networks.critics.network, self.p * count + k)
            close(self.targets[k], networks.target_critics.network, self.p * count + k)
        if self.learner.kind == "sac":
            mine = self.learner.temperature[self.p]
            torch.testing.assert_close(mine, self.log_alpha.detach().exp())


def modules(network, row):
    layers = []
    parameters = list(network.parameters())
    for weight, bias in zip(parameters[::2], parameters[1::2], strict=True):
        linear = nn.Linear(*weight.shape[1:], dtype=weight.dtype)
        linear.weight.data = weight[row].detach().t().clone()
        linear.bias.data = bias[row, 0].detach().clone()
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def close(module, network, row):
    mine = list(network.parameters())
    theirs = [layer for layer in module if isinstance(layer, nn.Linear)]
    for i, layer in enumerate(theirs):
        wanted = layer.weight.detach().t()
        torch.testing.assert_close(mine[2 * i][row].detach(), wanted, rtol=1e-9, atol=1e-9)
        wanted = layer.bias.detach()
        torch.testing.assert_close(mine[2 * i + 1][row, 0].detach(), wanted, rtol=1e-9, atol=1e-9)


VARIANTS = [
    ("ddpg", {}),
    ("ddpg", {"n_step": 3, "grad_norm_clip": 0.05}),
    ("td3", {}),
    ("td3", {"policy_delay": 3, "grad_norm_clip": 0.05}),
    ("sac", {}),
    ("sac", {"automatic_temperature": False, "temperature": 0.3}),
    ("sac", {"target_entropy": 0.5, "temperature_learning_rate": 0.1, "grad_norm_clip": 0.05}),
]


@pytest.mark.parametrize(("kind", "settings"), VARIANTS)
def test_updates_equal_a_plain_implementation(kind, settings):
    each = ({}, {"discount_factor": 0.5, "polyak": 0.3}, {"critic_learning_rate": 1e-2})
    private = len(settings) != 1
    learner = make(kind, (5, 6, 7), STATES if private else None, each, **settings)
    for timestep in range(9):
        step(learner, timestep)
    plain = [Plain(learner, p) for p in range(3)]
    for _ in range(4):
        samples = learner.draw()
        noise = learner.update_noise and learner.update_noise.current().double()
        learner.learn(samples)
        for p, one in enumerate(plain):
            one.learn(samples, None if noise is None else noise[p])
            one.check()


@pytest.mark.parametrize(("kind", "settings"), VARIANTS)
def test_members_of_a_stack_equal_each_alone(kind, settings):
    each = ({}, {"discount_factor": 0.5, "polyak": 0.3}, {"actor_learning_rate": 1e-2})
    seeds = (5, 6, 7)
    settings = {**settings, "observation_normalization": True, "gradient_steps": 2}
    stacked = make(kind, seeds, each=each, **settings)
    train(stacked, 14)
    for p, seed in enumerate(seeds):
        alone = make(kind, (seed,), each=(each[p],), **settings)
        train(alone, 14)
        assert_close_states(stacked.member_state(p), alone.member_state())


def assert_close_states(one, other):
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_close_states(one[key], other[key])
    elif isinstance(one, torch.Tensor) and one.is_floating_point():
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    else:
        assert one == other


@pytest.mark.parametrize("kind", KINDS)
def test_first_actions_are_uniform_and_reach_the_bounds(kind):
    learner = make(kind, (1, 2), random_timesteps=400)
    actions = torch.cat([step(learner, t) for t in range(300)])
    low, high = (torch.from_numpy(b) for b in (ACTIONS.low, ACTIONS.high))
    share = (actions - low) / (high - low)
    assert bool((share >= 0).all() & (share <= 1).all())
    counts = torch.histc(share, 10, 0, 1) / share.numel()
    assert float((counts - 0.1).abs().max()) < 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_stored_actions_are_those_that_were_done(kind):
    learner = make(kind, (1, 2))
    done = [step(learner, t) for t in range(8)]
    stored = learner.memory.tensors["actions"][:8].flatten(1, 2)
    for t in range(8):
        torch.testing.assert_close(learner.to_env(stored[t]), done[t])


@pytest.mark.parametrize("kind", ["ddpg", "td3"])
def test_exploration_adds_noise_of_the_wanted_size(kind):
    each = ({"exploration_noise": 0.05}, {"exploration_noise": 0.2})
    learner = make(kind, (1, 2), each=each)
    inputs = torch.zeros(2, 2000, 3, dtype=torch.float64)
    noise = torch.randn(2, 2000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        added = learner.explore(inputs, noise) - learner.best(inputs)
        assert float(learner.explore(inputs, 100 * noise).abs().max()) <= 1
    torch.testing.assert_close(
        added.std((1, 2)), torch.tensor([0.05, 0.2], dtype=torch.float64), rtol=0.05, atol=0
    )


def test_the_actor_and_the_targets_wait_for_their_turn():
    learner = make("td3", policy_delay=3)
    for timestep in range(9):
        step(learner, timestep)
    networks = learner.networks
    for descent in range(1, 8):
        actor, target = networks.actor.matrix.clone(), networks.target_critics.flat.matrix.clone()
        critics = networks.critics.flat.matrix.clone()
        scalars = learner.learn(learner.draw()).scalars
        due = descent % 3 == 0
        assert torch.equal(actor, networks.actor.matrix) != due
        assert torch.equal(target, networks.target_critics.flat.matrix) != due
        assert not torch.equal(critics, networks.critics.flat.matrix)
        assert ("loss/actor" in scalars) == due


def test_temperature_moves_towards_the_target_entropy():
    # Entropy of actions from -1 to 1 is at most 2 log 2: a target of 9 is out of reach.
    each = ({"target_entropy": 9.0}, {"target_entropy": -9.0})
    learner = make("sac", (1, 2), each=each, temperature=0.5, temperature_learning_rate=1e-2)
    (scalars, _) = train(learner, 12)
    assert float(learner.temperature[0]) > 0.5 > float(learner.temperature[1])
    assert scalars["entropy"] < 9.0
    assert math.isfinite(scalars["loss/temperature"])


def test_a_fixed_temperature_stays():
    learner = make("sac", temperature=0.25, automatic_temperature=False)
    (scalars,) = train(learner, 12)
    assert scalars["temperature"] == pytest.approx(0.25)
    assert "loss/temperature" not in scalars


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_with_a_loss_that_is_not_finite_is_frozen_and_the_others_go_on(kind):
    stacked, well = make(kind, (5, 6, 7)), make(kind, (5, 6, 7))
    for learner in (stacked, well):
        train(learner, 10)
    frozen = stacked.member_state(1)["networks"]

    def spoil(rewards):
        return torch.cat([rewards[:3], torch.full_like(rewards[3:6], math.inf), rewards[6:]])

    train(stacked, 25, start=10, reward=spoil)
    train(well, 25, start=10)
    failures = stacked.take_failures()
    assert list(failures) == [1]
    assert "the loss of the critics is inf" in str(failures[1])
    assert "lower learning rates" in str(failures[1])
    for p in (0, 2):
        for name in ("networks", "optimizers"):
            assert_close_states(stacked.member_state(p)[name], well.member_state(p)[name])
    # The first batch has a spoiled sample in it: nothing was learned, no target has moved.
    for name, state in stacked.member_state(1)["networks"].items():
        assert all(torch.equal(state[key], frozen[name][key]) for key in state)


@pytest.mark.parametrize("kind", KINDS)
def test_one_member_alone_raises_by_name(kind):
    agent = KINDS[kind](
        observation_space=OBSERVATIONS, action_space=ACTIONS, name="lucy", cfg=SMALL
    )
    agent.setup(3)
    learner = agent.learner
    for timestep in range(5):
        step(learner, timestep, reward=lambda rewards: rewards * math.nan)
    before = learner.networks.critics.flat.matrix.clone()
    with pytest.raises(FloatingPointError, match=r"'lucy'.*update 1; the weights are those from"):
        agent.post_interaction(timestep=4, timesteps=100)
    assert torch.equal(before, learner.networks.critics.flat.matrix)


@pytest.mark.parametrize("kind", KINDS)
def test_learning_rates_fall_to_nothing(kind):
    learner = make(kind, (1, 2), learning_rate_scheduler="linear")
    learner.start_update(0.75)
    torch.testing.assert_close(
        learner.optimizers["actor"].learning_rate, torch.full((2,), 5e-3, dtype=torch.float64)
    )
    learner.start_update(1.0)
    assert not any(o.learning_rate.any() for o in learner.optimizers.values())


@pytest.mark.parametrize("kind", KINDS)
def test_settings_change_while_it_lives(kind):
    agent = KINDS[kind](observation_space=OBSERVATIONS, action_space=ACTIONS, cfg=SMALL)
    agent.setup(3)
    agent.reconfigure({"critic_learning_rate": 0.5, "polyak": 0.75, "discount_factor": 0.5})
    learner = agent.learner
    assert learner.optimizers["critics"].learning_rate.tolist() == [0.5]
    assert learner.optimizers["actor"].learning_rate.tolist() == [2e-2]
    assert learner.polyak.item() == 0.75
    with pytest.raises(ConfigError, match="batch_size can't change while the agent lives"):
        agent.reconfigure({"batch_size": 3})


def test_a_new_temperature_counts_from_now_on():
    agent = SAC(observation_space=OBSERVATIONS, action_space=ACTIONS, cfg=SMALL)
    agent.setup(3)
    agent.reconfigure({"temperature": 0.25, "target_entropy": -3.0})
    assert agent.learner.temperature.item() == pytest.approx(0.25)
    assert agent.learner.target_entropy.item() == -3.0


@pytest.mark.parametrize("kind", KINDS)
def test_what_can_not_be_used_is_refused(kind):
    agent = KINDS[kind]
    with pytest.raises(ConfigError, match=r"needs a Box .* got Discrete"):
        agent(observation_space=OBSERVATIONS, action_space=spaces.Discrete(2))
    endless = spaces.Box(-np.inf, np.inf, (2,), np.float32)
    with pytest.raises(ConfigError, match="must be finite"):
        agent(observation_space=OBSERVATIONS, action_space=endless)
    with pytest.raises(ConfigError, match="policy"):
        agent(
            observation_space=OBSERVATIONS,
            action_space=ACTIONS,
            models={"policy": nn.Linear(3, 2)},
        )


def drifting(members=(1, 2), **settings):
    each = ({"exploration_noise": 0.05}, {"exploration_noise": 0.2, "noise_reversion": 0.5})
    each = each[: len(members)]
    return make("ddpg", members, each=each, noise="ornstein_uhlenbeck", **settings)


def test_ornstein_uhlenbeck_noise_drifts_and_starts_anew_with_each_episode():
    learner = drifting(random_timesteps=2, learning_starts=60)
    wanted = torch.zeros(2, 3, 2, dtype=torch.float64)
    sigma = torch.tensor([0.05, 0.2], dtype=torch.float64).view(2, 1, 1)
    theta = torch.tensor([0.15, 0.5], dtype=torch.float64).view(2, 1, 1)
    for timestep in range(20):
        observed = rows(learner, timestep, 1, 3)
        best = learner.act(observed, deterministic=True)
        learner.pending = None
        normals = learner.noise.current().double() if timestep >= 2 else None
        actions = step(learner, timestep)
        if timestep < 2:
            continue
        wanted = wanted * (1 - theta) + sigma * normals
        added = learner.from_env(actions) - learner.from_env(best)
        torch.testing.assert_close(added.view(2, 3, 2), wanted, rtol=0, atol=1e-5)
        instances = torch.arange(3)
        done = ((instances + timestep) % 5 == 0) | ((instances + timestep) % 4 == 0)
        wanted[:, done] = 0.0


def test_evaluation_leaves_drifting_noise_as_it_is():
    one, other = drifting(), drifting()
    for learner in (one, other):
        train(learner, 11)
    other.train(False)
    fresh = [torch.Generator().manual_seed(9) for _ in "ab"]
    actions = other.act(torch.zeros(14, 3), generators=fresh)
    assert actions.shape == (14, 2)
    other.train(True)
    for learner in (one, other):
        train(learner, 9, start=11)
    assert_close_states(one.member_state(1), other.member_state(1))


@pytest.mark.parametrize(
    ("kind", "settings"), [*VARIANTS, ("ddpg", {"noise": "ornstein_uhlenbeck"})]
)
def test_state_taken_at_any_time_goes_on_bit_for_bit(kind, settings):
    settings = {**settings, "observation_normalization": True, "memory_size": 40}
    for cut_at in (2, 16):
        whole, fresh = make(kind, (7,), **settings), make(kind, (7,), **settings)
        train(whole, cut_at)
        acted = whole.act(rows(whole, cut_at, 1, 3))
        fresh.load_member_state(whole.member_state())
        fresh.generators[0].set_state(whole.generators[0].get_state())
        assert torch.equal(fresh.act(rows(whole, cut_at, 1, 3)), acted)
        for learner in (whole, fresh):
            train(learner, 12, start=cut_at)
        assert_same_bits(whole.member_state(), fresh.member_state())


def assert_same_bits(one, other):
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same_bits(one[key], other[key])
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    else:
        assert one == other


def test_a_memory_can_be_left_out_of_the_state():
    learner = make("sac", checkpoint_memory=False)
    train(learner, 12)
    state = learner.member_state()
    assert state["memory"] is None
    fresh = make("sac", checkpoint_memory=False)
    fresh.load_member_state(state)
    assert fresh.descents == learner.descents > 0
    assert not fresh.ready_to_learn


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_populations_of_every_size_train_the_same_bits(kind, size):
    env = CountingEnv(3 * size, action_space=ACTIONS)
    agents = [
        KINDS[kind](
            observation_space=env.observation_space, action_space=ACTIONS, seed=seed, cfg=SMALL
        )
        for seed in range(size)
    ]
    cfg = {"timesteps": 20, "disable_progressbar": True}
    SequentialTrainer(env=env, agents=agents, cfg=cfg).train()
    alone = KINDS[kind](
        observation_space=env.observation_space, action_space=ACTIONS, seed=size - 1, cfg=SMALL
    )
    own = CountingEnv(3, action_space=ACTIONS)
    SequentialTrainer(env=own, agents=[alone], cfg=cfg).train()
    assert alone.learner.descents > 10
    assert_same_bits(alone.state_dict(), agents[-1].state_dict())


@pytest.mark.parametrize("kind", KINDS)
def test_dict_observations_are_flattened_and_critics_see_the_privileged_ones(kind):
    observed = spaces.Dict({"a": OBSERVATIONS, "b": spaces.Discrete(4)})
    agent = KINDS[kind](
        observation_space=observed, action_space=ACTIONS, state_space=STATES, cfg=SMALL
    )
    networks = agent.learner.networks
    assert networks.actor.network.weight_0.shape == (1, 7, 9)
    assert networks.critics.network.weight_0.shape[1:] == (4 + 2, 7)
    agent.setup(3)
    actions = agent.act({"a": torch.zeros(3, 3), "b": torch.zeros(3, dtype=torch.int64)})
    assert actions.shape == (3, 2)
