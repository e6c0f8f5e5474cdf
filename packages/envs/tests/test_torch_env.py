from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from gymnasium import spaces

from coterie import ConfigError, EnvContractError, VectorEnv, derive_seed
from coterie_envs import (
    Acrobot,
    CartPole,
    GridWorld,
    MountainCar,
    MountainCarContinuous,
    Pendulum,
    Swimmer,
    TorchAdapter,
    TorchEnv,
)
from coterie_envs._torch.running import Whole

KINDS = [
    Acrobot,
    CartPole,
    GridWorld,
    MountainCar,
    MountainCarContinuous,
    Pendulum,
    Swimmer,
]
both = pytest.mark.parametrize("kind", [CartPole, Pendulum])
every = pytest.mark.parametrize("kind", KINDS)


def actions_for(kind: type[TorchEnv], count: int, steps: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    space = kind(1).action_space
    if isinstance(space, spaces.Discrete):
        return torch.randint(int(space.n), (steps, count), generator=generator)
    return torch.randn(steps, count, *space.shape, generator=generator) * 2


def play(env: TorchEnv, actions: torch.Tensor) -> list[Any]:
    return [env.step(action) for action in actions]


def same(left: list[Any], right: list[Any], rows: slice | torch.Tensor = slice(None)) -> bool:
    """Whether some rows of one play are bit for bit another play."""
    return all(
        torch.equal(a[rows], b)
        for one, two in zip(left, right, strict=True)
        for a, b in zip(
            (*one[:4], one[4]["final_obs"]), (*two[:4], two[4]["final_obs"]), strict=True
        )
    )


@every
def test_what_it_says_of_itself(kind):
    env = kind(3, seed=4)
    assert isinstance(env, VectorEnv)
    assert (env.num_envs, env.seed, env.device) == (3, 4, torch.device("cpu"))
    assert env.independent_streams is True
    assert env.saves_state is True
    assert env.reuses_buffers is False
    assert env.autoreset_mode.name == "SAME_STEP"
    assert env.render() is None
    observations, infos = env.reset()
    assert infos == {}
    assert observations.shape == (3, *env.observation_space.shape)
    for row in observations.numpy():
        assert env.observation_space.contains(row)
    assert observations.is_contiguous()
    observations, rewards, terminated, truncated, _ = env.step(actions_for(kind, 3, 1)[0])
    assert observations.is_contiguous()
    assert [rewards.dtype, terminated.dtype, truncated.dtype] == [torch.float32, *[torch.bool] * 2]
    assert rewards.shape == terminated.shape == truncated.shape == (3,)
    env.close()


def parts_of_a_whole(kind: type[TorchEnv], count: int, steps: int, limit: int) -> int:
    """Play parts of a batch on their own, and mixed; how many episodes ended in the batch."""
    seeds = [derive_seed(1, k) for k in range(128)]
    actions = actions_for(kind, 128, steps)
    whole = kind(128, max_episode_steps=limit)
    whole.reset(seed=seeds)
    played = play(whole, actions)
    for first in (0, 5, 128 - count):
        rows = slice(first, first + count)
        part = kind(count, max_episode_steps=limit)
        part.reset(seed=seeds[rows])
        assert same(played, play(part, actions[:, rows]), rows)
    order = torch.randperm(128, generator=torch.Generator().manual_seed(1))[:count]
    mixed = kind(count, max_episode_steps=limit)
    mixed.reset(seed=[seeds[k] for k in order])
    assert same(played, play(mixed, actions[:, order]), order)
    return sum(int((one[2] | one[3]).sum()) for one in played)


@both
@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 31, 64, 100])
def test_an_instance_depends_on_its_seed_alone(kind, count):
    """Bit for bit the same at every place in batches of every size, over many episodes."""
    assert parts_of_a_whole(kind, count, 60, 25) >= 256


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in (CartPole, Pendulum)])
@pytest.mark.parametrize("count", [1, 3, 64])
def test_an_instance_of_the_others_does_too(kind, count):
    assert parts_of_a_whole(kind, count, 12, 5) >= 256


@pytest.mark.parametrize("kind", [Acrobot, CartPole, MountainCar, Pendulum])
def test_one_step_of_any_state_is_the_same_alone(kind):
    """Far from where episodes go, with sines of large angles, at each alignment of a batch."""
    count = 1000
    generator = torch.Generator().manual_seed(2)
    scale = torch.tensor([[1.0], [10.0], [100.0], [5.0]][: kind.state_size], dtype=torch.float64)
    drawn = torch.randn(kind.state_size, count, generator=generator, dtype=torch.float64)
    state = drawn * scale
    actions = actions_for(kind, count, 1)[0]
    env = kind(count)
    after, seen = env.dynamics(state, actions), env.observe(state)
    value = env.reward(state, actions, after, env.terminal(after))
    for first in range(0, count, 37):
        for size in (1, 3, 16):
            rows = slice(first, min(first + size, count))
            some, acts = state[:, rows].clone(), actions[rows]
            then = env.dynamics(some, acts)
            assert torch.equal(then, after[:, rows])
            assert torch.equal(env.observe(some), seen[rows])
            assert torch.equal(env.reward(some, acts, then, env.terminal(then)), value[rows])


