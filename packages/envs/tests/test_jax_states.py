"""Saving and loading functional environments: a loaded one goes on bit for bit."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, NamedTuple

import pytest
import torch

import coterie
from coterie import EnvContractError
from coterie._state import read_state, write_state
from coterie.spaces import tree_leaves
from coterie.testing import EnvSuite, assert_same_state

jax = pytest.importorskip("jax")
jnp = jax.numpy


class State(NamedTuple):
    """The parts that Brax and Playground both have."""

    obs: Any
    reward: Any
    done: Any
    metrics: dict[str, Any]
    info: dict[str, Any]


class Wander:
    """Wanders with the help of a key that it carries along; an episode ends beyond ``edge``.

    With ``weak``, ``bonus`` is a number of Python in a reset, which JAX gives a type that yields to
    others; with ``widens`` the counter of steps is a small integer in a reset, then a wider one.
    """

    action_size = 2

    def __init__(self, size: int = 2, weak: bool = False, widens: bool = False) -> None:
        self.edge, self.size, self.weak, self.widens = 6.0, size, weak, widens

    def reset(self, key: Any) -> State:
        key, drawn = jax.random.split(key)
        place = jax.random.uniform(drawn, (self.size,))
        zero, steps = jnp.float32(0), jnp.int8(0) if self.widens else jnp.int32(0)
        info = {"key": key, "steps": steps, "far": jnp.bool_(False), "none": jnp.zeros((0, 2))}
        obs = {"state": place, "privileged_state": -place}
        return State(obs, zero, zero, {"bonus": 0.0 if self.weak else zero}, info)

    def step(self, state: State, action: Any) -> State:
        key, drawn = jax.random.split(state.info["key"])
        noise = jax.random.uniform(drawn, (self.size,))
        place = state.obs["state"] + noise + jnp.abs(action).sum()
        far = jnp.any(place > self.edge)
        steps = state.info["steps"].astype(jnp.int32) + 1
        info = {"key": key, "steps": steps, "far": far, "none": state.info["none"]}
        obs = {"state": place, "privileged_state": -place}
        bonus = state.metrics["bonus"] * jnp.float32(0.5) + steps
        return State(obs, bonus, far.astype(jnp.float32), {"bonus": bonus}, info)


def make(seed: int = 0, count: int = 3, twin: Any = None, **settings: Any) -> Any:
    """Make one; a ``twin`` with the same settings spares the compiling."""
    from coterie_envs import JaxEnv

    own = {key: settings.pop(key) for key in ("size", "weak", "widens") if key in settings}
    env = JaxEnv(Wander(**own), count, name="wander", seed=seed, **settings)
    if twin is not None:
        env._reset, env._step, env._merge = twin._reset, twin._step, twin._merge
    return env


def run(env: Any, begin: int, end: int) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    for timestep in range(begin, end):
        generator = torch.Generator().manual_seed(timestep)
        result = env.step(torch.rand((env.num_envs, 2), generator=generator))
        trees = (result[0], *result[1:4], result[4], env.state())
        found += [leaf.clone() for tree in trees for leaf in tree_leaves(tree)]
    return found


def ready(env: Any, steps: int = 5) -> Any:
    env.reset()
    run(env, 0, steps)
    return env


@pytest.mark.parametrize(
    "settings",
    [
        {"weak": True},
        {"full_reset": False, "widens": True},
        {"action_repeat": 2, "max_episode_steps": 3},
    ],
)
def test_a_saved_state_goes_on_exactly(settings, tmp_path):
    env = make(**settings)
    other = make(seed=8, twin=env, **settings)
    for steps in (0, 37):
        ready(env, steps)
        state = env.state_dict()
        kept = deepcopy(state)
        seen = env.state().clone()
        expected = run(env, 37, 90)
        assert_same_state(state, kept)
        write_state(tmp_path / "state", state, {})
        stored, _ = read_state(tmp_path / "state")
        assert_same_state(stored, state)
        other.load_state_dict(stored)  # into an untouched one first, later amidst its episodes
        assert torch.equal(other.state(), seen)
        assert_same_state(other.state_dict(), stored)
        found = run(other, 37, 90)
        assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
        assert torch.equal(other.reset()[0], env.reset()[0])


@pytest.fixture(scope="module")
def env() -> Any:
    return ready(make(weak=True))


def test_types_that_yield_are_kept(env):
    env.reset()
    state = env.state_dict()["states"]
    weak = [name for name, flag in zip(state["names"], state["weak"], strict=True) if flag]
    assert weak == [".metrics['bonus']"]
    env.load_state_dict(env.state_dict())
    assert env._states.metrics["bonus"].weak_type
    assert not env._states.reward.weak_type


def test_a_loaded_state_compiles_nothing_anew(env):
    ready(env, 30)
    if not hasattr(env._step, "_cache_size"):
        pytest.skip("this version of JAX does not tell how often it compiled")
    state, before = env.state_dict(), env._step._cache_size()
    env.load_state_dict(state)
    run(env, 0, 30)
    assert env._step._cache_size() == before


@pytest.mark.parametrize("place", ["states", "elapsed"])
@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("names", lambda names: names[:-1], "expected a list of"),
        ("names", lambda names: ["x" for _ in names], "other arrays"),
        ("arrays", lambda arrays: arrays[1:], "expected a list of"),
        ("arrays", lambda arrays: [one[:2] for one in arrays], "expected shape"),
        ("arrays", lambda arrays: [one.double() for one in arrays], "of float64"),
        ("arrays", lambda arrays: [None for _ in arrays], "got NoneType"),
        ("weak", lambda weak: [1 for _ in weak], "expected bools"),
        ("weak", lambda weak: None, "got NoneType"),
    ],
)
def test_damaged_arrays_are_refused_and_change_nothing(env, place, key, change, message):
    kept, state = env.state_dict(), env.state_dict()
    state[place][key] = change(state[place][key])
    with pytest.raises(EnvContractError, match=message):
        env.load_state_dict(state)
    assert_same_state(env.state_dict(), kept)


def test_other_states_are_refused(env):
    kept = env.state_dict()
    negative = torch.tensor([-1, 0, 0])
    for state, message in (
        ({}, "expected"),
        (kept | {"more": 1}, "more"),
        (kept | {"seeds": negative}, "from 0 below"),
        (kept | {"episodes": kept["episodes"].float()}, "episodes: expected shape"),
        (kept | {"elapsed": None}, "got NoneType"),
        (ready(make(count=2), 0).state_dict(), "expected shape"),
        (ready(make(size=3), 0).state_dict(), "expected shape"),
        (ready(make(full_reset=False), 0).state_dict(), "full_reset=False"),
    ):
        with pytest.raises(EnvContractError, match=message):
            env.load_state_dict(state)
    assert_same_state(env.state_dict(), kept)
    with pytest.raises(EnvContractError, match="first"):
        make(full_reset=False, twin=env).load_state_dict(kept)


def test_what_is_more_than_arrays_is_not_saved():
    from coterie_envs import JaxEnv

    class Typed(Wander):
        def reset(self, key: Any) -> State:
            state = super().reset(key)
            return state._replace(info={**state.info, "typed": jax.random.key(0)})

    class Warp(Wander):
        """The state of MuJoCo Warp says so."""

        def reset(self, key: Any) -> Any:
            return Held(*super().reset(key))

    for kind in (Typed, Warp):
        env = JaxEnv(kind(), 2)
        assert not env.saves_state
        with pytest.raises(EnvContractError, match="can't save"):
            env.state_dict()
        with pytest.raises(EnvContractError, match="can't load"):
            env.load_state_dict({})
    plain = make()
    assert plain.saves_state
    with pytest.raises(EnvContractError, match=r"call reset\(\) first"):
        plain.state_dict()


class Implementation(NamedTuple):
    name: str = "WARP"


class Data:
    impl = Implementation()


@jax.tree_util.register_pytree_node_class
class Held(State):
    """A state with a simulation that is held elsewhere."""

    data = Data()

    def tree_flatten(self) -> Any:
        return tuple(self), None

    @classmethod
    def tree_unflatten(cls, _: Any, children: Any) -> Any:
        return cls(*children)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("spec", "module"),
    [("brax:inverted_pendulum", "brax"), ("playground:CartpoleBalance", "mujoco_playground")],
)
def test_the_libraries(spec, module, tmp_path):
    pytest.importorskip(module)
    env, other = (
        coterie.make_env(spec, num_envs=2, seed=seed, max_episode_steps=20) for seed in (0, 9)
    )
    size = env.action_space.shape[0]
    actions = torch.rand((80, 2, size), generator=torch.Generator().manual_seed(0)) * 2 - 1
    env.reset()
    for action in actions[:33]:
        env.step(action)
    write_state(tmp_path / "state", env.state_dict(), {})
    other.load_state_dict(read_state(tmp_path / "state")[0])
    for action in actions[33:]:
        results = [tree_leaves(one.step(action)) for one in (env, other)]
        assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize(
    "settings", [{"weak": True}, {"full_reset": False, "max_episode_steps": 4}]
)
def test_a_state_is_cut_by_instance(settings):
    suite: Any = EnvSuite()
    suite.make_env = lambda count, seed: make(seed, count, **settings)
    suite.timesteps = 24
    assert make(count=1, **settings).splits_state
    suite.test_split_and_joined()


def test_a_type_yields_where_it_does_in_all_parts(env):
    env.reset()
    fresh = env.state_dict()
    run(env, 0, 1)
    begun = env.state_dict()
    joined = env.join_states([fresh, fresh])["states"]
    assert joined["weak"] == fresh["states"]["weak"]
    assert env.join_states([fresh, begun])["states"]["weak"] == [False] * len(joined["weak"])


def test_what_does_not_fit_together_is_refused(env):
    state, other = env.state_dict(), ready(make(size=3), 0).state_dict()
    with pytest.raises(EnvContractError, match="dimension 0 alone"):
        env.join_states([state, other])
    with pytest.raises(EnvContractError, match=r"states\.first: expected .*, got NoneType"):
        env.join_states([ready(make(full_reset=False), 0).state_dict(), state])
    with pytest.raises(EnvContractError, match="at least one"):
        env.join_states([])
    with pytest.raises(EnvContractError, match="size 2 in dimension 0"):
        env.split_state(state | {"seeds": torch.zeros(2)}, [slice(0, 1)])
    with pytest.raises(ValueError, match="at least one of the 3"):
        env.split_state(state, [slice(0, 4)])
    from coterie_envs import JaxEnv

    class Typed(Wander):
        def reset(self, key: Any) -> State:
            state = super().reset(key)
            return state._replace(info={**state.info, "typed": jax.random.key(0)})

    typed = JaxEnv(Typed(), 2)
    assert not typed.splits_state
    with pytest.raises(EnvContractError, match="can't split"):
        typed.split_state(state, [slice(0, 1)])
    with pytest.raises(EnvContractError, match="can't join"):
        typed.join_states([state])
