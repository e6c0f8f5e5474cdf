"""Functional environments of JAX: small ones of our own, and the libraries' (slow to compile)."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch

import coterie
from coterie import ConfigError, EnvContractError
from coterie.testing import EnvSuite

jax = pytest.importorskip("jax")
jnp = jax.numpy


class State(NamedTuple):
    """The parts that Brax and Playground both have."""

    obs: Any
    reward: Any
    done: Any
    metrics: dict[str, Any]
    info: dict[str, Any]


class Walk:
    """Walks from a drawn place by the sum of its actions; an episode ends beyond ``edge``."""

    action_size = 2

    def __init__(self, edge: float = 4.0, privileged: bool = False) -> None:
        self.edge, self.privileged = edge, privileged

    def observe(self, place: Any) -> Any:
        plain = jnp.stack([place, place * 2])
        return {"state": plain, "privileged_state": -place[None]} if self.privileged else plain

    def reset(self, key: Any) -> State:
        place = jax.random.uniform(key)
        zero = jnp.float32(0)
        return State(self.observe(place), zero, zero, {"place": place}, {"place": place})

    def step(self, state: State, action: Any) -> State:
        place = state.info["place"] + jnp.sum(jnp.abs(action))
        done = (place > self.edge).astype(jnp.float32)
        return State(self.observe(place), place, done, {"place": place}, {"place": place})


def make(num_envs: int = 2, edge: float = 4.0, privileged: bool = False, **settings: Any) -> Any:
    from coterie_envs import JaxEnv

    return JaxEnv(Walk(edge, privileged), num_envs, name="walk", **settings)


class TestWalk(EnvSuite):
    timesteps = 25

    def make_env(self, num_envs, seed):
        return make(num_envs, seed=seed)


class TestPrivilegedWalk(EnvSuite):
    timesteps = 25

    def make_env(self, num_envs, seed):
        return make(num_envs, privileged=True, seed=seed, max_episode_steps=3)


def test_steps_ends_and_limits():
    """Instance 0 walks over the edge in its 2nd step; instance 1 stands still until its 3rd."""
    env = make(edge=3.0, privileged=True, max_episode_steps=3)
    first, _ = env.reset(seed=[3, 4])
    start = first[:, 0].clone()
    actions = torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    _, rewards, terminated, _, infos = env.step(actions)
    torch.testing.assert_close(rewards, start + torch.tensor([2.0, 0.0]))
    observations, rewards, terminated, truncated, infos = env.step(actions)
    assert (terminated.tolist(), truncated.tolist()) == ([True, False], [False, False])
    torch.testing.assert_close(infos["final_obs"][0], torch.stack([start[0] + 4, 2 * start[0] + 8]))
    torch.testing.assert_close(infos["final_state"][0], -start[:1] - 4)
    torch.testing.assert_close(infos["metrics"]["place"], rewards)
    assert 0 <= observations[0, 0] < 1
    assert observations[0, 0] != start[0]
    assert torch.equal(env.state()[:, 0], -observations[:, 0])
    _, _, terminated, truncated, _ = env.step(actions)
    assert (terminated.tolist(), truncated.tolist()) == ([False, False], [False, True])


def test_the_first_beginning_can_be_used_again():
    env = make(full_reset=False, max_episode_steps=1)
    first, _ = env.reset(seed=0)
    for _ in range(3):
        assert torch.equal(env.step(torch.ones(2, 2))[0], first)
    env = make(max_episode_steps=1)
    first, _ = env.reset(seed=0)
    assert not torch.equal(env.step(torch.ones(2, 2))[0], first)


def test_actions_are_repeated_until_the_end():
    env = make(1, edge=2.5, action_repeat=4, max_episode_steps=None)
    start = env.reset(seed=0)[0][0, 0].item()
    _, rewards, terminated, _, infos = env.step(torch.tensor([[1.0, 0.0]]))
    steps = 2 if start + 2 > 2.5 else 3
    assert terminated.item()
    assert infos["final_obs"][0, 0].item() == pytest.approx(start + steps)
    assert rewards.item() == pytest.approx(sum(start + k for k in range(1, steps + 1)), rel=1e-6)


def test_memory_is_shared_in_both_directions():
    from coterie_envs._jax.tensors import jax_device, to_array, to_tensors

    array = jnp.arange(1024.0)
    assert to_tensors(array).data_ptr() == array.unsafe_buffer_pointer()
    tensor = torch.from_dlpack(jnp.ones(1024))  # aligned as JAX wants it
    found = to_array(tensor, jax_device(torch.device("cpu")))
    assert found.unsafe_buffer_pointer() == tensor.data_ptr()


def test_observations_in_parts():
    from coterie_envs._jax.env import _parts
    from coterie_envs._jax.tensors import space_of

    shape = jax.ShapeDtypeStruct
    shapes = {
        "state": shape((3,), jnp.float32),
        "pixels/view_0": shape((4, 4, 3), jnp.uint8),
        "privileged_state": shape((5,), jnp.float32),
    }
    observed, privileged = _parts(shapes)
    assert privileged.shape == (5,)
    space = space_of(observed(shapes))
    assert sorted(space.spaces) == ["pixels/view_0", "state"]
    assert space["pixels/view_0"].high.max() == 255


def test_misuse_is_explained():
    env = make()
    with pytest.raises(EnvContractError, match=r"call reset\(\) first"):
        env.step(torch.zeros(2, 2))
    with pytest.raises(ValueError, match="expected 2 seeds"):
        env.reset(seed=[1])
    with pytest.raises(ValueError, match="'reset_mask' is not known"):
        env.reset(options={"reset_mask": torch.ones(2, dtype=torch.bool)})


def test_wrappers_for_training_and_other_objects_are_refused():
    class VmapWrapper(Walk):
        def __init__(self, env: Any) -> None:
            super().__init__()
            self.env = env

    class Other(VmapWrapper):
        pass

    for kind in ("brax", "playground"):
        with pytest.raises(ConfigError, match="VmapWrapper vectorises"):
            coterie.wrap_env(Other(VmapWrapper(Walk())), kind)
        with pytest.raises(ConfigError, match=r"got builtins\.object"):
            coterie.wrap_env(object(), kind)
        assert coterie.wrap_env(Walk(), kind).name == f"{kind}:Walk"


@pytest.mark.parametrize("kind", ["brax", "playground"])
@pytest.mark.parametrize("settings", [{"action_repeat": 0}, {"max_episode_steps": True}])
def test_bad_limits(kind, settings):
    from coterie_envs._jax.limits import check_limits

    given = {"max_episode_steps": 5, "action_repeat": 1, **settings}
    with pytest.raises(ConfigError, match="expected an integer of at least 1"):
        check_limits(**given)
    assert check_limits(-1, 1) is None


@pytest.mark.parametrize(
    ("changes", "config", "device", "wanted"),
    [
        ({}, {"impl": "warp"}, "cpu", {"impl": "jax"}),
        ({"ctrl_dt": 1}, {"impl": "warp", "vision": False}, "cpu", {"ctrl_dt": 1, "impl": "jax"}),
        ({}, {"impl": "warp"}, "cuda:0", {}),
        ({"impl": "warp"}, {"impl": "warp"}, "cpu", {"impl": "warp"}),
        ({"vision": True}, {"impl": "warp", "vision": False}, "cpu", {"vision": True}),
        ({}, {"impl": "jax"}, "cpu", {}),
        ({}, {}, "cpu", {}),
    ],
)
def test_playground_computes_with_jax_where_warp_has_no_gpu(changes, config, device, wanted):
    from coterie_envs._jax.playground import _with_implementation

    assert _with_implementation(changes, config, torch.device(device)) == wanted


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("spec", "module", "settings", "wrong"),
    [
        ("brax:inverted_pendulum", "brax", {}, "inverted_pendulm"),
        ("playground:CartpoleBalance", "mujoco_playground", {"ctrl_dt": 0.02}, "CartpolBalance"),
    ],
)
def test_the_libraries(spec, module, settings, wrong):
    """One environment of each: shapes, true ends, a fresh beginning, and the same again."""
    pytest.importorskip(module)
    env = coterie.make_env(spec, num_envs=3, seed=1, max_episode_steps=4, **settings)
    first, _ = env.reset(seed=[5, 6, 7])
    assert first.shape == (3, *env.observation_space.shape)
    size = env.action_space.shape[0]
    rollouts = []
    for _ in range(2):
        begin, _ = env.reset(seed=[5, 6, 7])
        assert torch.equal(begin, first)
        rollouts.append([env.step(torch.full((3, size), 0.1)) for _ in range(5)])
    ends, following = rollouts[0][3], rollouts[0][4]
    assert (ends[2] | ends[3]).all()
    assert not torch.equal(ends[4]["final_obs"], ends[0])
    assert not torch.equal(ends[0], first)
    assert not following[3].any()
    for one, two in zip(*rollouts, strict=True):
        assert torch.equal(one[0], two[0])
        assert torch.equal(one[1], two[1])
    assert env.env.__class__.__module__.partition(".")[0] == module
    assert coterie.wrap_env(env.env).name.partition(":")[0] == spec.partition(":")[0]
    kind = spec.partition(":")[0]
    with pytest.raises(ConfigError, match="did you mean"):
        coterie.make_env(f"{kind}:{wrong}", num_envs=1)
    with pytest.raises(ConfigError, match="could not be made"):
        coterie.make_env(spec, num_envs=1, no_such_setting=1)
