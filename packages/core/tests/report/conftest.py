"""Folders of runs, written by hand."""

import csv
import json

import pytest

COLUMNS = ("timestep", "env_steps", "wall_time", "member", "name", "value")


def member(name="a", seed=0, kind="ppo", scope=(0, 4), device="cpu", **settings):
    return {
        "name": name,
        "kind": kind,
        "seed": seed,
        "scope": list(scope),
        "device": device,
        "settings": settings,
    }


def episodes(name, values, *, every=10, instances=4, seconds=1.0, per_value=5):
    """Metrics of a member whose episodes in the k-th interval have the k-th mean return."""
    rows = []
    for k, value in enumerate(values, 1):
        start = (k * every, k * every * instances, k * seconds, name)
        rows.append((*start, "episode/return", value))
        rows.append((*start, "episode/count", float(k * per_value)))
    return rows


def ended(name, mean_return, **more):
    return {"name": name, "status": "trained", "mean_return": mean_return, "failure": None, **more}


def write_run(folder, members, rows, summary=None, env="torch:Toy-v0", env_settings=None, **about):
    """Write a run; without a summary, it is still running."""
    folder.mkdir(parents=True)
    facts = {
        "format": 1,
        "status": "running" if summary is None else "finished",
        "trainer": "sequential",
        "timesteps": 100,
        "members": members,
        "environment": {"name": env, "num_envs": 8, "seed": 0, "device": "cpu"},
        "versions": {"torch": "2.0"},
        "command": ["coterie", "train", "torch:Toy-v0"],
        **about,
    }
    (folder / "run.json").write_text(json.dumps(facts))
    experiment = {"environment": {"settings": env_settings or {}}}
    (folder / "experiment.json").write_text(json.dumps(experiment))
    if summary is not None:
        (folder / "summary.json").write_text(json.dumps({"members": summary}))
    with (folder / "metrics.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return folder


class Runs:
    """Writes runs below a folder."""

    member = staticmethod(member)
    episodes = staticmethod(episodes)
    ended = staticmethod(ended)

    def __init__(self, folder):
        self.folder = folder

    def write(self, name, *arguments, **options):
        return write_run(self.folder / name, *arguments, **options)

    def seeds(self, name, results, *, settings=None, length=4, **options):
        """Write a run of one group, a member per result, which its curve ends with."""
        own = settings or {"rate": 0.1}
        members = [member(f"m{seed}", seed, **own) for seed in range(len(results))]
        rows = [
            row
            for seed, result in enumerate(results)
            for row in episodes(f"m{seed}", [result * k / length for k in range(1, length + 1)])
        ]
        summary = [ended(f"m{seed}", result) for seed, result in enumerate(results)]
        return self.write(name, members, rows, summary, **options)


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path)


@pytest.fixture(scope="module")
def runs_of_module(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def no_layout(monkeypatch):
    """Leave out the layout, half of the work on a picture, where nobody looks at it."""
    layout_engine = pytest.importorskip("matplotlib.layout_engine")
    engine = layout_engine.ConstrainedLayoutEngine
    monkeypatch.setattr(engine, "execute", lambda self, figure: None)
