"""Advantages, losses and whole updates of teams against numbers found in another way."""

import math

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import distributions, nn

from coterie import Transition, structure
from coterie._trees import tree_cat
from coterie_agents import IPPOCfg, IPPOLearner, MAPPOCfg, MAPPOLearner

UNIT = spaces.Box(-9.0, 9.0, (1,), np.float32)
TWO = ("left", "right")
GONE = -1000.0


def column(*values):
    return [torch.tensor([value]) for value in values]


def worked_example(**settings):
    """Left stays for four steps; right is cut off in the second one, in front of a 5."""
    learner = MAPPOLearner(
        observation_space=spaces.Dict([(a, UNIT) for a in TWO]),
        action_space=spaces.Dict([(a, spaces.Discrete(2)) for a in TWO]),
        cfgs=[
            structure(
                MAPPOCfg,
                {
                    "rollouts": 4,
                    "learning_epochs": 1,
                    "mini_batches": 1,
                    "discount_factor": 0.5,
                    "gae_lambda": 0.5,
                    "sharing": "separate",
                    "normalize_advantages": False,
                    "value_normalization": False,
                    "model": {"hidden_sizes": ()},
                    **settings,
                },
            )
        ],
        generators=[torch.Generator().manual_seed(0)],
        seeds=[0],
        dtype=torch.float64,
    )
    learner.allocate(1)
    weights = learner.groups[0].networks.value.parameters()
    with torch.no_grad():
        # Left's critic says x_left + 2 x_right, right's 3 x_right - x_left.
        next(weights).copy_(torch.tensor([[[1.0], [2.0]], [[-1.0], [3.0]]]))
    no, yes = torch.tensor([False]), torch.tensor([True])
    left, right = column(1.0, 2.0, 3.0, 4.0), column(1.0, 2.0, GONE, GONE)
    left_after, right_after = column(2.0, 3.0, 4.0, 6.0), column(2.0, 5.0, GONE, GONE)
    left_gains, right_gains = column(1.0, 2.0, 3.0, 4.0), column(1.0, 1.0, 0.0, 0.0)
    for t in range(4):
        actions = learner.act({"left": left[t][:, None], "right": right[t][:, None]})
        learner.record(
            Transition(
                observations={"left": left[t][:, None], "right": right[t][:, None]},
                actions=actions,
                rewards={"left": left_gains[t], "right": right_gains[t]},
                next_observations={
                    "left": left_after[t][:, None],
                    "right": right_after[t][:, None],
                },
                terminated={"left": no, "right": no},
                truncated={"left": no, "right": yes if t == 1 else no},
                valid={"left": yes, "right": yes if t < 2 else no},
                all_valid=False,
                ended=no,
            )
        )
    return learner


def test_advantages_with_an_actor_that_ends_early():
    samples = worked_example().groups[0].prepare().samples
    assert samples.weights.tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    # Left sees zero for right once it is gone: values 3, 6, 3, 4, and 6 behind the last step.
    assert samples.values[0].tolist() == [3, 6, 3, 4]
    assert samples.advantages[0].tolist() == [0.546875, -1.8125, 2.75, 3]
    assert samples.returns[0].tolist() == [3.546875, 4.1875, 5.75, 7]
    # Right is valued where it was cut off, at 3 * 5 - 3 = 12, and not beyond.
    assert samples.values[1, :2].tolist() == [2, 4]
    assert samples.advantages[1].tolist() == [1.75, 3, 0, 0]
    assert samples.returns[1, :2].tolist() == [3.75, 7]


def test_advantages_are_normalised_over_rows_that_count():
    samples = worked_example(normalize_advantages=True).groups[0].prepare().samples
    torch.testing.assert_close(
        samples.advantages[1, :2], torch.tensor([-1.0, 1.0]).double(), rtol=1e-7, atol=0
    )


def test_losses_with_an_actor_that_ends_early():
    learner = worked_example()
    (told,) = learner.update(timestep=3, timesteps=4)
    # The policies have not moved: each loss is a mean of advantages, over 4 rows and over 2.
    assert told["loss/policy/left"] == pytest.approx(-4.484375 / 4)
    assert told["loss/policy/right"] == pytest.approx(-4.75 / 2)
    assert told["loss/policy"] == pytest.approx((-4.484375 / 4 - 4.75 / 2) / 2)
    assert told["loss/value/left"] == pytest.approx(20.146728515625 / 4)
    assert told["loss/value/right"] == pytest.approx(12.0625 / 2)
    assert told["entropy"] == pytest.approx(math.log(2), rel=1e-3)


# Whole updates, against loops over actors and instances.

