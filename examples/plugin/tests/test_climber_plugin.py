"""The plugin as its users meet it: by name, after installation."""

import ast
import subprocess
import sys
from pathlib import Path

import coterie_example_climber
import pytest
import torch

import coterie
from coterie.testing import assert_same_state


def train(trainer="sequential", timesteps=1600, num_envs=16, **more):
    env = coterie.make_env("example:Point-v0", num_envs=num_envs, seed=0)
    agents = [
        coterie.make_agent("climber", env=env, name=f"seed-{seed}", seed=seed) for seed in (0, 1)
    ]
    cfg = {"timesteps": timesteps, "disable_progressbar": True, **more.pop("cfg", {})}
    made = coterie.make_trainer(trainer, env=env, agents=agents, cfg=cfg, **more)
    with made:
        return made.train(), made.eval(), agents


def test_the_climber_learns_to_move_the_point():
    trained, evaluated, agents = train()
    assert all(agent.updates >= 10 for agent in agents)
    # Doing nothing gives about -15.3 (20 steps, mean distance 0.765); moving straight to the
    # middle at full speed about -1.0.
    assert all(member.mean_return > -4.0 for member in evaluated.members)
    assert all(member.episodes > 0 for member in trained.members)


def test_timed_gives_the_same_bits_as_sequential():
    _, _, expected = train(timesteps=200)
    _, _, found = train("timed", timesteps=200)
    for left, right in zip(expected, found, strict=True):
        assert_same_state(left.state_dict(), right.state_dict())


def test_the_agent_works_in_processes_of_its_own():
    try:
        _, _, found = train("parallel", timesteps=200)
    except coterie.PluginNotFound:
        pytest.skip("coterie-backends-mp is not installed")
    _, _, expected = train(timesteps=200)
    for left, right in zip(expected, found, strict=True):
        assert_same_state(left.state_dict(), right.state_dict())


def test_a_run_gets_a_line_per_member(tmp_path):
    train("timed", timesteps=100, cfg={"metrics_interval": 50}, run_dir=tmp_path / "run")
    lines = (tmp_path / "run" / "members.log").read_text().splitlines()
    for member in ("seed-0", "seed-1"):
        own = [line for line in lines if f" {member}: " in line]
        assert len(own) >= 2
        assert all("time/member_ms=" in line for line in own)


def test_nothing_is_written_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(timesteps=20, cfg={"metrics_interval": 10})
    assert list(tmp_path.iterdir()) == []


def test_a_slow_member_is_warned_about(caplog):
    train("timed", timesteps=20, cfg={"metrics_interval": 10, "slow_member_ms": 1e-9})
    assert "member 'seed-0' took" in caplog.text
    caplog.clear()
    train("timed", timesteps=20, cfg={"metrics_interval": 10, "slow_member_ms": 1e9})
    assert "took" not in caplog.text


def test_settings_are_checked():
    env = coterie.make_env("example:Point-v0", num_envs=2)
    with pytest.raises(coterie.ConfigError, match="candidates = 1"):
        coterie.make_agent("climber", env=env, cfg={"candidates": 1})
    agent = coterie.make_agent("climber", env=env)
    with pytest.raises(coterie.ConfigError, match="did you mean 'slow_member_ms'"):
        coterie.make_trainer("timed", env=env, agents=agent, cfg={"slow_member": 1.0})
    with pytest.raises(coterie.ConfigError, match="did you mean 'wind'"):
        coterie.make_env("example:Point-v0", num_envs=2, wimd=0.1)
    with pytest.raises(coterie.ConfigError, match="known is example:Point-v0"):
        coterie.make_env("example:Point-v1", num_envs=2)


def test_the_plugin_is_listed_without_torch():
    code = """
import importlib.metadata, sys
for point in importlib.metadata.entry_points(group="coterie", name="climber"):
    names = [record.name for record in point.load().coterie_agents()]
print(names, "torch" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "['climber'] False"


def test_only_public_names_of_coterie_are_used():
    (folder,) = coterie_example_climber.__path__
    allowed = {"coterie", "coterie.plugins"}
    for path in Path(folder).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == 0 and "coterie" in node.module:
                assert node.module in allowed, path
                assert {alias.name for alias in node.names} <= public(node.module), path


def public(module):
    return set(__import__(module, fromlist=["__all__"]).__all__)


def test_the_wind_blows():
    calm = coterie.make_env("example:Point-v0", num_envs=2, seed=1)
    windy = coterie.make_env("example:Point-v0", num_envs=2, seed=1, wind=0.05)
    still = torch.zeros(2, 2)
    start, _ = calm.reset(seed=[1, 2])
    windy.reset(seed=[1, 2])
    assert torch.equal(calm.step(still)[0], start)
    moved = windy.step(still)[0]
    expected = (start + torch.tensor((0.05, 0.0))).clamp(-1, 1)
    assert torch.equal(moved, expected)
