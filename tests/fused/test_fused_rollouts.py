"""Policy and environment go through several timesteps in one program: the same as step by step."""

import csv
import math
import shutil

import pytest
import torch
from torch.utils import _pytree

import coterie
from coterie import ConfigError, EnvContractError, WorkerRaised
from coterie_agents import A2C, PPO, RPO, SAC
from coterie_agents._ppo import rolling
from coterie_envs import CartPole, Pendulum

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")


class Plain:
    """Does what a program does without compiling anything, and counts its calls."""

    calls = 0

    def __init__(self, function, inputs):
        leaves, self.structure = _pytree.tree_flatten(inputs)
        self.leaves, self.function = leaves, function

    def call(self, *tensors):
        Plain.calls += 1
        rest = iter(tensors)
        own = [next(rest) if isinstance(leaf, torch.Tensor) else leaf for leaf in self.leaves]
        results = self.function(*_pytree.tree_unflatten(own, self.structure))
        leaves, self.results = _pytree.tree_flatten(results)
        return leaves

    def arrange(self, results):
        return _pytree.tree_unflatten(results, self.results)


@pytest.fixture
def plain(monkeypatch):
    monkeypatch.setattr(rolling, "Program", Plain)
    monkeypatch.setattr(Plain, "calls", 0)
    return Plain


class DoubleRPO(RPO):
    dtype = torch.float64


class DoubleA2C(A2C):
    dtype = torch.float64


def make(tools, kind=None, make_env=CartPole, count=3, num_envs=2, **cfg):
    env = make_env(count * num_envs, seed=5, max_episode_steps=13)
    kind = kind or tools.double
    if issubclass(kind, A2C):
        cfg = {"rollouts": 6, "model": {"hidden_sizes": (6, 5)}, **cfg}
        agents = [
            kind(
                observation_space=env.observation_space,
                action_space=env.action_space,
                seed=seed,
                cfg=cfg,
            )
            for seed in range(count)
        ]
    else:
        agents = [tools.agent(env, seed, kind, **cfg) for seed in range(count)]
    return env, agents


def states(agents):
    return [agent.state_dict() for agent in agents]


def rows(folder):
    """What is in metrics.csv, but for what depends on the clock."""
    with (folder / "metrics.csv").open(newline="") as file:
        return [
            (row["timestep"], row["member"], row["name"], float(row["value"]))
            for row in csv.DictReader(file)
            if row["member"] and "seconds" not in row["name"]
        ]


@pytest.mark.parametrize("unit", [1, 4])
@pytest.mark.parametrize(
    ("kind", "make_env", "cfg"),
    [
        (None, CartPole, {}),
        (None, CartPole, {"observation_normalization": True, "value_normalization": True}),
        (None, Pendulum, {"observation_normalization": True, "time_limit_bootstrap": True}),
        (DoubleRPO, Pendulum, {"alpha": 0.3}),
        (DoubleA2C, CartPole, {}),
    ],
    ids=["choices", "scaled choices", "scaled reals", "rpo", "a2c"],
)
def test_members_learn_what_they_learn_step_by_step(
    tools, plain, tmp_path, unit, kind, make_env, cfg
):
    found = []
    for steps in (0, unit):
        env, agents = make(tools, kind, make_env, **cfg)
        folder = tmp_path / f"run-{steps}"
        with coterie.make_trainer(
            "fused",
            env=env,
            agents=agents,
            cfg={
                "timesteps": 64,  # the last rollout is cut
                "metrics_interval": 7,
                "disable_progressbar": True,
                "compile_rollout": steps,
                "checkpoints": {"interval": 16},
            },
            run_dir=folder,
        ) as trainer:
            summary = trainer.train()
        found.append((states(agents), rows(folder), [m.episodes for m in summary.members]))
    assert plain.calls > 40 // unit
    (alone, metrics, episodes), (together, other_metrics, other_episodes) = found
    for one, other in zip(alone, together, strict=True):
        tools.assert_close(one, other, rtol=1e-9, atol=1e-11)
    assert episodes == other_episodes
    assert [row[:3] for row in metrics] == [row[:3] for row in other_metrics]
    values = [[row[3] for row in part] for part in (metrics, other_metrics)]
    assert values[0] == pytest.approx(values[1], rel=1e-6, abs=1e-9)


