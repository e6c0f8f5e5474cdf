"""``coterie resume``: of runs that were killed, at any time, and of those it can't go on with."""

import csv
import shutil
import subprocess
import sys

import pytest

from coterie import SequentialTrainer
from coterie._cli.main import main
from coterie.testing import CountingEnv, SumAgent, agents_for

TRAIN = ("train", "testing:Counting-v0", "--agent", "sum", "--members", "2", "--num-envs", "6")
OPTIONS = ("--timesteps", "30", "--trainer-set", "checkpoints.interval=10")


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(made_envs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def agents(run):
    return {path.name: path.read_bytes() for path in sorted((run / "agents").iterdir())}


def metrics(run):
    with (run / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if not row["name"].startswith("time/")]
    return [tuple(value for key, value in row.items() if key != "wall_time") for row in rows]


def train(run):
    assert main([*TRAIN, *OPTIONS, "--run-dir", str(run)]) == 0


def cut_back(run, keep):
    """Leave of a run what a kill leaves: some checkpoints, and nothing of its end."""
    (run / "summary.json").unlink()
    for path in sorted((run / "checkpoints").iterdir())[keep:]:
        shutil.rmtree(path)


def test_files_of_a_killed_run_are_those_of_a_whole_one(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(whole)
    train(killed)
    cut_back(killed, 2)
    assert main(["resume", str(killed)]) == 0
    assert agents(killed) == agents(whole)
    assert metrics(killed) == metrics(whole)


def test_killed_before_its_first_checkpoint(tmp_path, capsys):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(whole)
    train(killed)
    cut_back(killed, 0)
    metrics_file = killed / "metrics.csv"
    before = metrics_file.read_bytes()
    assert main(["resume", str(killed)]) == 4  # there are results that would be lost
    assert "there is no checkpoint in" in capsys.readouterr().err
    assert metrics_file.read_bytes() == before
    metrics_file.write_bytes(before.splitlines(keepends=True)[0])
    assert main(["resume", str(killed)]) == 0
    assert "from the start" in capsys.readouterr().out
    assert agents(killed) == agents(whole)
    assert metrics(killed) == metrics(whole)


def test_begun_with_another_number_of_timesteps(tmp_path):
    run = tmp_path / "run"
    train(run)
    cut_back(run, 0)
    (run / "metrics.csv").unlink()
    assert main(["resume", str(run), "--timesteps", "12"]) == 0
    assert {row[0] for row in metrics(run)} >= {"12"}
    assert max(int(row[0]) for row in metrics(run)) == 12


def test_a_damaged_checkpoint_is_passed_over_in_plain_words(tmp_path):
    run = tmp_path / "run"
    train(run)
    newest = max((run / "checkpoints").iterdir())
    (newest / "MANIFEST.json").unlink()
    code = (
        "import sys; from coterie._cli.main import main; found = main(sys.argv[1:])\n"
        "print('--', file=sys.stderr); main([*sys.argv[1:], '--debug']); sys.exit(found)"
    )
    again = ("-W", "always::RuntimeWarning")  # Python warns of the same thing once
    inspect = [sys.executable, *again, "-c", code, "checkpoint", "inspect", str(run)]
    found = subprocess.run(inspect, capture_output=True, text=True)
    missing = f"{newest / 'MANIFEST.json'} is missing"
    plain, _, debug = found.stderr.partition("--\n")
    assert found.returncode == 0
    assert plain == f"warning: passing over a checkpoint: {missing}\n"
    assert found.stdout.count("step-000000000020") == 2
    assert f"RuntimeWarning: passing over a checkpoint: {missing}" in debug


def test_a_file_in_place_of_a_folder(tmp_path, capsys):
    (tmp_path / "agent.safetensors").touch()
    assert main(["checkpoint", "inspect", "agent.safetensors"]) == 4
    assert "is a file; give the folder of a checkpoint" in capsys.readouterr().err


def test_a_run_that_a_script_made(tmp_path, capsys):
    env = CountingEnv(4)
    trainer = SequentialTrainer(
        env=env, agents=agents_for(env, SumAgent, SumAgent), cfg={"timesteps": 5}, run_dir="run"
    )
    trainer.train()
    assert main(["resume", "run"]) == 2
    assert "resume=True" in capsys.readouterr().err
