"""Agents that see images: what they remember, share, save and learn."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from coterie import Transition
from coterie_agents import A2C, DDPG, DQN, PPO, RPO, SAC, TD3

IMAGE = spaces.Box(0, 255, (6, 6, 3), np.uint8)
MIXED = spaces.Dict({"image": IMAGE, "speed": spaces.Box(-1, 1, (2,), np.float32)})
BOX = spaces.Box(-1, 1, (2,), np.float32)
CNN = {"channels": (4,), "kernels": (3,), "features": 8}
MODEL = {"hidden_sizes": (8,), "cnn": CNN}
ROLLOUT = {"rollouts": 6, "learning_epochs": 2, "mini_batches": 2, "model": MODEL}
REPLAY = {"memory_size": 120, "batch_size": 6, "learning_starts": 4, "model": MODEL}
SHARED = {**ROLLOUT, "model": {**MODEL, "share_encoder": True}}
KINDS = {
    "ppo": (PPO, spaces.Discrete(2), ROLLOUT),
    "ppo-shared": (PPO, spaces.Discrete(2), SHARED),
    "a2c": (A2C, spaces.Discrete(2), {"rollouts": 3, "model": MODEL}),
    "rpo": (RPO, BOX, ROLLOUT),
    "dqn": (DQN, spaces.Discrete(2), {**REPLAY, "target_update_interval": 3}),
    "sac": (SAC, BOX, REPLAY),
    "td3": (TD3, BOX, REPLAY),
    "ddpg": (DDPG, BOX, REPLAY),
}


def make(kind, *, space=IMAGE, seed=0, num_envs=3, state_space=None, precise=False, **settings):
    cls, actions, cfg = KINDS[kind]
    if precise:
        cls = type("Precise", (cls,), {"dtype": torch.float64})
    agent = cls(
        observation_space=space,
        action_space=actions,
        state_space=state_space,
        seed=seed,
        cfg={**cfg, **settings},
    )
    agent.setup(num_envs)
    return agent


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("space", [IMAGE, MIXED], ids=["image", "mixed"])
def test_every_weight_learns(tools, kind, space):
    agent = make(kind, space=space, observation_normalization=True)
    before = {name: module.state_dict() for name, module in agent.models.items()}
    before = {n: {k: t.clone() for k, t in own.items()} for n, own in before.items()}
    tools.run(agent, 14)
    for name, module in agent.models.items():
        for key, tensor in module.state_dict().items():
            assert tensor.isfinite().all()
            assert not torch.equal(tensor, before[name][key]), f"{name}.{key}"


@pytest.mark.parametrize("kind", ["ppo", "ppo-shared", "dqn", "sac", "ddpg"])
@pytest.mark.parametrize("steps", [7, 12])
def test_goes_on_bit_for_bit_from_a_state(tools, kind, steps):
    whole = make(kind, space=MIXED, observation_normalization=True)
    tools.run(whole, 17)
    first = make(kind, space=MIXED, observation_normalization=True)
    tools.run(first, steps)
    second = make(kind, space=MIXED, seed=5, observation_normalization=True)
    second.load_state_dict(first.state_dict())
    tools.run(second, 17 - steps, start=steps)
    tools.assert_equal_states(whole.state_dict(), second.state_dict())


def images_at(num_envs, timestep, members):
    drawn = [
        torch.randint(
            0,
            256,
            (num_envs, 6, 6, 3),
            generator=torch.Generator().manual_seed(40 * member + timestep),
            dtype=torch.uint8,
        )
        for member in members
    ]
    return torch.cat(drawn)


def drive(learner, members, steps, num_envs):
    for timestep in range(steps):
        seen = images_at(num_envs, timestep, members)
        actions = learner.act(seen)
        count = len(members) * num_envs
        rewards = seen.flatten(1).double().mean(1) / 255
        ends = seen[:, 0, 0, 0] > 230
        transition = Transition(
            observations=seen,
            actions=actions,
            rewards=rewards.to(learner.dtype),
            next_observations=images_at(num_envs, timestep + 1, members),
            terminated=ends,
            truncated=torch.zeros(count, dtype=torch.bool),
            valid=torch.ones(count, dtype=torch.bool),
        )
        learner.record(transition)
        if learner.ready_to_learn:
            learner.update(timestep=timestep, timesteps=steps)


@pytest.mark.parametrize("kind", ["ppo", "ppo-shared", "a2c", "dqn", "sac", "td3"])
def test_stacked_members_learn_like_single_ones(tools, kind):
    agents = [make(kind, seed=seed, precise=True) for seed in range(3)]
    stack = make(kind, seed=0, precise=True).stack(
        [make(kind, seed=seed, precise=True) for seed in range(3)]
    )
    drive(stack.learner, (0, 1, 2), 15, 3)
    for member, agent in enumerate(agents):
        drive(agent.learner, (member,), 15, 3)
        own, mine = agent.learner.member_state(), stack.learner.member_state(member)
        assert own["updates"] == mine["updates"] > 1
        for name, weights in own["networks"].items():
            for key, tensor in (weights or {}).items():
                torch.testing.assert_close(
                    mine["networks"][name][key], tensor, rtol=1e-9, atol=1e-10
                )


def test_privileged_images_are_for_critics(tools):
    state = spaces.Dict({"map": spaces.Box(0, 255, (7, 7, 2), np.uint8)})
    for kind in ("ppo", "sac"):
        agent = make(kind, space=spaces.Box(-1, 1, (3,), np.float32), state_space=state)
        tools.run(agent, 8)
        parts = {name: set(module.state_dict()) for name, module in agent.models.items()}
        policy, critic = ("policy", "value") if kind == "ppo" else ("actor", "critics")
        assert "image_0_weight_0" not in parts[policy]
        assert "image_0_weight_0" in parts[critic]


def test_memories_keep_bytes(tools):
    rollout = make("ppo").learner.memory
    assert rollout.tensors["observations.0"].dtype == torch.uint8
    assert rollout.tensors["next.0"].dtype == torch.uint8
    replay = make("dqn").learner.memory
    # Two images of 108 bytes, an int64 action, a float32 reward, two flags.
    assert replay.sample_bytes == 2 * 108 + 8 + 4 + 2


def test_a_shared_encoder_is_one_and_both_teach_it():
    agent = make("ppo-shared")
    assert set(agent.models) == {"policy", "value", "encoder"}
    learner = agent.learner
    networks = learner.networks
    inputs = networks.policy_input.from_step(images_at(3, 0, (0,)))
    actions = torch.zeros(1, 3, 1, dtype=torch.int64)
    assert not networks.backward_by_hand
    log_prob, _, values = networks.judge(inputs, inputs, actions)
    torch.testing.assert_close(log_prob, networks.evaluate(inputs, actions)[0])
    torch.testing.assert_close(values, networks.values(inputs))
    kernels = networks.encoder.image_0_weight_0
    for found in (log_prob, values):
        (gradient,) = torch.autograd.grad(found.sum(), kernels, retain_graph=True)
        assert gradient.abs().sum() > 0


class Eyes(nn.Module):
    """A user's own network for images as the environment gives them."""

    def __init__(self, outputs):
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)
        self.linear = nn.Linear(4 * 4 * 4, outputs)

    def forward(self, image):
        planes = image.permute(0, 3, 1, 2).to(torch.float32) / 255
        return self.linear(torch.relu(self.convolution(planes)).flatten(1))


