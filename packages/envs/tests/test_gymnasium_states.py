"""Saving and loading gymnasium's environments: a loaded one goes on bit for bit."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

import coterie
from coterie import EnvContractError
from coterie._state import read_state, write_state
from coterie.spaces import sample_actions, tree_leaves
from coterie.testing import SumAgent, agents_for, assert_same_state

CLASSIC = ("Acrobot-v1", "CartPole-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Pendulum-v1")
MODES = ("same_step", "next_step", "disabled")
RESCALED = {"name": "RescaleAction", "min_action": -1.0, "max_action": 1.0}
STACKED = {"name": "FrameStackObservation", "stack_size": 3}


def make(name: str = "CartPole-v1", seed: int = 0, num_envs: int = 2, **settings: Any) -> Any:
    settings = {"vectorization": "sync", **settings}
    return coterie.make_env(f"gymnasium:{name}", num_envs=num_envs, seed=seed, **settings)


def actions_of(env: Any, drawn: dict[str, Any] = {}) -> torch.Tensor:  # noqa: B006
    """The same for equal environments: ``[300, N, ...]``."""
    key = f"{env.action_space} {env.num_envs}"
    if key not in drawn:
        generator = torch.Generator().manual_seed(0)
        flat = sample_actions(env.action_space, 300 * env.num_envs, generator)
        drawn[key] = flat.reshape(300, env.num_envs, *flat.shape[1:])
    return drawn[key]


def step(env: Any, timestep: int) -> list[torch.Tensor]:
    """Step with drawn actions; reset what waits for it. Return all that came out, in copies."""
    result = env.step(actions_of(env)[timestep])
    found = [*tree_leaves(result[0]), *result[1:4]]
    found += tree_leaves(result[4]["final_obs"]) if "final_obs" in result[4] else []
    statistics = result[4].get("episode", {})
    found += [torch.as_tensor(statistics[key]) for key in ("r", "l") if key in statistics]
    done = result[2] | result[3]
    if env.autoreset_mode.name == "DISABLED" and bool(done.any()):
        found += tree_leaves(env.reset(options={"reset_mask": done})[0])
    return [one.clone() for one in found]


def run(env: Any, begin: int, end: int) -> list[torch.Tensor]:
    return [one for timestep in range(begin, end) for one in step(env, timestep)]


def ready(env: Any, steps: int = 5) -> Any:
    env.reset()
    run(env, 0, steps)
    return env


def check(path: Any, at: int = 137, end: int = 300, **settings: Any) -> None:
    """Go on, and let another do the same: amidst its episodes, or (next-step) untouched."""
    env = make(**settings)
    assert env.saves_state
    env.reset()
    run(env, 0, at)
    state = env.state_dict()
    kept = deepcopy(state)
    expected = run(env, at, end)
    assert sum(one.sum() for one in expected if one.dtype == torch.bool) > 2, "no episode ended"
    assert_same_state(state, kept)
    write_state(path / "state", state, {})
    stored, _ = read_state(path / "state")
    assert_same_state(stored, state)
    settings["seed"] = 9
    other = make(**settings)
    if env.autoreset_mode.name != "NEXT_STEP":
        ready(other)
    other.load_state_dict(stored)
    for one, two in zip(expected, run(other, at, end), strict=True):
        assert one.dtype == two.dtype
        assert one.numpy().tobytes() == two.numpy().tobytes()
    assert_same_state(stored, state)


@pytest.mark.parametrize("name", CLASSIC)
@pytest.mark.parametrize("mode", MODES)
def test_classic_control(name, mode, tmp_path):
    check(tmp_path, name=name, autoreset_mode=mode, max_episode_steps=40)


@pytest.mark.parametrize("name", ["CartPole-v0", "CartPole-v1"])
def test_the_vector_entry_point(name, tmp_path):
    check(tmp_path, name=name, vectorization="vector_entry_point", max_episode_steps=30)


@pytest.mark.parametrize(
    "settings",
    [
        {"autoreset_mode": "disabled"},
        {"autoreset_mode": "next_step"},
        {"vectorization": "vector_entry_point"},
    ],
)
def test_between_the_end_of_an_episode_and_the_reset(settings):
    env, other = ready(make(**settings), 0), ready(make(seed=9, **settings), 0)
    done = torch.zeros(2, dtype=torch.bool)
    for actions in actions_of(env):
        if done.sum() == 1:
            break
        _, _, terminated, truncated, _ = env.step(actions)
        done = terminated | truncated
    other.load_state_dict(env.state_dict())
    if env.autoreset_mode.name == "DISABLED":
        begins = [one.reset(options={"reset_mask": done})[0] for one in (env, other)]
        assert torch.equal(*begins)
    assert all(torch.equal(a, b) for a, b in zip(run(env, 0, 60), run(other, 0, 60), strict=True))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "wrappers",
    [
        ["RecordEpisodeStatistics", "TimeAwareObservation"],
        ["NormalizeObservation", "NormalizeReward"],
        [STACKED, {"name": "TimeAwareObservation", "flatten": False}],
        [RESCALED, "ClipAction", {"name": "RepeatAction", "num_repeats": 2}, "FlattenObservation"],
    ],
    ids=["statistics", "normalised", "stacked", "rescaled"],
)
def test_wrappers_of_instances(wrappers, mode, tmp_path):
    check(
        tmp_path,
        at=61,
        end=150,
        name="Pendulum-v1",
        autoreset_mode=mode,
        max_episode_steps=20,
        wrappers=wrappers,
    )


@pytest.mark.parametrize(
    ("mode", "vector_wrappers"),
    [
        ("same_step", ["NormalizeReward", "RecordEpisodeStatistics", "ClipAction"]),
        ("next_step", ["NormalizeObservation", "NormalizeReward", RESCALED, "FlattenObservation"]),
        ("disabled", ["RecordEpisodeStatistics"]),
    ],
)
def test_wrappers_of_vectors(mode, vector_wrappers, tmp_path):
    check(
        tmp_path,
        at=61,
        end=150,
        name="Pendulum-v1",
        autoreset_mode=mode,
        max_episode_steps=20,
        vector_wrappers=vector_wrappers,
    )


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("Ant-v5", "same_step"),
        ("InvertedDoublePendulum-v5", "disabled"),
        ("Reacher-v5", "same_step"),
    ],
)
def test_mujoco(name, mode, tmp_path):
    pytest.importorskip("mujoco")
    check(
        tmp_path, at=61, end=261, num_envs=1, name=name, autoreset_mode=mode, max_episode_steps=50
    )


def test_what_was_wrapped_and_bounds_of_a_reset(tmp_path):
    env = coterie.wrap_env(gymnasium.make_vec("CartPole-v1", 2), seed=0)
    assert env.saves_state
    env.reset(options={"low": -0.001, "high": 0.001})
    run(env, 0, 40)
    other = coterie.wrap_env(gymnasium.make_vec("CartPole-v1", 2), seed=1)
    other.load_state_dict(env.state_dict())
    expected = run(env, 40, 160)
    assert all(torch.equal(a, b) for a, b in zip(expected, run(other, 40, 160), strict=True))
    single = coterie.wrap_env(gymnasium.make("Acrobot-v1"), seed=0)
    assert single.saves_state


def test_statistics_and_seeds_come_back():
    env = ready(make(wrappers=["RecordEpisodeStatistics"]), 80)
    other = make(seed=4, wrappers=["RecordEpisodeStatistics"])
    other.load_state_dict(env.state_dict())
    one, two = env.env.envs[1], other.env.envs[1]
    for name in ("return_queue", "length_queue", "episode_count", "np_random_seed"):
        assert one.get_wrapper_attr(name) == two.get_wrapper_attr(name)
    assert one.get_wrapper_attr("episode_count") > 0
    assert two.get_wrapper_attr("return_queue").maxlen == 100
    began = [each.get_wrapper_attr("episode_start_time") for each in (one, two)]
    assert began[1] == pytest.approx(began[0], abs=5.0)


def test_passive_checks_may_differ():
    """Wrappers that only look on are no part of a state."""
    env = ready(make())
    other = ready(make(seed=3, disable_env_checker=True))
    other.load_state_dict(env.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(run(env, 0, 50), run(other, 0, 50), strict=True))


class LimitOfAnother(gymnasium.wrappers.TimeLimit):
    """A subclass may keep more than its base."""


@pytest.mark.parametrize(
    "settings",
    [
        {"vectorization": "async"},
        {"wrappers": [lambda env: LimitOfAnother(env, 9)]},
        {"wrappers": [lambda env: gymnasium.wrappers.TransformReward(env, lambda r: r)]},
        {"wrappers": [{"name": "StickyAction", "repeat_action_probability": 0.1}]},
        {"name": "Taxi-v4"},
    ],
)
def test_what_is_not_known_is_not_saved(settings):
    env = make(**settings)
    env.reset()
    assert env.saves_state is False
    with pytest.raises(EnvContractError, match="can't save its state"):
        env.state_dict()
    with pytest.raises(EnvContractError, match="can't load a state"):
        env.load_state_dict({})
    env.close()


def test_environments_and_generators_of_others(counter):
    assert not coterie.wrap_env(counter()).saves_state
    env = ready(make())
    env.env.envs[0].unwrapped.np_random = np.random.Generator(np.random.MT19937(0))
    assert not env.saves_state


def test_there_is_no_state_before_the_first_reset():
    with pytest.raises(EnvContractError, match=r"call reset\(\) first"):
        make().state_dict()


def at(state: Any, *path: Any) -> Any:
    for key in path:
        state = state[key]
    return state


CARTPOLE = ("env", "instances", 1, -1)
DAMAGES = {
    "count": (("num_envs",), 3, "num_envs: expected 2, got 3"),
    "mode": (("autoreset_mode",), "NextStep", "expected 'SameStep', got 'NextStep'"),
    "layers": (("env", "layers"), [], "expected a list of 1, got 0"),
    "flags": (("env", "layers", 0, "_autoreset_envs"), torch.zeros(2), "of bool, got"),
    "instances": (("env", "instances"), [[]], "expected a list of 2, got 1"),
    "no layer": (("env", "instances", 0), None, "expected a list of 2, got NoneType"),
    "kind": ((*CARTPOLE, "kind"), "PendulumEnv", "expected a CartPoleEnv, got 'PendulumEnv'"),
    "shape": ((*CARTPOLE, "state"), torch.zeros(3).double(), r"expected shape \(4,\) of"),
    "dtype": ((*CARTPOLE, "state"), torch.zeros(4, dtype=torch.int64), "got .* of int64"),
    "no tensor": ((*CARTPOLE, "state"), [0.0] * 4, "got list"),
    "counter": ((*CARTPOLE, "steps_beyond_terminated"), -1, "expected an integer from 0"),
    "elapsed": (("env", "instances", 0, 0, "_elapsed_steps"), True, "expected an integer from 0"),
    "no stream": ((*CARTPOLE, "stream"), None, "got NoneType"),
    "wide": ((*CARTPOLE, "stream", "state"), 2**128, "expected an integer from 0 below"),
    "even": ((*CARTPOLE, "stream", "inc"), 2, "not the state of a PCG64"),
    "seed": ((*CARTPOLE, "stream", "seed"), "__import__('os')", "not the state of a PCG64"),
    "seen": (("env", "observations"), [torch.zeros(3, 4)], r"expected shape \(2, 4\)"),
    "observed": (("observations",), [torch.zeros(2, 4).double()], "of float32, got"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_states_are_refused_and_change_nothing(damage):
    path, value, message = DAMAGES[damage]
    state = ready(make()).state_dict()
    at(state, *path[:-1])[path[-1]] = value
    other = ready(make(seed=3), 7)
    kept = other.state_dict()
    with pytest.raises(EnvContractError, match=message):
        other.load_state_dict(state)
    assert_same_state(other.state_dict(), kept)


@pytest.mark.parametrize("path", [(), ("env",), CARTPOLE, (*CARTPOLE, "stream")])
def test_missing_and_further_parts_are_refused(path):
    env = ready(make())
    kept = env.state_dict()
    for change in (lambda part: part.popitem(), lambda part: part.update(more=1)):
        state = env.state_dict()
        change(at(state, *path))
        with pytest.raises(EnvContractError, match="expected"):
            env.load_state_dict(state)
    assert_same_state(env.state_dict(), kept)


def test_states_of_other_environments_are_refused():
    states = [ready(make(name)).state_dict() for name in CLASSIC]
    states.append(ready(make(num_envs=3)).state_dict())
    states.append(ready(make(vectorization="vector_entry_point")).state_dict())
    states.append(ready(make(wrappers=["TimeAwareObservation"])).state_dict())
    states.append({"state": torch.zeros(4, 2)})
    env = ready(make())
    for index, state in enumerate(states):
        if index != CLASSIC.index("CartPole-v1"):
            with pytest.raises(EnvContractError):
                env.load_state_dict(state)
    many = ready(make(num_envs=3, vectorization="vector_entry_point"))
    with pytest.raises(EnvContractError, match="expected 3, got 2"):
        many.load_state_dict(ready(make(vectorization="vector_entry_point")).state_dict())


def test_queues_and_numbers_are_checked():
    env = ready(make(wrappers=["RecordEpisodeStatistics", "NormalizeReward"]))
    place = ("env", "instances", 0)
    for layer, key, value in (
        (1, "return_queue", [0.0] * 101),
        (1, "return_queue", "long"),
        (1, "length_queue", [1.5]),
        (1, "time_queue", [None]),
        (1, "episode_start_time", 0.0),
        (0, "return_rms.count", 1),
        (0, "return_rms.mean", torch.zeros(1).double()),
        (0, "_update_running_mean", 1),
    ):
        state = env.state_dict()
        assert key in at(state, *place, layer)
        at(state, *place, layer)[key] = value
        with pytest.raises(EnvContractError, match=key.replace(".", r"\.")):
            env.load_state_dict(state)


@pytest.mark.parametrize("mode", MODES)
def test_an_evaluation_leaves_the_episodes_of_training_alone(mode):
    learned = []
    for evaluates in (False, True):
        env = make(autoreset_mode=mode)
        (agent,) = agents_for(env, SumAgent)
        cfg = {"timesteps": 23, "disable_progressbar": True}
        trainer = coterie.SequentialTrainer(env=env, agents=[agent], cfg=cfg)
        trainer.train()
        if evaluates:
            trainer.eval()
        trainer.train()
        learned.append(agent.state_dict())
    assert_same_state(*learned)
