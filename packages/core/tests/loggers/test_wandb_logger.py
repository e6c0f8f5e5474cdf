"""The logger of Weights & Biases, against a module that only writes down what it is asked."""

import os
import sys
import types
from importlib.machinery import ModuleSpec

import pytest
from attrs import evolve

from coterie import ConfigError, MetricRow, SequentialTrainer
from coterie._loggers.build import check_loggers, make_loggers
from coterie.testing import CountingEnv, RaisingAgent, SumAgent, agents_for


class FakeRun:
    def __init__(self, server, **arguments):
        self.server, self.arguments = server, arguments
        self.id = arguments.get("id") or f"id{len(server.runs)}"
        before = [run for run in server.runs if run.id == self.id]
        self.history = before[0].history if before else {}
        self.starting_step = max(self.history, default=-1) + 1
        self.metrics, self.summary, self.exit_code = [], {}, None
        server.runs.append(self)

    def define_metric(self, name, step_metric=None):
        self.metrics.append((name, step_metric))

    def log(self, scalars, step):
        assert step not in self.history
        self.history[step] = scalars

    def finish(self, exit_code=0):
        assert self.exit_code is None
        self.exit_code = exit_code


class FakeWandb(types.ModuleType):
    """Stands for the module and for its server."""

    class Error(Exception):
        pass

    class Settings:
        def __init__(self, **settings):
            self.settings = settings

    def __init__(self):
        super().__init__("wandb")
        self.__spec__ = ModuleSpec("wandb", None)
        self.run, self.runs, self.torn_down = None, [], 0

    def init(self, **arguments):
        if len(self.runs) == getattr(self, "refuse_after", 99):
            raise self.Error("not logged in")
        os.environ.setdefault("WANDB_SERVICE", "fake")
        sys.excepthook = lambda *_: None
        return FakeRun(self, **arguments)

    def setup(self):
        live = [run for run in self.runs if run.exit_code is None]
        return types.SimpleNamespace(most_recent_active_run=live[-1] if live else None)

    def teardown(self):
        os.environ.pop("WANDB_SERVICE")
        self.torn_down += 1


@pytest.fixture
def wandb(monkeypatch):
    found = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", found)
    monkeypatch.delenv("WANDB_SERVICE", raising=False)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    return found


def rows(*timesteps, member="a"):
    return [
        MetricRow(
            timestep=step, env_steps=2 * step, wall_time=0.1, member=member, name=name, value=1.5
        )
        for step in timesteps
        for name in ("loss/policy", "episode/return")
    ]


def opened(run, positions=None, **settings):
    return make_loggers(check_loggers([("wandb", settings)], False), run, positions)


def test_a_run_per_member_in_one_group(run, wandb):
    loggers = opened(run, mode="offline", project="p", tags=["x"], against="env_steps")
    arguments = [each.arguments for each in wandb.runs]
    group = run.directory.name
    assert [each["name"] for each in arguments] == [group, "a", "b, c"]
    assert [each["job_type"] for each in arguments] == ["run", "train", "train"]
    assert {each["group"] for each in arguments} == {group}
    assert {each["mode"] for each in arguments} == {"offline"}
    assert {each["reinit"] for each in arguments} == {"create_new"}
    assert arguments[2]["config"]["seed"] == 1
    assert arguments[2]["config"]["agent"] == "k"
    assert [each["settings"].settings["silent"] for each in arguments] == [False, True, True]
    assert ("*", "env_steps") in wandb.runs[1].metrics
    loggers.write([*rows(3), *rows(3, member=""), *rows(4)])
    loggers.close()
    whole, first, second = wandb.runs
    assert first.history[4] == {
        "timestep": 4,
        "env_steps": 8,
        "wall_time": 0.1,
        "loss/policy": 1.5,
        "episode/return": 1.5,
    }
    assert (list(whole.history), list(first.history), list(second.history)) == ([3], [3, 4], [])
    assert [each.exit_code for each in wandb.runs] == [0, 0, 0]


