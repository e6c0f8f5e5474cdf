"""``coterie eval``: from a run's files, and nothing in them changes."""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

import pytest

from coterie import SequentialTrainer
from coterie._cli.main import main
from coterie.testing import CountingEnv, SumAgent

OPTIONS = ("--num-envs", "6", "--timesteps", "30", "--run-dir", "run")


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(made_envs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def kept():
    """Keep the first run, for the tests after it."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "run"


@pytest.fixture
def run(kept, tmp_path, capsys):
    if not kept.exists():
        train = ["train", "testing:Counting-v0", "--agent", "sum", "--members", "2"]
        assert main([*train, *OPTIONS]) == 0
        shutil.copytree("run", kept)
    else:
        shutil.copytree(kept, "run")
    capsys.readouterr()
    return tmp_path / "run"


def digests(folder):
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "evaluations"
    }


def test_it_prints_a_table_writes_one_file_and_touches_nothing_else(run, capsys):
    before = digests(run)
    assert main(["eval", "run", "--timesteps", "20"]) == 0
    assert main(["eval", "run", "--timesteps", "20", "--seed", "9", "--stochastic"]) == 0
    assert digests(run) == before
    out = capsys.readouterr().out
    assert "evaluated" in out
    assert "evaluation: run/evaluations/0002.json" in out
    first, second = (
        json.loads((run / f"evaluations/{number:04d}.json").read_text()) for number in (1, 2)
    )
    assert (first["mode"], first["timesteps"], first["seed"]) == ("eval", 20, None)
    assert (second["seed"], second["stochastic"]) == (9, True)
    assert [row["seed"] for row in second["members"]] == [0, 1]


def test_the_trained_state_is_what_acts(run, monkeypatch):
    loaded = []
    load = SumAgent.load_state_dict
    monkeypatch.setattr(
        SumAgent,
        "load_state_dict",
        lambda self, state: (load(self, state), loaded.append((self.name, self.steps))),
    )
    assert main(["eval", "run", "--timesteps", "5"]) == 0
    assert loaded == [("sum-s0", 30), ("sum-s1", 30)]


def test_the_same_seed_gives_the_same_episodes_to_each_member(run, capsys):
    assert main(["eval", "run", "--timesteps", "20", "--seed", "3", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["members"]
    assert first["mean_return"] == second["mean_return"]
    assert first["episodes"] == second["episodes"] > 0


def test_json_is_all_that_stdout_gets(run, capsys):
    assert main(["eval", "run", "--timesteps", "20", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["file"] == "run/evaluations/0001.json"
    assert [row["name"] for row in content["members"]] == ["sum-s0", "sum-s1"]


def test_too_few_timesteps_are_pointed_out(run, capsys):
    assert main(["eval", "run", "--timesteps", "1"]) == 0
    assert "no episode ended in 1 timesteps; raise --timesteps" in capsys.readouterr().out


def test_members_that_failed_in_training_are_left_out(tmp_path, capsys, made_envs):
    arguments = ["train", "testing:Counting-v0", "--agent", "sum,raising,sum", *OPTIONS]
    assert main([*arguments, "--trainer-set", "on_member_failure=continue"]) == 5
    capsys.readouterr()
    assert main(["eval", "run", "--timesteps", "10", "--json"]) == 0
    captured = capsys.readouterr()
    assert [row["name"] for row in json.loads(captured.out)["members"]] == ["sum-s0", "sum-s2"]
    assert "left out, failed in training: raising-s1" in captured.err
    assert made_envs[-1].num_envs == 4


def test_a_missing_or_damaged_agent_ends_with_4(run, capsys):
    path = run / "agents/sum-s1.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    assert main(["eval", "run"]) == 4
    path.unlink()
    assert main(["eval", "run"]) == 4
    err = capsys.readouterr().err
    assert "sum-s1.safetensors" in err
    assert "Traceback" not in err
    assert not (run / "evaluations").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rum",), "there is no run rum; did you mean 'run'?"),
        (("run/agents",), "run/agents holds no run"),
        (("run", "--timesteps", "0"), "--timesteps must be at least 1"),
        (("run", "--progress", "bar", "--no-progress"), "not both"),
    ],
)
def test_what_can_not_be_evaluated_ends_with_2(run, capsys, arguments, words):
    assert main(["eval", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_run_made_by_a_script_says_so(tmp_path, capsys):
    env = CountingEnv(2)
    agent = SumAgent(observation_space=env.observation_space, action_space=env.action_space)
    cfg = {"timesteps": 5, "headless": True, "disable_progressbar": True}
    SequentialTrainer(env=env, agents=agent, cfg=cfg, run_dir="made").train()
    assert main(["eval", "made"]) == 2
    assert "trainer.eval()" in capsys.readouterr().err


def test_a_run_that_went_back_to_checkpoints_is_evaluated_without_any(capsys):
    train = ["train", "testing:Counting-v0", "--agent", "sum", "--members", "2"]
    assert main([*train, *OPTIONS, "--trainer-set", "on_member_failure=resume"]) == 0
    assert main(["eval", "run", "--timesteps", "20"]) == 0
    assert "on_member_failure" not in capsys.readouterr().err
