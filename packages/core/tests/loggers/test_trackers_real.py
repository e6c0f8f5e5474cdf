"""Weights & Biases and MLflow themselves, without a server; where they are installed."""

import json
import os
import struct
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

TRAIN = """
import json, os, signal, sys, threading
import psutil
from coterie import SequentialTrainer
from coterie.testing import CountingEnv, RaisingAgent, SumAgent, agents_for

def state():
    here = psutil.Process()
    return {
        "children": [child.name() for child in here.children(recursive=True)],
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "files": sorted(f.path for f in here.open_files() if not f.path.endswith(".py")),
        "handlers": [str(signal.getsignal(number)) for number in (2, 15)],
        "hooks": [str(sys.excepthook), str(sys.exit), str(sys.stdout), str(sys.stderr)],
        "environment": dict(os.environ),
    }

def train(name, settings, times=1):
    env = CountingEnv(4)
    agents = agents_for(env, SumAgent, RaisingAgent, cfg={"scale": 0.5})
    cfg = {"timesteps": 20, "disable_progressbar": True, "metrics_interval": 8,
           "on_member_failure": "continue"}
    trainer = SequentialTrainer(
        env=env, agents=agents, cfg=cfg, run_dir="run", loggers=[(name, settings)]
    )
    for _ in range(times):
        trainer.train()

module, settings, times = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
__import__(module)
before = state()
train(module, settings, times)
after = state()
print(json.dumps([before, after]))
"""


def train(tmp_path, module, settings, times=1):
    """Train in a fresh process; return what the process was like before and after."""
    environment = {key: value for key, value in os.environ.items() if "WANDB" not in key}
    environment |= {"WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true"}
    environment |= {"MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, module, json.dumps(settings), str(times)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [*json.loads(done.stdout.splitlines()[-1]), done.stderr]


def wandb_records(folder):
    """What is in a file of W&B: blocks of 32 KiB with parts of records, as in LevelDB's log."""
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = folder.glob("*.wandb")
    data, place, parts = path.read_bytes(), 7, []
    while place + 7 <= len(data):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        parts.append(data[place + 7 : place + 7 + length])
        place += 7 + length
        if kind in (1, 4):
            yield Record.FromString(b"".join(parts))
            parts = []


def test_wandb_offline(tmp_path):
    pytest.importorskip("wandb")
    before, after, messages = train(tmp_path, "wandb", {"mode": "offline", "project": "p"}, 2)
    assert after == before
    assert messages == ""
    found = {}
    for folder in sorted(tmp_path.glob("run/wandb/offline-run-*")):
        records = list(wandb_records(folder))
        (about,) = (r.run for r in records if r.HasField("run"))
        (end,) = (r.exit.exit_code for r in records if r.HasField("exit"))
        steps = [
            {item.key or item.nested_key[0]: json.loads(item.value_json) for item in r.history.item}
            for r in records
            if r.HasField("history")
        ]
        assert (about.project, about.run_group) == ("p", "run")
        found.setdefault((about.display_name, about.run_id), []).append((end, steps))
    assert sorted(name for name, _ in found) == ["raising-1", "run", "sum-0"]
    for (name, _), parts in found.items():
        assert [end for end, _ in parts] == [int(name == "raising-1"), 0]
        steps = [step for _, own in parts for step in own]
        assert [step["timestep"] for step in steps] == [8, 16, 20, 28, 36, 40]
        assert [step["_step"] for step in steps] == [8, 16, 20, 28, 36, 40]
        factor = 4 if name == "run" else 2
        assert all(step["env_steps"] == factor * step["timestep"] for step in steps)
        assert ("episode/return" in steps[-1]) == (name != "run")


def test_mlflow_without_a_server(tmp_path):
    tracking = pytest.importorskip("mlflow.tracking")
    before, after, _ = train(tmp_path, "mlflow", {"experiment": "x"}, 2)
    assert after == before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    client = tracking.MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/run/mlflow.db")
    experiment = client.get_experiment_by_name("x").experiment_id
    runs = {run.info.run_name: run for run in client.search_runs([experiment])}
    whole = runs.pop("run")
    assert set(runs) == {"sum-0", "raising-1"}
    assert {run.info.status for run in (whole, *runs.values())} == {"FINISHED"}
    assert "at step 3" in runs["raising-1"].data.tags["failure"]
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {whole.info.run_id}
    assert runs["sum-0"].data.params["settings.scale"] == "0.5"
    for name, run in runs.items():
        for key in ("env_steps", "episode/return"):
            history = client.get_metric_history(run.info.run_id, key)
            steps = sorted(metric.step for metric in history)
            # The episodes of a member that failed count no more, until it takes part again.
            some = name == "raising-1" and key == "episode/return"
            assert steps == ([28, 36, 40] if some else [8, 16, 20, 28, 36, 40]), (name, key)
