"""Metrics, events and the summary of a run."""

import csv
import json
import logging
from collections import Counter
from contextlib import contextmanager

import pytest
import torch
from attrs import frozen

from coterie import ConfigError, Logger, SequentialTrainer, WorkerRaised
from coterie._runs.settings import changed_settings
from coterie.plugins import LoggerPlugin, hookimpl, register
from coterie.testing import CountingEnv, RaisingAgent, SumAgent, agents_for, assert_same_state

QUIET = {"timesteps": 20, "disable_progressbar": True, "metrics_interval": 8}


def trainer_for(*classes, num_envs=4, cfg=QUIET, **arguments):
    env = CountingEnv(num_envs)
    return SequentialTrainer(env=env, agents=agents_for(env, *classes), cfg=cfg, **arguments)


def rows_of(run):
    with (run / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_rows_of_metrics_by_hand(tmp_path):
    env = CountingEnv(6)
    agents = agents_for(env, SumAgent, SumAgent)
    trainer = SequentialTrainer(
        env=env, agents=agents, scopes=[2, 4], cfg=QUIET, run_dir=tmp_path / "run"
    )
    ends = []
    step = env.step

    def noted(actions):
        result = step(actions)
        ends.append((result[2] | result[3]).tolist())
        return result

    env.step = noted
    trainer.train()
    rows = rows_of(tmp_path / "run")
    assert sorted({int(row["timestep"]) for row in rows}) == [8, 16, 20]
    for row in rows:
        instances = {"sum-0": 2, "sum-1": 4, "": 6}[row["member"]]
        assert int(row["env_steps"]) == int(row["timestep"]) * instances
    parts = {
        (row["timestep"], row["name"]): float(row["value"]) for row in rows if not row["member"]
    }
    names = ("time/environment", "time/members", "time/other")
    assert parts.keys() == {(step, name) for step in ("8", "16", "20") for name in names}
    assert all(value >= 0 for value in parts.values())
    names = Counter(row["name"] for row in rows if row["member"] == "sum-1")
    assert names["sum"] == names["info/step"] == 3
    counts = [
        int(float(row["value"]))
        for row in rows
        if (row["member"], row["name"]) == ("sum-1", "episode/count")
    ]
    assert counts == [sum(sum(e[2:]) for e in ends[:upto]) for upto in (8, 16, 20)]


def test_the_default_interval_gives_about_two_hundred_rows(tmp_path):
    cfg = {"timesteps": 1000, "disable_progressbar": True}
    trainer_for(SumAgent, num_envs=1, cfg=cfg, run_dir=tmp_path / "run").train()
    rows = [row for row in rows_of(tmp_path / "run") if row["name"] == "sum"]
    assert len(rows) == 200


def test_metrics_cover_every_step_once(tmp_path):
    class Ones(SumAgent):
        def metrics(self):
            return {"calls": float(len(self._tracked.pop("sum", ())))}

    trainer_for(Ones, run_dir=tmp_path / "run").train()
    values = [float(row["value"]) for row in rows_of(tmp_path / "run") if row["name"] == "calls"]
    assert sum(values) == 20


class Silent:
    @hookimpl
    def coterie_run_finished(self):
        pass


@contextmanager
def plugged(plugin):
    """Register a plugin for the length of a test."""
    register(plugin, name="for-a-test")
    try:
        yield
    finally:
        register(Silent(), name="for-a-test")


@pytest.fixture
def events():
    """Register hooks for the length of a test; returns the list of what they saw."""
    seen = []

    class Watcher:
        @hookimpl
        def coterie_run_started(self, run):
            seen.append(("started", run.mode, run.first_timestep, run.timesteps))

        @hookimpl
        def coterie_metrics_ready(self, run, rows):
            seen.append(("metrics", run.mode, rows[0].timestep))

        @hookimpl
        def coterie_checkpoint_saved(self, run, path):
            seen.append(("saved", run.mode, path.name))

        @hookimpl
        def coterie_member_failed(self, run, failure):
            seen.append(("failed", run.mode, failure.agent_name))

        @hookimpl
        def coterie_run_finished(self, run, summary):
            seen.append(("finished", run.mode, [m.status for m in summary.members]))

    with plugged(Watcher()):
        yield seen


def test_the_events_of_a_run(events, tmp_path):
    trainer = trainer_for(SumAgent, run_dir=tmp_path / "run")
    trainer.train()
    trainer.eval()
    assert events == [
        ("started", "train", 0, 20),
        ("saved", "train", "step-000000000000"),
        ("metrics", "train", 8),
        ("metrics", "train", 16),
        ("metrics", "train", 20),
        ("saved", "train", "step-000000000020"),
        ("finished", "train", ["trained"]),
        ("started", "eval", 0, 20),
        *[("metrics", "eval", step) for step in (8, 16, 20)],
        ("finished", "eval", ["evaluated"]),
    ]


@pytest.mark.parametrize("policy", ["raise", "continue"])
def test_the_events_of_a_failure(events, policy):
    trainer = trainer_for(SumAgent, RaisingAgent, cfg={**QUIET, "on_member_failure": policy})
    if policy == "raise":
        with pytest.raises(WorkerRaised):
            trainer.train()
    else:
        trainer.train()
    assert events.count(("failed", "train", "raising-1")) == 1
    word = "failed" if policy == "raise" else "trained"
    assert events[-1] == ("finished", "train", [word, "failed"])


def test_hooks_that_raise_do_not_stop_a_run(caplog):
    calls = Counter()

    class Broken:
        @hookimpl
        def coterie_metrics_ready(self, rows):
            calls["metrics"] += 1
            raise SystemExit("hook")

        @hookimpl
        def coterie_run_started(self, run):
            calls["started"] += 1
            raise RuntimeError("hook")

    trainer = trainer_for(SumAgent, cfg={**QUIET, "metrics_interval": 2})
    with plugged(Broken()), caplog.at_level(logging.WARNING, "coterie"):
        trainer.train()
    assert calls == {"metrics": 3, "started": 1}
    assert sum("for-a-test" in record.getMessage() for record in caplog.records) == 4
    alone = trainer_for(SumAgent)
    alone.train()
    assert_same_state(alone.agents[0].state_dict(), trainer.agents[0].state_dict())


@frozen(kw_only=True)
class NoisyCfg:
    where: str = "write"


class Noisy(Logger):
    """Raises where it is told to, and says when it is closed."""

    config_class = NoisyCfg
    closed = 0

    def write(self, rows):
        self.fail("write")

    def finish(self, summary):
        self.fail("finish")

    def close(self):
        type(self).closed += 1
        self.fail("close")

    def fail(self, where):
        if self.cfg.where == where:
            raise OSError(f"{where} failed")


@pytest.mark.parametrize("where", ["write", "finish", "close"])
def test_a_logger_that_raises_costs_nothing(tmp_path, where, caplog):
    class Provider:
        @hookimpl
        def coterie_loggers(self):
            yield LoggerPlugin(name="noisy", summary="…", config=NoisyCfg, loader=lambda: Noisy)

    Noisy.closed = 0
    run, loggers = tmp_path / "run", [("noisy", {"where": where}), "jsonl"]
    with plugged(Provider()):
        trainer = trainer_for(SumAgent, run_dir=run, loggers=loggers)
        trainer.train()
    assert f"logger noisy: {where} raised OSError: {where} failed" in caplog.text
    assert Noisy.closed == 1
    assert (run / "agents" / "sum-0.safetensors").exists()
    assert json.loads((run / "run.json").read_text())["status"] == "finished"
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert {row["timestep"] for row in rows} == {8, 16, 20}


def test_settings_that_are_not_the_default():
    @frozen(kw_only=True)
    class Inner:
        width: int = 64
        layers: tuple[int, ...] = (1,)

    @frozen(kw_only=True)
    class Outer:
        rate: float = 0.1
        net: Inner = Inner()

    assert changed_settings(Outer()) == {}
    changed = changed_settings(Outer(rate=0.2, net=Inner(width=8)))
    assert changed == {"rate": 0.2, "net.width": 8}
    assert changed_settings({"a": 1}) == {}


def test_agents_with_settings_of_another_kind():
    trainer = trainer_for(SumAgent)
    trainer.agents[0].cfg = type("Loose", (), {"scale": torch.tensor(1.0)})()
    assert trainer.train().members[0].settings == {}


def test_the_summary_is_a_table():
    summary = trainer_for(SumAgent, SumAgent).train()
    heading, _, first, second, *_ = str(summary).splitlines()
    assert heading.split()[:3] == ["member", "seed", "settings"]
    assert first.startswith("sum-0")
    assert second.startswith("sum-1")
    assert f"{summary.members[0].mean_return:.1f}" in first


def test_the_environments_key_is_yours_to_choose(tmp_path):
    cfg = {**QUIET, "environment_info": "nothing"}
    trainer_for(SumAgent, cfg=cfg, run_dir=tmp_path / "run").train()
    assert not any(row["name"].startswith("info/") for row in rows_of(tmp_path / "run"))
    with pytest.raises(ConfigError, match="environment_info"):
        trainer_for(SumAgent, cfg={**QUIET, "environment_info": 5})
