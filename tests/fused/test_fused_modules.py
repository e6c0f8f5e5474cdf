"""A user's own modules, stacked through torch.func."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from coterie.testing import SpaceEnv, assert_same_state

BOX = spaces.Box(-1.0, 1.0, (2,), np.float32)


class Policy(nn.Module):
    """Of a class of the user, with a parameter for the standard deviations."""

    def __init__(self, inputs=3, outputs=2, scale=0.1):
        super().__init__()
        self.scale = scale
        self.body = nn.Sequential(nn.LayerNorm(inputs), nn.Linear(inputs, 6), nn.Tanh())
        self.out = nn.Linear(6, outputs)
        self.log_std = nn.Parameter(torch.full((outputs,), -0.5))

    def forward(self, observations):
        return self.out(self.body(observations)) * self.scale


def sequences(outputs=2, **_):
    policy = nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, outputs))
    return {"policy": policy, "value": nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 1))}


def own_class(scale=0.1, **_):
    return {"policy": Policy(scale=scale), "value": nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 1))}


def sharing(outputs=2, **_):
    body = nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 6), nn.Tanh())
    return {
        "policy": nn.Sequential(body, nn.Linear(6, outputs)),
        "value": nn.Sequential(body, nn.Linear(6, 1)),
    }


def partly_fixed(outputs=2, **_):
    models = sequences(outputs)
    models["policy"][1].weight.requires_grad_(False)
    return models


def normalising(outputs=2, **_):
    policy = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, outputs))
    return {"policy": policy, "value": nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 1))}


def population(tools, env, build, count=3, **settings):
    torch.manual_seed(1)
    kinds = [build(index=i) for i in range(count)]
    return [
        tools.agent(env, i, models=kinds[i], learning_rate=1e-3 * (i + 1), **settings)
        for i in range(count)
    ]


def compare(tools, build, env, timesteps=15, **settings):
    found = []
    for name in ("sequential", "fused"):
        place = env()
        agents = population(tools, place, build, **settings)
        before = [agent.state_dict() for agent in agents]
        trainer = tools.train(name, place, agents, timesteps)
        found.append([agent.state_dict() for agent in agents])
    for start, mine, own in zip(before, *found, strict=True):
        for name in ("policy", "value"):
            tools.assert_close(mine["networks"][name], own["networks"][name], rtol=1e-3, atol=2e-5)
        assert own["updates"] == 2
        changed = start["networks"]["value"], own["networks"]["value"]
        assert any(not torch.equal(changed[0][key], changed[1][key]) for key in changed[0])
    return agents, trainer


@pytest.mark.parametrize("build", [sequences, sharing, partly_fixed, normalising])
@pytest.mark.parametrize("action_space", [spaces.Discrete(2), BOX], ids=["discrete", "box"])
def test_modules_learn_as_they_would_alone(tools, build, action_space):
    _, trainer = compare(tools, build, lambda: tools.env(9, action_space=action_space))
    assert [len(names) for names in trainer.placement.stacks] == [3]


def test_the_users_own_modules_hold_what_was_learned(tools):
    agents, trainer = compare(tools, own_class, lambda: tools.env(9, action_space=BOX))
    assert len(trainer.placement.stacks[0]) == 3
    for agent in agents:
        assert agent.state_dict()["networks"]["log_std"] is None
        held = agent.state_dict()["networks"]["policy"]
        assert_same_state(held, dict(agent.models["policy"].state_dict()))
    weights = [agent.models["policy"].out.weight for agent in agents]
    assert not torch.equal(weights[0], weights[1])


def test_a_weight_without_gradient_stays(tools):
    env = tools.env(6)
    agents = population(tools, env, partly_fixed, 2)
    before = [agent.models["policy"][1].weight.clone() for agent in agents]
    tools.train("fused", env, agents, 13)
    for agent, weight in zip(agents, before, strict=True):
        assert torch.equal(agent.models["policy"][1].weight, weight)


def test_observations_arrive_as_the_environment_gives_them(tools):
    observation_space = spaces.Dict(
        {
            "camera": spaces.Box(0, 255, (1, 4, 4), np.uint8),
            "place": spaces.Discrete(4),
        }
    )

    class Camera(nn.Module):
        def __init__(self, outputs):
            super().__init__()
            self.seen = nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Flatten())
            self.known = nn.Embedding(4, 18)
            self.out = nn.Linear(18, outputs)

        def forward(self, observation):
            seen = self.seen(observation["camera"].float() / 255)
            return self.out(seen + self.known(observation["place"]))

    def build(**_):
        return {"policy": Camera(2), "value": Camera(1)}

    _, trainer = compare(
        tools, build, lambda: SpaceEnv(6, observation_space, action_space=spaces.Discrete(2))
    )
    assert [len(names) for names in trainer.placement.stacks] == [3]


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (lambda index: own_class(scale=0.1 + index), "differs from ppo-1 in models"),
        (lambda index: sequences() if index else own_class(), "in models"),
    ],
    ids=["attribute", "class"],
)
def test_other_architectures_are_not_stacked(tools, build, why):
    env = tools.env(4, action_space=BOX)
    trainer = tools.train("fused", env, population(tools, env, build, 2), 7)
    assert trainer.placement.stacks == ()
    assert trainer.placement.alone["ppo-0"].endswith(why)


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, observations):
        out = self.layer(observations)
        return out if out.sum() > 0 else 2 * out


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, observations):
        return self.layer(observations) + float(np.random.normal())


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (
            lambda: nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 2), nn.Dropout(0.5)),
            "does not work under torch.func",
        ),
        (Branching, "does not work under torch.func"),
        (Noisy, "draws from the process-wide generators"),
    ],
)
def test_modules_that_draw_or_branch_run_beside(tools, policy, why):
    states = []
    for name in ("sequential", "fused"):
        env = tools.env(6)
        torch.manual_seed(1)
        agents = [
            tools.agent(env, i, models={"policy": policy(), "value": nn.Linear(3, 1)})
            for i in range(2)
        ]
        trainer = tools.train(name, env, agents, 7)
        states.append([agent.state_dict() for agent in agents])
    assert trainer.placement.stacks == ()
    assert all(why in reason for reason in trainer.placement.alone.values())
    for mine, own in zip(*states, strict=True):
        assert_same_state(mine, own)


def test_looking_whether_modules_can_be_stacked_draws_nothing(tools):
    from coterie.testing import nothing_global

    env = tools.env(4)
    agents = [
        tools.agent(env, i, models={"policy": Noisy(), "value": nn.Linear(3, 1)}) for i in range(2)
    ]
    with nothing_global():
        for agent in agents:
            assert agent.stack_key().obstacle
