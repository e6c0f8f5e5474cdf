"""The logger of MLflow, against modules that only write down what they are asked."""

import sys
import types
from importlib.machinery import ModuleSpec

import pytest
from attrs import evolve, frozen

from coterie import ConfigError, MemberSummary, MetricRow, Summary
from coterie._loggers import mlflow as module
from coterie._loggers.build import check_loggers, make_loggers


@frozen
class Metric:
    key: str
    value: float
    timestamp: int
    step: int


@frozen
class Param:
    key: str
    value: str


class MlflowException(Exception):
    pass


class Server:
    """What MLflow's client writes to."""

    def __init__(self):
        self.uris, self.runs, self.batches, self.error, self.disposed = [], {}, [], None, 0


class Client:
    server: Server

    def __init__(self, tracking_uri):
        self.server.uris.append(tracking_uri)
        self._tracking_client = types.SimpleNamespace(
            store=types.SimpleNamespace(engine=types.SimpleNamespace(dispose=self.dispose))
        )

    def dispose(self):
        self.server.disposed += 1

    def get_experiment_by_name(self, name):
        return types.SimpleNamespace(experiment_id=f"e:{name}")

    def create_run(self, experiment, run_name, tags):
        if self.server.error:
            raise self.server.error
        run_id = f"r{len(self.server.runs)}"
        self.server.runs[run_id] = types.SimpleNamespace(
            info=types.SimpleNamespace(run_id=run_id, start_time=1_000_000),
            experiment=experiment,
            name=run_name,
            tags=tags,
            params={},
            metrics=[],
            status="RUNNING",
        )
        return self.server.runs[run_id]

    def get_run(self, run_id):
        if run_id not in self.server.runs:
            raise MlflowException(f"no run {run_id}")
        return self.server.runs[run_id]

    def update_run(self, run_id, status):
        self.get_run(run_id).status = status

    def set_tag(self, run_id, key, value):
        self.get_run(run_id).tags[key] = value

    def get_metric_history(self, run_id, key):
        return [metric for metric in self.get_run(run_id).metrics if metric.key == key]

    def log_batch(self, run_id, metrics=(), params=()):
        assert len(metrics) <= 1000
        assert len(params) <= 100
        if self.server.error:
            raise self.server.error
        self.server.batches.append(len(metrics))
        self.get_run(run_id).metrics.extend(metrics)
        self.get_run(run_id).params.update({param.key: param.value for param in params})

    def set_terminated(self, run_id, status):
        self.get_run(run_id).status = status


@pytest.fixture
def server(monkeypatch):
    found = Server()
    parts = {
        "mlflow": {},
        "mlflow.entities": {"Metric": Metric, "Param": Param},
        "mlflow.exceptions": {"MlflowException": MlflowException},
        "mlflow.tracking": {"MlflowClient": type("Bound", (Client,), {"server": found})},
    }
    for name, content in parts.items():
        fake = types.ModuleType(name)
        fake.__spec__ = ModuleSpec(name, None)
        vars(fake).update(content)
        monkeypatch.setitem(sys.modules, name, fake)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return found


def rows(*timesteps, member="a", names=("loss/policy",)):
    return [
        MetricRow(
            timestep=step, env_steps=2 * step, wall_time=0.25, member=member, name=name, value=1.5
        )
        for step in timesteps
        for name in names
    ]


def opened(run, positions=None, **settings):
    return make_loggers(check_loggers([("mlflow", settings)], True)[1:], run, positions)


def ended(run, *statuses):
    return Summary(
        mode="train",
        timesteps=9,
        wall_time=1.0,
        members=tuple(
            MemberSummary(
                name=member.name,
                kind="k",
                seed=0,
                status=status,
                episodes=0,
                mean_return=None,
                mean_length=None,
                env_steps=9,
                steps_per_second=1.0,
                failure="broke" if status == "failed" else None,
            )
            for member, status in zip(run.members, statuses, strict=True)
        ),
    )