def test_two_runs_are_one_and_the_environment_goes_on(tools, plain):
    one_env, one = make(tools)
    tools.train("fused", one_env, one, 30, compile_rollout=1)
    two_env, two = make(tools)
    tools.train("fused", two_env, two, 15, compile_rollout=1, runs=2)
    for left, right in zip(states(one), states(two), strict=True):
        coterie.testing.assert_same_state(left, right)


def test_one_agent_can_be_a_stack(tools, plain):
    env, agents = make(tools, count=1)
    tools.train("fused", env, agents, 30, compile_rollout=1, smallest_stack=1)
    alone_env, alone = make(tools, count=1)
    tools.train("sequential", alone_env, alone, 30)
    assert plain.calls == 30
    tools.assert_close(*states(agents), *states(alone), rtol=1e-9, atol=1e-11)


def test_with_debug_every_action_is_checked_on_its_way(tools, plain):
    env, agents = make(tools)
    tools.train("fused", env, agents, 12, compile_rollout=1, debug=True)
    assert plain.calls == 0


def test_transitions_are_those_of_single_steps(tools, plain):
    seen = {}
    for steps in (0, 1):
        env, agents = make(tools)
        with coterie.make_trainer(
            "fused",
            env=env,
            agents=agents,
            cfg={"timesteps": 40, "disable_progressbar": True, "compile_rollout": steps},
        ) as trainer:
            seen[steps] = [*trainer._train_session().steps(lambda: False)]
    for one, other in zip(seen[0], seen[1], strict=True):
        done = one.done
        assert torch.equal(done, other.done)
        assert torch.equal(one.valid, other.valid)
        assert torch.equal(one.actions, other.actions)
        for name in ("observations", "rewards", "next_observations"):
            torch.testing.assert_close(getattr(one, name), getattr(other, name))
    assert any(bool(transition.done.any()) for transition in seen[1])


def test_a_run_ends_soon_after_somebody_wants_it_to(tools, plain):
    env, agents = make(tools, rollouts=400, mini_batches=1)
    with coterie.make_trainer(
        "fused",
        env=env,
        agents=agents,
        cfg={"timesteps": 400, "disable_progressbar": True, "compile_rollout": 1},
    ) as trainer:
        session = trainer._train_session()
        asked = iter([False] * 10 + [True] * 1_000)
        done = len([*session.steps(lambda: next(asked))])
        assert 11 <= done <= 64
        assert session.recorder.timestep == done


class Bad(CartPole):
    """Turns an instance's reward into no number from some step of its episode on."""

    bad_row = 3

    def reward(self, state, actions, next_state, terminated):
        rewards = super().reward(state, actions, next_state, terminated)
        row = torch.arange(rewards.shape[0]) == self.bad_row
        return torch.where(row & (next_state[0].abs() > 0.1), math.inf, rewards)


def test_what_is_no_number_is_told_of_with_its_timestep(tools, plain):
    found = []
    for steps in (0, 1):
        env, agents = make(tools, make_env=Bad)
        with pytest.raises(EnvContractError, match="instances 3") as caught:
            tools.train("fused", env, agents, 60, compile_rollout=steps)
        found.append(str(caught.value))
    assert found[0] == found[1]
    assert "rewards" in found[0]


def test_a_member_that_fails_leaves_the_others_to_single_steps(tools, plain):
    found = []
    for steps in (0, 1):
        env, agents = make(tools, make_env=Bad)
        trainer = tools.train(
            "fused",
            env,
            agents,
            90,
            compile_rollout=steps,
            non_finite="ignore",
            on_member_failure="continue",
        )
        assert [member.status for member in trainer.members] == ["active", "failed", "active"]
        found.append((trainer.members[1].failure.timestep, states(agents)))
    assert found[0][0] == found[1][0]
    for index in (0, 2):
        tools.assert_close(found[0][1][index], found[1][1][index], rtol=1e-9, atol=1e-11)


def test_members_that_are_stopped_learn_no_more(tools, plain):
    found = []
    for steps in (0, 1):
        env, agents = make(tools)
        trainer = tools.train(
            "fused",
            env,
            agents,
            240,
            compile_rollout=steps,
            metrics_interval=20,
            stop={"target_return": 12.6, "episodes": 20},
        )
        found.append(([member.status for member in trainer.members], states(agents)))
    assert found[0][0] == found[1][0]
    assert len(set(found[1][0])) == 2, "some are stopped, and others go on"
    assert 10 < plain.calls < 240
    for one, other in zip(found[0][1], found[1][1], strict=True):
        tools.assert_close(one, other, rtol=1e-9, atol=1e-11)