@every
def test_resets_by_column_equal_resets_of_the_whole(kind):
    """The CPU resets the columns that ended, an accelerator computes all of them."""
    actions = actions_for(kind, 40, 80)
    envs = [kind(40, seed=3, max_episode_steps=30) for _ in range(2)]
    envs[1]._runner = Whole(envs[1], envs[1]._next_episode)
    assert torch.equal(envs[0].reset()[0], envs[1].reset()[0])
    assert same(play(envs[0], actions), play(envs[1], actions))


@every
def test_seeds(kind):
    env = kind(3, seed=7)
    first, _ = env.reset()
    expected, _ = kind(3).reset(seed=[derive_seed(7, "instance", k) for k in range(3)])
    assert torch.equal(first, expected)
    assert torch.equal(env.reset(seed=7)[0], first)
    second, _ = env.reset()
    assert not torch.equal(second, first)
    assert not torch.equal(env.reset()[0], second)
    assert torch.equal(env.reset(seed=[5, 6, 5])[0][0], kind(1).reset(seed=[5])[0][0])
    env.reset(seed=7)
    assert torch.equal(env.reset()[0], second)
    with pytest.raises(ValueError, match="expected 3 seeds, one per instance, got 2"):
        env.reset(seed=[1, 2])


@every
def test_without_a_seed_two_environments_differ(kind):
    assert not torch.equal(kind(2).reset()[0], kind(2).reset()[0])


@every
def test_autoreset_draws_what_a_reset_would_draw(kind):
    env, other = kind(2, seed=1, max_episode_steps=1), kind(2, seed=1)
    env.reset()
    other.reset()
    for _ in range(3):
        observations, _, _, truncated, infos = env.step(actions_for(kind, 2, 1)[0])
        assert truncated.all()
        expected, _ = other.reset()
        assert torch.equal(observations, expected)
        assert not torch.equal(infos["final_obs"], observations)


@both
def test_a_mask_resets_some_instances_only(kind):
    env = kind(3, seed=2)
    env.reset()
    reference = copy.deepcopy(env)
    actions = actions_for(kind, 3, 2)
    before, *_ = env.step(actions[0])
    mask = torch.tensor([True, False, True])
    after, _ = env.reset(options={"reset_mask": mask})
    assert torch.equal(after[1], before[1])
    fresh, _ = reference.reset()
    assert torch.equal(after[mask], fresh[mask])
    after, _ = env.reset(seed=[9, 9, 9], options={"reset_mask": mask})
    assert torch.equal(after[1], before[1])
    assert torch.equal(after[0], kind(1).reset(seed=[9])[0][0])
    assert env.state_dict()["elapsed"].tolist() == [0, 1, 0]


@both
def test_bad_options_are_refused(kind):
    env = kind(2, seed=0)
    mask = torch.ones(2, dtype=torch.bool)
    with pytest.raises(EnvContractError, match="was not reset yet"):
        env.reset(options={"reset_mask": mask})
    with pytest.raises(EnvContractError, match="was not reset yet"):
        env.step(actions_for(kind, 2, 1)[0])
    with pytest.raises(EnvContractError, match="was not reset yet"):
        env.state_dict()
    env.reset()
    with pytest.raises(ValueError, match="'low' is not known"):
        env.reset(options={"low": 1})
    with pytest.raises(ValueError, match=r"expected bool \(2,\)"):
        env.reset(options={"reset_mask": mask.long()})


@every
def test_a_saved_state_goes_on_exactly(kind):
    actions = actions_for(kind, 5, 80)
    env = kind(5, seed=6, max_episode_steps=20)
    env.reset()
    play(env, actions[:33])
    saved = env.state_dict()
    kept = {key: value.clone() for key, value in saved.items()}
    first = play(env, actions[33:])
    assert all(torch.equal(saved[key], kept[key]) for key in kept)
    other = kind(5, max_episode_steps=20)
    other.load_state_dict(saved)
    assert same(first, play(other, actions[33:]))
    assert all(torch.equal(saved[key], kept[key]) for key in kept)
    assert torch.equal(env.reset()[0], other.reset()[0])


@both
def test_a_foreign_state_is_refused(kind):
    env = kind(2, seed=0)
    env.reset()
    saved = env.state_dict()
    with pytest.raises(EnvContractError, match="expected shape"):
        kind(3).load_state_dict(saved)
    other = kind(2, seed=1)
    other.reset()
    kept = other.state_dict()
    for damaged, message in (
        ({"state": saved["state"]}, r"expected \['elapsed', 'positions', 'state'\]"),
        (saved | {"elapsed": saved["elapsed"].float()}, "of int64, got .* of float32"),
        (saved | {"positions": [1, 2]}, "got list"),
    ):
        with pytest.raises(EnvContractError, match=message):
            other.load_state_dict(damaged)
    assert all(torch.equal(value, kept[key]) for key, value in other.state_dict().items())