SETTINGS = {
    "rollouts": 8,
    "learning_epochs": 3,
    "mini_batches": 1,
    "grad_norm_clip": 0.3,
    "entropy_loss_scale": 0.01,
    "value_clip": 0.3,
    "model": {"hidden_sizes": (5,), "value_hidden_sizes": (4,)},
}
MEMBERS = (
    {"learning_rate": 3e-2, "discount_factor": 0.9, "gae_lambda": 0.8},
    {"learning_rate": 1e-2, "discount_factor": 0.97, "ratio_clip": 0.1},
)
LEARNERS = {"ippo": (IPPOLearner, IPPOCfg), "mappo": (MAPPOLearner, MAPPOCfg)}
STATE = spaces.Box(-1.0, 1.0, (2,), np.float32)


def make(kind, places, state_space, **settings):
    learner, cfg = LEARNERS[kind]
    made = learner(
        **places,
        state_space=state_space,
        cfgs=[structure(cfg, {**SETTINGS, **own, **settings}) for own in MEMBERS],
        generators=[torch.Generator().manual_seed(i) for i in range(2)],
        seeds=[3, 4],
        dtype=torch.float64,
    )
    made.allocate(4)
    return made


def play(script, learner):
    """Record a rollout of two teams; return each team's steps."""
    steps = [[], []]
    for timestep in range(8):
        own = [script().see(learner.observation_space, 4, timestep + 60 * p) for p in range(2)]
        actions = learner.act(tree_cat(own))
        for p in range(2):
            mine = {a: action[4 * p : 4 * p + 4] for a, action in actions.items()}
            steps[p].append(script().transition(learner, mine, 4, timestep + 60 * p))
        names = ["observations", "actions", "rewards", "next_observations"]
        names += ["terminated", "truncated", "valid", "ended"]
        names += ["states", "next_states"] if learner.state_space is not None else []
        both = [vars_of(steps[p][-1], names) for p in range(2)]
        joined = {name: tree_cat([one[name] for one in both]) for name in names}
        learner.record(Transition(**joined, all_valid=False))
    return steps


def vars_of(step, names):
    return {name: getattr(step, name) for name in names}


def features(actor_space, tree, row):
    """One row of an observation as numbers."""
    if isinstance(actor_space, spaces.Dict):
        light = torch.zeros(3, dtype=torch.float64)
        light[int(tree["light"][row]) - 1] = 1
        return torch.cat([light, tree["place"][row].double()])
    return tree[row].double()


def nothing(actor_space):
    """How an actor that is gone looks: zeros, and the first of choices."""
    if isinstance(actor_space, spaces.Dict):
        return torch.tensor([1, 0, 0, 0, 0, 0], dtype=torch.float64)
    return torch.zeros(actor_space.shape[0], dtype=torch.float64)