def test_members_that_inherit_from_others_go_on_in_programs(tools, plain):
    pytest.importorskip("coterie_evolution")
    found = []
    for steps in (0, 1):
        env, agents = make(tools)
        ranges = {"learning_rate": {"type": "log", "low": 1e-4, "high": 1e-2}}
        settings = {"interval": 20, "ranges": ranges, "episodes": 1, "fraction": 0.34}
        with coterie.make_trainer(
            "fused",
            env=env,
            agents=agents,
            cfg={"timesteps": 120, "disable_progressbar": True, "compile_rollout": steps},
            controllers=[("pbt", settings)],
        ) as trainer:
            trainer.train()
        found.append(states(agents))
    assert plain.calls > 90
    for one, other in zip(*found, strict=True):
        tools.assert_close(one, other, rtol=1e-9, atol=1e-11)


def test_what_breaks_in_the_program_is_a_failure_of_its_members(tools, plain, monkeypatch):
    def fail(self, *tensors):
        raise RuntimeError("no more")

    monkeypatch.setattr(Plain, "call", fail)
    env, agents = make(tools)
    with pytest.raises(WorkerRaised, match="no more"):
        tools.train("fused", env, agents, 20, compile_rollout=1)


def test_without_a_compiler_members_act_step_by_step(tools, monkeypatch):
    class Broken:
        def __init__(self, function, inputs):
            raise RuntimeError("no g++\nand more")

    monkeypatch.setattr(rolling, "Program", Broken)
    env, agents = make(tools)
    with pytest.warns(RuntimeWarning, match=r"compile_rollout: compiling failed \(no g\+\+\)"):
        tools.train("fused", env, agents, 20, compile_rollout=1)
    plain_env, alone = make(tools)
    tools.train("fused", plain_env, alone, 20)
    for one, other in zip(states(agents), states(alone), strict=True):
        coterie.testing.assert_same_state(one, other)


def test_agents_in_turn_and_other_kinds_are_refused(tools):
    env, agents = make(tools, count=1)
    with pytest.raises(ConfigError, match="there is no other agent that can be stacked"):
        tools.train("fused", env, agents, 20, compile_rollout=1)
    env = Pendulum(4, seed=0)
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
    agents = [SAC(**spaces, seed=seed) for seed in range(2)]
    with pytest.raises(ConfigError, match="sac can act step by step only; leave compile_rollout"):
        tools.train("fused", env, agents, 20, compile_rollout=1)


def test_other_networks_are_refused(tools):
    env, agents = make(tools, kind=PPO, mixed_precision="bfloat16")
    with pytest.raises(ConfigError, match="built-in perceptrons"):
        tools.train("fused", env, agents, 20, compile_rollout=1)


def test_other_environments_and_pictures_are_refused(tools):
    env = tools.env(6)
    agents = [tools.agent(env, seed) for seed in range(3)]
    with pytest.raises(ConfigError, match="no function of tensors"):
        tools.train("fused", env, agents, 20, compile_rollout=1)
    env = CartPole(6, render_mode="rgb_array")
    agents = [tools.agent(env, seed) for seed in range(3)]
    with pytest.raises(ConfigError, match="set headless = true"):
        tools.train("fused", env, agents, 20, compile_rollout=1, headless=False)


@pytest.mark.slow
@pytest.mark.timeout(600)
@needs_compiler
def test_a_compiled_program_does_the_same(tools, tmp_path):
    found = []
    for steps in (0, 1):
        env, agents = make(tools, count=2)
        with coterie.make_trainer(
            "fused",
            env=env,
            agents=agents,
            cfg={
                "timesteps": 24,
                "metrics_interval": 6,
                "disable_progressbar": True,
                "compile_rollout": steps,
            },
            run_dir=tmp_path / str(steps),
        ) as trainer:
            trainer.train()
        found.append(states(agents))
    for one, other in zip(*found, strict=True):
        tools.assert_close(one, other, rtol=1e-7, atol=1e-9)
    assert "compile_seconds" in (tmp_path / "1" / "metrics.csv").read_text("utf-8")
