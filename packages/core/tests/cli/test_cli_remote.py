"""Commands that are given a run by its URL."""

import csv
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("fsspec")

import fsspec

from coterie._cli.main import main
from coterie._cli.remote import run_name, split_url

TRAIN = ("train", "testing:Counting-v0", "--agent", "sum", "--members", "2", "--num-envs", "6")
OPTIONS = ("--timesteps", "30", "--trainer-set", "checkpoints.interval=10")
URL = "memory://experiments/counting"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(made_envs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fsspec.filesystem("memory").store.clear()


def train(run, *more):
    assert main([*TRAIN, *OPTIONS, "--run-dir", str(run), *more]) == 0


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Keeps the folder of the run, and what is at the URL, once they were made."""
    return SimpleNamespace(folder=tmp_path_factory.mktemp("trained") / "whole", there={})


@pytest.fixture
def mirrored(capsys, trained):
    """A run that is at the URL and no longer here."""
    system, whole = fsspec.filesystem("memory"), Path("whole")
    if not trained.there:
        train("gone", "--trainer-set", f"checkpoints.mirror={URL}")
        Path("gone").rename(trained.folder)
        trained.there |= {path: system.cat_file(path) for path in system.find("/experiments")}
        system.store.clear()
        capsys.readouterr()
    shutil.copytree(trained.folder, whole)
    for path, content in trained.there.items():
        system.pipe_file(path, content)
    return whole


def cut_back(steps):
    """Leave of the copy what a kill leaves."""
    system = fsspec.filesystem("memory")
    system.rm("/experiments/counting/summary.json")
    for step in steps:
        system.rm(f"/experiments/counting/checkpoints/step-{step:012d}", recursive=True)


def agents(run):
    return {path.name: path.read_bytes() for path in sorted((Path(run) / "agents").iterdir())}


def metrics(run):
    with (Path(run) / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if not row["name"].startswith("time/")]
    return [tuple(value for key, value in row.items() if key != "wall_time") for row in rows]


@pytest.mark.parametrize("options", [(), ("--run-dir", "mine/here")])
def test_a_run_goes_on_in_a_folder_here(mirrored, capsys, options):
    cut_back([30])
    folder = "/".join(options[1:]) or "runs/counting"
    assert main(["resume", f"{URL}/", *options]) == 0
    out = capsys.readouterr().out
    assert f"brought {URL} to {folder}\n" in out
    assert f"from {folder}/checkpoints/step-000000000020" in out
    assert agents(folder) == agents(mirrored)
    assert metrics(folder) == metrics(mirrored)
    capsys.readouterr()
    assert main(["resume", URL, *options]) == 2
    assert f"{folder} holds a run already; to go on there: coterie resume {folder}" in (
        capsys.readouterr().err
    )
    # It went on there, too.
    shutil.rmtree(folder)
    assert main(["resume", URL, *options]) == 0
    assert "is complete: 30 of 30 timesteps are done" in capsys.readouterr().out


def test_a_checkpoint_that_is_not_the_newest(mirrored, capsys):
    assert main(["resume", f"{URL}/checkpoints/step-000000000020", "--run-dir", "here"]) == 0
    assert "from here/checkpoints/step-000000000020" in capsys.readouterr().out
    assert agents("here") == agents(mirrored)
    assert metrics("here") == metrics(mirrored)


def test_run_dir_is_for_urls(mirrored, capsys):
    assert main(["resume", str(mirrored), "--run-dir", "here"]) == 2
    assert "--run-dir is for a run given by its URL" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("resume", "memory://experiments/countin"), 4, "did you mean 'counting'?"),
        (("resume", "s3n://experiments/a"), 2, "there is no protocol 's3n'"),
        (("eval", "memory://experiments/other"), 4, "there is no folder memory://experiments/othe"),
        (("eval", f"{URL}/checkpoints"), 2, "holds checkpoints; give one of them, or the run"),
        (("report", "memory://experiments/other"), 4, "there is no folder memory://experiments"),
        (("checkpoint", "verify", "memory://experiments/other"), 4, "there is no checkpoint in"),
    ],
)
def test_nothing_is_left_where_there_is_nothing(mirrored, capsys, tmp_path, arguments, code, told):
    before = set(tmp_path.rglob("*"))
    assert main(list(arguments)) == code
    assert told in capsys.readouterr().err
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("rest", ["", "/checkpoints/step-000000000020", "/best", "/agents/sum-s0"])
def test_agents_are_evaluated_and_nothing_is_kept(mirrored, capsys, rest):
    path = f"{URL}{rest}{'.safetensors' if 'agents' in rest else ''}"
    system = fsspec.filesystem("memory")
    before = system.find("/experiments", detail=False)
    assert main(["eval", path, "--timesteps", "20", "--seed", "1"]) == 0
    out = capsys.readouterr().out
    assert f"evaluation: not kept, {path} is only read" in out
    local = str(mirrored) + path.removeprefix(URL)
    assert main(["eval", local, "--timesteps", "20", "--seed", "1", "--json"]) == 0
    here = json.loads(capsys.readouterr().out)
    assert main(["eval", path, "--timesteps", "20", "--seed", "1", "--json"]) == 0
    there = json.loads(capsys.readouterr().out)
    assert (there["file"], there["files"]) == (None, [])
    assert [row["mean_return"] for row in there["members"]] == [
        row["mean_return"] for row in here["members"]
    ]
    assert system.find("/experiments", detail=False) == before


def test_checkpoints_are_looked_at_and_checked(mirrored, capsys):
    assert main(["checkpoint", "inspect", URL]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{URL}/checkpoints/step-000000000030\n")
    assert "timestep    30 of 30" in out
    assert main(["checkpoint", "verify", URL]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"whole      {URL}/checkpoints/step-{step:012d}" for step in (20, 30)
    ]
    system = fsspec.filesystem("memory")
    system.pipe_file("/experiments/counting/checkpoints/step-000000000020/run.safetensors", b"no")
    assert main(["checkpoint", "verify", URL]) == 4
    found = capsys.readouterr()
    assert f"NOT WHOLE  {URL}/checkpoints/step-000000000020" in found.out
    assert f"{URL}/checkpoints/step-000000000020/run.safetensors is damaged" in found.err
    assert main(["checkpoint", "verify", f"{URL}/checkpoints/step-000000000030", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["path"] == f"{URL}/checkpoints/step-000000000030"


def test_a_report(mirrored, capsys):
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    pytest.importorskip("scipy")
    assert main(["report", URL, "--resamples", "100"]) == 0
    assert "report: report-counting/report.html" in capsys.readouterr().out
    assert Path("report-counting/report.html").exists()


@pytest.mark.parametrize(
    ("url", "run", "rest"),
    [
        ("s3://b/runs/a", "s3://b/runs/a", ""),
        ("s3://b/runs/a/", "s3://b/runs/a", ""),
        ("s3://b/checkpoints", "s3://b", "checkpoints"),
        ("s3://best", "s3://best", ""),
        ("s3://b/checkpoints/a", "s3://b/checkpoints/a", ""),
        ("s3://b/a/checkpoints/step-000000000001", "s3://b/a", "checkpoints/step-000000000001"),
        ("s3://b/a/best/x.safetensors", "s3://b/a", "best/x.safetensors"),
    ],
)
def test_the_run_in_a_url(url, run, rest):
    assert split_url(url) == (run, rest)


def test_names_of_runs():
    assert run_name("s3://bucket/runs/a b/checkpoints") == "a b"
    assert run_name("s3://bucket/../..") == "run"
    assert run_name("gs://bucket/what?x:y") == "what-x-y"