class Reference:
    """PPO for one pair of networks, on the valid rows of some actors of one team."""

    def __init__(self, learner, kind, actors, shared, state, cfg, normalize):
        self.learner, self.kind, self.actors, self.cfg = learner, kind, actors, cfg
        self.places, self.shared, self.normalize = learner.observation_space, shared, normalize
        networks = state["networks"]
        self.policy = plain(networks["policy"])
        self.value = plain(networks["value"])
        self.space = learner.action_space[actors[0]]
        self.parameters = [*self.policy.parameters(), *self.value.parameters()]
        self.log_std = None
        if networks["log_std"] is not None:
            self.log_std = nn.Parameter(networks["log_std"].clone())
            self.parameters.append(self.log_std)
        self.optimizer = torch.optim.Adam(self.parameters, lr=cfg.learning_rate, eps=1e-5)

    def one_hot(self, actor):
        own = torch.zeros(len(self.actors), dtype=torch.float64)
        own[self.actors.index(actor)] = 1
        return own if self.shared and len(self.actors) > 1 else own[:0]

    def seen(self, step, actor, row):
        own = features(self.places[actor], step.observations[actor], row)
        return torch.cat([own, self.one_hot(actor)])

    def judged(self, step, actor, row, *, after=False):
        """What the critic sees before a step, or after it."""
        trees = step.next_observations if after else step.observations
        if self.kind == "ippo":
            own = features(self.places[actor], trees[actor], row)
        elif self.learner.state_space is not None:
            own = (step.next_states if after else step.states)[row].double()
        else:
            parts = []
            for other, space in self.places.items():
                there = bool(step.valid[other][row])
                over = bool(step.terminated[other][row] | step.truncated[other][row])
                if after and other != actor:
                    there = there and (bool(step.ended[row]) or not over)
                parts.append(features(space, trees[other], row) if there else nothing(space))
            own = torch.cat(parts)
        return torch.cat([own, self.one_hot(actor)])

    def worth(self, inputs):
        # The scaling of returns is one of mean 0 and variance 1 (plus 1e-8) before its first use.
        found = self.value(inputs).squeeze(-1)
        return found * math.sqrt(1 + 1e-8) if self.normalize else found

    def gather(self, steps):
        rows = []
        gamma, decay = self.cfg.discount_factor, self.cfg.gae_lambda
        for actor in self.actors:
            for row in range(4):
                later = 0.0
                for t in reversed(range(8)):
                    step = steps[t]
                    if not step.valid[actor][row]:
                        later = 0.0
                        continue
                    value = self.worth(self.judged(step, actor, row))
                    ends, cut = (
                        bool(getattr(step, name)[actor][row])
                        for name in ("terminated", "truncated")
                    )
                    if cut or t == 7:
                        behind = self.worth(self.judged(step, actor, row, after=True))
                    else:
                        behind = 0.0 if ends else self.worth(self.judged(steps[t + 1], actor, row))
                    behind = 0.0 if ends else behind
                    gain = step.rewards[actor][row].double() + gamma * behind - value
                    later = gain + (0.0 if ends or cut else gamma * decay * later)
                    rows.append(
                        (
                            self.seen(step, actor, row),
                            self.judged(step, actor, row),
                            step.actions[actor][row].double().reshape(-1),
                            later.detach(),
                            value.detach(),
                        )
                    )
        return [torch.stack(parts) for parts in zip(*rows, strict=True)]

    def log_prob(self, inputs, actions):
        outputs = self.policy(inputs)
        if self.log_std is not None:
            family = distributions.Normal(outputs, self.log_std.exp())
            return family.log_prob(actions).sum(-1), family.entropy().sum(-1)
        counts = [int(self.space.n)] if isinstance(self.space, spaces.Discrete) else [2, 3]
        families = [distributions.Categorical(logits=part) for part in outputs.split(counts, -1)]
        chosen = [f.log_prob(actions[:, i]) for i, f in enumerate(families)]
        return sum(chosen), sum(f.entropy() for f in families)

    def learn(self, steps):
        seen, judged, actions, advantages, values = self.gather(steps)
        returns = advantages + values
        with torch.no_grad():
            old, _ = self.log_prob(seen, actions)
        if self.normalize:
            mean, spread = returns.mean(), (returns.var(correction=0) + 1e-8).sqrt()
            returns, values = (returns - mean) / spread, (values - mean) / spread
        advantages = (advantages - advantages.mean()) / (advantages.std(correction=0) + 1e-8)
        for _ in range(3):
            log_prob, entropy = self.log_prob(seen, actions)
            ratio, clip = (log_prob - old).exp(), self.cfg.ratio_clip
            surrogate = torch.min(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
            now, width = self.value(judged).squeeze(-1), self.cfg.value_clip
            near = values + (now - values).clamp(-width, width)
            errors = torch.max((now - returns) ** 2, (near - returns) ** 2)
            loss = -surrogate.mean() + 0.5 * errors.mean() - 0.01 * entropy.mean()
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters, self.cfg.grad_norm_clip)
            self.optimizer.step()


def plain(state):
    """Linear layers with tanh between them, from the weights of a network without names."""
    layers, tensors = [], list(state.values())
    for weight, bias in zip(tensors[::2], tensors[1::2], strict=True):
        linear = nn.Linear(*weight.shape, dtype=torch.float64)
        linear.weight.data, linear.bias.data = weight.t().clone(), bias.reshape(-1).clone()
        layers += [linear, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("kind", LEARNERS)
@pytest.mark.parametrize("state", [None, STATE], ids=["observations", "state"])
@pytest.mark.parametrize(("places", "sharing"), [
    ("alike", "shared"), ("alike", "separate"), ("unlike", "separate"),
])  # fmt: skip
@pytest.mark.parametrize("normalize", [False, True])
def test_an_update_equals_a_plain_implementation(script, kind, state, places, sharing, normalize):
    given = {"alike": script.alike, "unlike": script.unlike}[places]
    if places == "unlike":  # actions that the environment never clips
        wide = spaces.Box(-100.0, 100.0, (2,), np.float64)
        acts = {**given["action_space"].spaces, "right": wide}
        given = {**given, "action_space": spaces.Dict([(a, acts[a]) for a in acts])}
    learner = make(kind, given, state, sharing=sharing, value_normalization=normalize)
    before = [learner.member_state(p)["actors"] for p in range(2)]
    steps = play(script, learner)
    references = []
    for p in range(2):
        for name, own in before[p].items():
            actors = learner.actors if sharing == "shared" else (name,)
            more = (sharing == "shared", own, learner.cfgs[p], normalize)
            made = Reference(learner, kind, actors, *more)
            made.learn(steps[p])
            references.append((p, name, made))
    learner.update(timestep=7, timesteps=100)
    for p, name, made in references:
        networks = learner.member_state(p)["actors"][name]["networks"]
        moved = before[p][name]["networks"]["policy"]
        assert not torch.equal(next(iter(moved.values())), next(iter(networks["policy"].values())))
        for part, module in (("policy", made.policy), ("value", made.value)):
            for mine, theirs in zip(
                plain(networks[part]).parameters(), module.parameters(), strict=True
            ):
                torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-10)
        if made.log_std is not None:
            torch.testing.assert_close(
                networks["log_std"], made.log_std.detach(), rtol=1e-9, atol=1e-10
            )