@both
def test_global_generators_are_left_alone(kind):
    before = torch.get_rng_state()
    env = kind(4)
    env.reset()
    play(env, actions_for(kind, 4, 30))
    assert torch.equal(torch.get_rng_state(), before)


@every
def test_returned_tensors_are_never_written_again(kind):
    env = kind(4, seed=0, max_episode_steps=3)
    env.reset()
    played = play(env, actions_for(kind, 4, 5))
    copies = copy.deepcopy(played)
    play(env, actions_for(kind, 4, 20))
    assert same(played, copies)


def test_a_device_without_float64_is_refused(monkeypatch):
    def zeros(*shape, dtype, device):
        raise TypeError("no float64 here")

    monkeypatch.setattr(torch, "zeros", zeros)
    with pytest.raises(ConfigError, match="computes in float64, which cpu does not"):
        Pendulum(1)


def test_no_time_limit():
    env = Pendulum(1, seed=0, max_episode_steps=-1)
    env.reset()
    assert not any(bool(one[3].any()) for one in play(env, torch.zeros(250, 1, 1)))
    assert [CartPole(1).max_episode_steps, Pendulum(1).max_episode_steps] == [500, 200]


class Walk(TorchEnv):
    """A subclass with as little as possible: walks up by its action, ends beyond 2."""

    id = "Walk-v0"
    state_size = 1
    draw_size = 1
    episode_steps = None
    observation_space = Pendulum(1).observation_space
    action_space = Pendulum(1).action_space

    def initial(self, draws):
        return draws

    def dynamics(self, state, actions):
        return state + actions[:, 0]

    def reward(self, state, actions, next_state, terminated):
        return next_state[0] - state[0]

    def terminal(self, state):
        return state[0] > 2

    def observe(self, state):
        return state.t()


def test_a_subclass_may_observe_views_of_its_state():
    env = Walk(2, seed=0)
    start, _ = env.reset()
    start = start.clone()
    steps = torch.tensor([[0.75], [0.5]])
    first, rewards, terminated, *_ = env.step(steps)
    assert torch.equal(first, start + steps)
    kept = first.clone()
    assert rewards.tolist() == [0.75, 0.5]
    second, _, terminated, truncated, infos = env.step(steps)
    assert terminated.tolist() == [True, False]
    assert not truncated.any()
    assert torch.equal(first, kept)
    assert torch.equal(infos["final_obs"], kept + steps)
    assert 0 <= second[0] < 1


def test_the_adapter():
    adapter = TorchAdapter()
    assert adapter.ids() == sorted(kind.id for kind in KINDS)
    env = adapter.make("CartPole-v1", num_envs=3, seed=5, device="cpu", sutton_barto_reward=True)
    assert isinstance(env, CartPole)
    assert (env.name, env.num_envs, env.seed) == ("torch:CartPole-v1", 3, 5)
    assert adapter.make("Pendulum-v1", max_episode_steps=7).max_episode_steps == 7
    with pytest.raises(ConfigError, match="TorchAdapter can't wrap object objects"):
        adapter.wrap(object(), seed=None, device="cpu")


@pytest.mark.parametrize(
    ("env_id", "settings", "message"),
    [
        ("CartPole-v0", {}, "no environment 'CartPole-v0'; did you mean 'CartPole-v1'"),
        ("CartPole-v1", {"max_step": 3}, "has no setting 'max_step'"),
        ("CartPole-v1", {"g": 3}, "has: max_episode_steps, render_height, render_mode, sutton_b"),
        ("Pendulum-v1", {"g": "ten"}, "g = 'ten': expected a finite number"),
        ("Pendulum-v1", {"max_episode_steps": 0}, "max_episode_steps = 0: expected an integer"),
        ("Pendulum-v1", {"max_episode_steps": 2.5}, "max_episode_steps = 2.5: expected an integer"),
        ("Pendulum-v1", {"max_episode_steps": -2}, "or -1 for episodes without a limit"),
        ("Pendulum-v1", {"num_envs": 0}, "num_envs = 0"),
        ("Pendulum-v1", {"device": "nowhere"}, "device = 'nowhere'"),
    ],
)
def test_bad_settings(env_id, settings, message):
    with pytest.raises(ConfigError) as caught:
        TorchAdapter().make(env_id, **settings)
    assert message in str(caught.value)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@every
def test_on_a_gpu(kind):
    actions = actions_for(kind, 300, 100)
    near, far = kind(300, seed=1), kind(300, seed=1, device="cuda")
    assert far.device == torch.device("cuda", 0)
    assert torch.allclose(near.reset()[0], far.reset()[0].cpu(), atol=1e-6)
    for action in actions[:15]:
        here, there = near.step(action), far.step(action.cuda())
        assert all(part.is_cuda for part in (*there[:4], there[4]["final_obs"]))
        for one, two in zip(here[:4], there[:4], strict=True):
            assert torch.allclose(one.float(), two.cpu().float(), atol=1e-5)