def test_runs_within_a_run(run, server):
    members = tuple(evolve(each, settings={"net": {"sizes": [4]}}) for each in run.members)
    loggers = opened(evolve(run, members=members), experiment="x", tags={"who": "me"})
    assert server.uris == [f"sqlite:///{run.directory}/mlflow.db"]
    whole, first, second = server.runs.values()
    assert [each.name for each in server.runs.values()] == [run.directory.name, "a", "b, c"]
    assert whole.tags == {"who": "me"}
    assert first.tags == second.tags == {"who": "me", "mlflow.parentRunId": "r0"}
    assert {each.experiment for each in server.runs.values()} == {"e:x"}
    assert first.params["settings.net.sizes"] == "[4]"
    assert second.params["seed"] == "1"
    loggers.write(rows(3))
    loggers.write(rows(4, names=("odd?name", "x")))
    assert first.metrics == []
    loggers.finish(ended(run, "trained", "failed"))
    assert first.metrics == [
        Metric("env_steps", 6.0, 1_000_250, 3),
        Metric("loss/policy", 1.5, 1_000_250, 3),
        Metric("env_steps", 8.0, 1_000_250, 4),
        Metric("odd_name", 1.5, 1_000_250, 4),
        Metric("x", 1.5, 1_000_250, 4),
    ]
    assert [each.status for each in server.runs.values()] == ["FINISHED", "FINISHED", "FAILED"]
    assert second.tags["failure"] == "broke"
    assert server.disposed == 1


def test_metrics_are_sent_from_time_to_time(run, server, monkeypatch):
    clock = types.SimpleNamespace(now=0.0)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr(module, "time", clock)
    loggers = opened(run, flush_seconds=5)
    server.batches.clear()
    loggers.write(rows(1))
    clock.now = 4.9
    loggers.write(rows(2))
    assert server.batches == []
    clock.now = 5.0
    loggers.write(rows(3))
    assert server.batches == [6]
    loggers.write(rows(*range(4, 1600)))
    assert server.batches == [6, 1000, 1000, 1000]
    loggers.position()
    assert sum(server.batches) == 2 * 1599
    loggers.close()


def test_from_a_checkpoint_the_runs_go_on(run, server):
    loggers = opened(run)
    loggers.write(rows(1, 2))
    positions = loggers.position()
    loggers.write(rows(3))
    loggers.close()
    assert {each.status for each in server.runs.values()} == {"KILLED"}
    loggers = opened(run, positions)
    assert {each.status for each in server.runs.values()} == {"RUNNING"}
    loggers.write(rows(3, 4))
    loggers.finish(ended(run, "trained", "interrupted"))
    assert len(server.runs) == 3
    assert [metric.step for metric in server.runs["r1"].metrics[::2]] == [1, 2, 3, 4]
    assert [each.status for each in server.runs.values()] == ["FINISHED", "FINISHED", "KILLED"]


@pytest.mark.parametrize("position", [{}, {"runs": [1]}, {"runs": {"a": 1, "z": "r0"}}])
def test_a_position_that_makes_no_sense_starts_anew(run, server, position):
    opened(run, {"mlflow": position}).close()
    assert len(server.runs) == 3


def test_what_can_not_start_is_told(run, server):
    server.error = MlflowException("no connection")
    with pytest.raises(ConfigError, match=r"MLflow at http://x could not start.*no connection"):
        opened(run, tracking_uri="http://x")
    server.error = None
    with pytest.raises(ConfigError, match="no run gone"):
        opened(run, {"mlflow": {"runs": {"": "gone"}}})
    with pytest.raises(ConfigError, match="needs a run_dir or a tracking_uri"):
        opened(evolve(run, directory=None))


def test_the_usual_variable_says_where(run, server, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://there")
    opened(evolve(run, directory=None)).close()
    assert server.uris == ["http://there"]


def test_a_server_that_goes_away_costs_no_more_than_its_metrics(run, server, caplog):
    loggers = opened(run, flush_seconds=0)
    server.error = MlflowException("gone")
    for step in range(10):
        loggers.write(rows(step))
    server.error = None
    assert "logger mlflow: write raised MlflowException: gone" in caplog.text
    loggers.finish(ended(run, "trained", "trained"))
    assert {each.status for each in server.runs.values()} == {"FINISHED"}
