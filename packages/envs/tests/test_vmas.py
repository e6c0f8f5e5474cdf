"""VMAS itself behind the contract for teams; skipped where it is not installed."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

import coterie
from coterie import ConfigError, EnvContractError
from coterie.spaces import sample_actions
from coterie.testing import SumTeam, TeamEnvSuite, agents_for, assert_same_state, nothing_global
from coterie_envs import VmasAdapter, VmasEnv

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    vmas = pytest.importorskip("vmas")


class ClosesWindow(TeamEnvSuite):
    """VMAS has nothing to close but its window."""

    def break_close(self, env, close):
        env.env.viewer = SimpleNamespace(close=close)


class TestBalance(ClosesWindow):
    timesteps = 40

    def make_env(self, num_envs, seed):
        return coterie.make_env("vmas:balance", num_envs=num_envs, seed=seed, max_steps=13)


class TestNavigationDiscrete(ClosesWindow):
    timesteps = 25

    def make_env(self, num_envs, seed):
        return coterie.make_env(
            "vmas:navigation",
            num_envs=num_envs,
            seed=seed,
            max_steps=8,
            continuous_actions=False,
            n_agents=2,
        )


class TestWrappedSpeakerListener(ClosesWindow):
    """Actors with different spaces; an environment that gives dicts."""

    timesteps = 25

    def make_env(self, num_envs, seed):
        env = vmas.make_env(
            "simple_speaker_listener", num_envs=num_envs, max_steps=8, dict_spaces=True
        )
        return coterie.wrap_env(env, seed=seed)


def actions_of(env, seed):
    generator = torch.Generator(env.device).manual_seed(seed)
    return sample_actions(env.action_space, env.num_envs, generator)


@pytest.mark.parametrize("continuous", [True, False])
def test_steps_are_those_of_the_bare_library(continuous):
    """Rewards, flags, infos and resets of some and of all instances, bit for bit."""
    settings = {"max_steps": 60, "continuous_actions": continuous, "n_agents": 3}
    bare = vmas.make_env("balance", num_envs=3, seed=5, **settings)
    seen = bare.reset(seed=5)
    env = VmasAdapter().make("balance", num_envs=3, seed=5, **settings)
    observed, _ = env.reset()
    some = every = 0
    for step in range(150):
        assert all(torch.equal(observed[a], seen[i]) for i, a in enumerate(env.actors))
        actions = actions_of(env, step)
        given = [actions[actor].clone() for actor in env.actors]
        observed, rewards, terminated, truncated, infos = env.step(actions)
        seen, gains, done, more = bare.step(given)
        for i, actor in enumerate(env.actors):
            assert torch.equal(rewards[actor], gains[i])
            assert torch.equal(terminated[actor] | truncated[actor], done)
            assert all(torch.equal(infos[actor][key], more[i][key]) for key in more[i])
        if not done.any():
            continue
        if done.all():
            every, seen = every + 1, bare.reset()
        else:
            some += 1
            for row in done.nonzero().flatten().tolist():
                seen = bare.reset_at(row)
        observed, _ = env.reset(options={"reset_mask": done})
    assert some + every > 2


def test_truncation_is_told_apart(monkeypatch):
    """What the scenario ends terminates, the limit truncates; in one step it can be both."""
    env = VmasAdapter().make("balance", num_envs=3, seed=0, max_steps=4)
    env.reset()
    ends = {2: [False, True, False], 4: [False, False, True]}
    found = []
    for step in range(1, 7):
        over = torch.tensor(ends.get(step, [False] * 3))
        monkeypatch.setattr(env.env.scenario, "done", lambda over=over: over)
        _, _, terminated, truncated, _ = env.step(actions_of(env, step))
        end, limit = terminated["agent_0"], truncated["agent_0"]
        found.append((end.tolist(), limit.tolist()))
        env.reset(options={"reset_mask": end | limit})
    none = [False] * 3
    assert found == [
        (none, none),
        ([False, True, False], none),
        (none, none),
        ([False, False, True], [True, False, True]),
        (none, none),
        (none, [False, True, False]),
    ]


def test_tensors_are_those_of_vmas():
    env = VmasAdapter().make("navigation", num_envs=3, seed=0)
    env.reset()
    given = {}
    step = env.env.step
    env.env.step = lambda actions: given.setdefault("result", step(actions))
    observed, *_ = env.step(actions_of(env, 0))
    assert observed["agent_1"] is given["result"][0][1]
    assert env.autoreset_mode is AutoresetMode.DISABLED
    assert env.actors_end_together


def test_environments_do_not_share_a_stream():
    """What another environment of the process does changes nothing."""

    def rollout(disturb):
        env = VmasAdapter().make("navigation", num_envs=3, seed=4, max_steps=4)
        other = VmasAdapter().make("navigation", num_envs=5, seed=9)
        bare = vmas.make_env("navigation", num_envs=2)
        seen = [env.reset()[0]["agent_0"]]
        for step in range(12):
            if disturb:
                other.reset(seed=step)
                bare.reset()
            *_, truncated, _ = env.step(actions_of(env, step))
            seen.append(env.reset(options={"reset_mask": truncated["agent_0"]})[0]["agent_0"])
        return torch.stack(seen)

    assert torch.equal(rollout(False), rollout(True))


def test_nothing_global_changes():
    with nothing_global():
        env = VmasAdapter().make("navigation", num_envs=3, seed=4)
        env.reset(seed=1)
        env.step(actions_of(env, 0))
        env.reset()


def test_discrete_and_multidiscrete_actions():
    make = VmasAdapter().make
    flat = make("simple_reference", num_envs=2, seed=0, continuous_actions=False)
    assert isinstance(flat.action_space["agent_0"], spaces.Discrete)
    parts = make(
        "simple_reference",
        num_envs=2,
        seed=0,
        continuous_actions=False,
        multidiscrete_actions=True,
    )
    assert isinstance(parts.action_space["agent_0"], spaces.MultiDiscrete)
    for env in (flat, parts):
        env.reset()
        assert env.step(actions_of(env, 0))[1]["agent_0"].shape == (2,)


def test_rewards_with_a_dimension_too_many():
    env = VmasAdapter().make("wheel", num_envs=4, seed=0)
    env.reset()
    assert env.step(actions_of(env, 0))[1]["agent_0"].shape == (4,)


def test_actions_beyond_their_bounds():
    far = {f"agent_{i}": torch.full((2, 2), 3.0) for i in range(3)}
    near = {f"agent_{i}": torch.full((2, 2), 1.0) for i in range(3)}
    results = []
    for actions in (far, near):
        env = VmasAdapter().make("balance", num_envs=2, seed=0)
        env.reset()
        results.append(env.step(actions)[0]["agent_0"])
    assert torch.equal(*results)
    strict = VmasAdapter().make("balance", num_envs=2, seed=0, clamp_actions=False)
    strict.reset()
    with pytest.raises(AssertionError, match="out of its range"):
        strict.step(far)


def test_frames_or_a_clear_error():
    env = VmasAdapter().make("balance", num_envs=2, seed=0, render_mode="rgb_array")
    env.reset()
    try:
        frames = env.render()
    except EnvContractError as error:
        assert "can't be drawn here" in str(error)  # noqa: PT017
        return
    assert (frames.shape, frames.dtype.name) == ((2, 700, 700, 3), "uint8")
    assert frames.min() < frames.max()
    env.close()


def test_nothing_is_drawn_without_a_mode_and_failures_are_explained(monkeypatch):
    env = VmasAdapter().make("balance", num_envs=1, seed=0)
    assert env.render() is None
    env.render_mode = "rgb_array"
    monkeypatch.setattr(env.env, "render", lambda **_: 1 / 0)
    with pytest.raises(EnvContractError, match=r"can't be drawn here \(ZeroDivision.*xvfb-run"):
        env.render()


def test_wrapping():
    bare = vmas.make_env("balance", num_envs=2, max_steps=5)
    env = coterie.wrap_env(bare, seed=3)
    assert isinstance(env, VmasEnv)
    assert (env.name, env.num_envs, env.seed, env.env is bare) == ("vmas:balance", 2, 3, True)
    env.reset()
    flags = [env.step(actions_of(env, step))[3]["agent_0"].tolist() for step in range(5)]
    assert flags == [[False] * 2] * 4 + [[True] * 2]
    with pytest.raises(ConfigError, match=r"expected an environment of vmas.make_env"):
        coterie.wrap_env(3, "vmas")


@pytest.mark.parametrize(
    ("env_id", "settings", "message"),
    [
        ("balence", {}, "did you mean 'balance'"),
        ("no_such_package.scenario", {}, "module 'no_such_package.scenario' can't be imported"),
        ("os.path", {}, "os.path has no class 'Scenario'"),
        ("balance", {"n_agent": 2}, "'n_agent': 2} passed but not used"),
        ("balance", {"wrapper": "gym"}, "wrapper can't be set"),
        ("balance", {"render_mode": "ansi"}, "render_mode = 'ansi': expected one of"),
        ("balance", {"multidiscrete_actions": True}, "could not be made: AssertionError"),
        ("balance", {"num_envs": 0}, "num_envs = 0: expected"),
    ],
)
def test_wrong_arguments_are_explained(env_id, settings, message):
    with pytest.raises(ConfigError, match=message):
        VmasAdapter().make(env_id, **settings)


def test_misuse_is_explained():
    env = VmasAdapter().make("balance", num_envs=2, seed=0)
    with pytest.raises(EnvContractError, match=r"call reset\(\) first"):
        env.step(actions_of(env, 0))
    with pytest.raises(EnvContractError, match=r"call reset\(\) without a mask"):
        env.reset(options={"reset_mask": torch.ones(2, dtype=torch.bool)})
    with pytest.raises(EnvContractError, match="reset with a single seed"):
        env.reset(seed=[1, 2])
    env.reset()
    with pytest.raises(ValueError, match=r"expected bool \(2,\)"):
        env.reset(options={"reset_mask": torch.ones(3, dtype=torch.bool)})
    with pytest.raises(ValueError, match="'fast' is not known"):
        env.reset(options={"fast": True})
    env.close()
    with pytest.raises(EnvContractError, match="is closed"):
        env.reset()


def test_scenarios_are_listed_and_found_by_module():
    ids = VmasAdapter().ids()
    assert ids == sorted(ids)
    assert {"balance", "navigation", "simple_spread", "waterfall"} <= set(ids)
    env = VmasAdapter().make("vmas.scenarios.balance", num_envs=1, seed=0)
    assert env.actors == ("agent_0", "agent_1", "agent_2")


def train(trainer: str) -> list[dict]:
    env = VmasAdapter().make("balance", num_envs=4, seed=0, max_steps=9)
    teams = agents_for(env, SumTeam, SumTeam)
    cfg = {"timesteps": 30, "disable_progressbar": True}
    with coterie.make_trainer(trainer, env=env, agents=teams, cfg=cfg) as made:
        made.train()
    return [team.state_dict() for team in teams]


def test_teams_learn_the_same_in_parallel():
    pytest.importorskip("coterie_backends_mp")
    assert_same_state(train("sequential"), train("parallel"))


@pytest.mark.gpu
def test_on_a_gpu():
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    env = coterie.make_env("vmas:balance", num_envs=64, seed=0, device="cuda:0", max_steps=9)
    before = torch.cuda.get_rng_state()
    first, _ = env.reset(seed=3)
    for step in range(20):
        observed, rewards, terminated, truncated, _ = env.step(actions_of(env, step))
        done = terminated["agent_0"] | truncated["agent_0"]
        assert observed["agent_0"].device == rewards["agent_0"].device == env.device
        if bool(done.any()):
            env.reset(options={"reset_mask": done})
    again, _ = env.reset(seed=3)
    assert torch.equal(first["agent_0"], again["agent_0"])
    assert torch.equal(before, torch.cuda.get_rng_state())