@pytest.mark.parametrize("mixed", ["off", "bfloat16"])
@pytest.mark.parametrize("normalize", [False, True])
def test_modules_of_a_user_see_images_and_stack(tools, mixed, normalize):
    def agent(kind, seed):
        torch.manual_seed(seed)
        cls, actions, cfg = KINDS[kind]
        outputs = {"q": 2} if kind == "dqn" else {"policy": 2, "value": 1}
        made = cls(
            observation_space=IMAGE,
            action_space=actions,
            seed=seed,
            models={name: Eyes(count) for name, count in outputs.items()},
            cfg={**cfg, "observation_normalization": normalize, "mixed_precision": mixed},
        )
        made.setup(3)
        return made

    for kind in ("ppo", "dqn"):
        assert not agent(kind, 0).stack_key().obstacle
        stack = agent(kind, 0).stack([agent(kind, 0), agent(kind, 1)])
        drive(stack.learner, (0, 1), 8, 3)
        single = agent(kind, 1)
        drive(single.learner, (1,), 8, 3)
        own, mine = single.learner.member_state(), stack.learner.member_state(1)
        assert own["updates"] == mine["updates"] > 0
        close = {"rtol": 1e-4, "atol": 1e-5} if mixed == "off" else {"rtol": 0.1, "atol": 0.02}
        for name, weights in own["networks"].items():
            for key, tensor in (weights or {}).items():
                torch.testing.assert_close(mine["networks"][name][key], tensor, **close)


def test_what_a_stack_and_memory_alignment_change(tools):
    """One member's numbers don't depend on where in memory its images lie."""
    networks = make("ppo").learner.networks
    images = images_at(9, 0, (0,))
    room = torch.zeros(images.numel() + 64, dtype=torch.uint8)
    with torch.no_grad():
        wanted = networks.values(networks.policy_input.from_step(images))
        for shift in (1, 3, 16, 33):
            moved = room[shift : shift + images.numel()].view(images.shape).copy_(images)
            found = networks.values(networks.policy_input.from_step(moved))
            assert torch.equal(found, wanted)