def test_without_a_directory_the_group_has_the_environments_name(run, wandb):
    opened(evolve(run, directory=None, environment="torch:CartPole-v1")).close()
    assert wandb.runs[0].arguments["group"].endswith("-CartPole-v1")
    assert wandb.runs[0].arguments["dir"] is None


def test_from_a_checkpoint_the_runs_go_on(run, wandb):
    loggers = opened(run, group="g")
    loggers.write(rows(1, 2))
    positions = loggers.position()
    loggers.write(rows(3))
    loggers.close()
    loggers = opened(run, positions)
    assert [each.arguments["id"] for each in wandb.runs[3:]] == ["id0", "id1", "id2"]
    assert {each.arguments["group"] for each in wandb.runs} == {"g"}
    loggers.write(rows(3, 4))
    loggers.close()
    assert list(wandb.runs[4].history) == [1, 2, 3, 4]


@pytest.mark.parametrize("position", [{}, {"runs": 5}, {"runs": {"a": 7, "z": "id"}, "group": 1}])
def test_a_position_that_makes_no_sense_starts_anew(run, wandb, position):
    opened(run, {"wandb": position}).close()
    assert not any("id" in each.arguments for each in wandb.runs)
    assert wandb.runs[0].arguments["group"] == run.directory.name


def test_the_process_is_left_as_it_was(run, wandb):
    before = sys.excepthook, sys.exit, dict(os.environ)
    opened(run).close()
    assert wandb.torn_down == 1
    assert (sys.excepthook, sys.exit, dict(os.environ)) == before


def test_somebody_elses_service_stays(run, wandb, monkeypatch):
    monkeypatch.setenv("WANDB_SERVICE", "theirs")
    opened(run).close()
    assert wandb.torn_down == 0


def test_somebody_elses_run_goes_on(run, wandb):
    loggers = opened(run)
    theirs = wandb.init(name="theirs")
    loggers.close()
    assert wandb.torn_down == 0
    assert theirs.exit_code is None
    assert [each.exit_code for each in wandb.runs[:-1]] == [0, 0, 0]


def test_a_service_that_died_leaves_no_trace(run, wandb, monkeypatch, caplog):
    before = sys.excepthook, sys.exit
    loggers = opened(run)

    def die(*_, **__):
        raise ConnectionResetError("lost")

    for name in ("log", "finish"):
        monkeypatch.setattr(FakeRun, name, die)
    monkeypatch.setattr(wandb, "teardown", die)
    loggers.write(rows(1))
    loggers.close()
    assert (sys.excepthook, sys.exit) == before
    assert "logger wandb: write raised ConnectionResetError" in caplog.text
    assert "logger wandb: close raised ConnectionResetError" in caplog.text


def test_when_it_refuses_nothing_is_left(run, wandb):
    wandb.refuse_after = 2
    with pytest.raises(ConfigError, match="not logged in; log in with 'wandb login'"):
        opened(run)
    assert [each.exit_code for each in wandb.runs] == [0, 0]
    assert wandb.torn_down == 1


def test_a_training_with_a_failed_member(tmp_path, wandb):
    env = CountingEnv(4)
    agents = agents_for(env, SumAgent, RaisingAgent)
    cfg = {
        "timesteps": 20,
        "disable_progressbar": True,
        "metrics_interval": 8,
        "on_member_failure": "continue",
    }
    trainer = SequentialTrainer(
        env=env, agents=agents, cfg=cfg, run_dir=tmp_path / "run", loggers=["wandb"]
    )
    summary = trainer.train()
    whole, good, bad = wandb.runs
    assert [each.exit_code for each in wandb.runs] == [0, 0, 1]
    assert good.summary["result/mean_return"] == summary.members[0].mean_return
    assert bad.summary["result/status"] == "failed"
    assert list(good.history) == [8, 16, 20]
    assert "time/environment" in whole.history[20]
    trainer.train()
    assert [each.id for each in wandb.runs[3:]] == [each.id for each in wandb.runs[:3]]
    assert list(good.history) == [8, 16, 20, 28, 36, 40]
