"""``coterie eval`` over a number of episodes, of chosen members, and of several runs at once."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest

from coterie._cli.main import main
from coterie.testing import SumAgent

RUN = ("--timesteps", "30", "--agent", "sum")


@pytest.fixture(scope="module")
def kept():
    """Keep the first run, for the tests after it."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "run"


@pytest.fixture(autouse=True)
def run(made_envs, kept, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if not kept.exists():
        train("run")
        shutil.copytree("run", kept)
    else:
        shutil.copytree(kept, "run")
    capsys.readouterr()
    return tmp_path / "run"


def train(folder, *more):
    options = ("--members", "2", "--num-envs", "6", *RUN, *more)
    assert main(["train", "testing:Counting-v0", *options, "--run-dir", folder]) == 0


FIRST, LAST = (f"run/checkpoints/step-{step:012d}" for step in (0, 30))


def evaluated(capsys, *arguments, code=0):
    assert main(["eval", *arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_twenty_episodes_are_the_default(capsys):
    found = evaluated(capsys, "run")
    assert found["episodes"] == 20
    for row in found["members"]:
        own = row["evaluation"]
        assert len(own["returns"]) == len(own["lengths"]) == own["asked"] == row["episodes"] == 20
        assert own["instances"] == [0] * 7 + [1] * 7 + [2] * 6
        assert own["mean"] == pytest.approx(sum(own["returns"]) / 20)
    assert found["timesteps"] < 100


def test_timesteps_alone_mean_what_they_always_did(capsys):
    found = evaluated(capsys, "run", "--timesteps", "20")
    assert (found["episodes"], found["timesteps"]) == (None, 20)
    assert [row["evaluation"] for row in found["members"]] == [None, None]


def test_timesteps_limit_a_number_of_episodes(capsys):
    assert main(["eval", "run", "--episodes", "50", "--timesteps", "20"]) == 0
    out = capsys.readouterr().out
    assert "of 50 episodes ended in 20 timesteps" in out
    assert "raise --timesteps" in out


def test_the_table_fits_a_terminal_and_tells_each_number(capsys):
    assert main(["eval", "run", "--episodes", "5"]) == 0
    out = capsys.readouterr().out
    heading, _, first, *_ = out.splitlines()
    assert heading.split() == [
        *("member", "episodes", "mean", "std", "median", "IQM", "min", "max", "length")
    ]
    assert max(map(len, out.splitlines())) <= 80
    values = evaluated(capsys, "run", "--episodes", "5")["members"][0]["evaluation"]
    names = ("mean", "std", "median", "iqm", "minimum", "maximum", "mean_length")
    assert first.split() == ["sum-s0", "5", *(f"{values[name]:.2f}" for name in names)]


def test_the_same_seed_gives_the_same_episodes_also_where_actions_are_drawn(capsys):
    arguments = ("run", "--episodes", "4", "--stochastic", "--seed")
    first, second = evaluated(capsys, *arguments, "5")["members"]
    assert first["evaluation"] == second["evaluation"]
    again, _ = evaluated(capsys, *arguments, "5")["members"]
    other, _ = evaluated(capsys, *arguments, "6")["members"]
    assert again["evaluation"] == first["evaluation"] != other["evaluation"]
    assert (first["seed"], second["seed"], second["episode_seed"]) == (0, 1, 5)


def test_members_are_chosen_by_name(capsys, made_envs):
    found = evaluated(capsys, "run", "--members", "sum-s1", "--episodes", "3")
    assert [row["name"] for row in found["members"]] == ["sum-s1"]
    assert made_envs[-1].num_envs == 3
    whole = evaluated(capsys, "run", "--episodes", "3")
    assert found["members"][0]["evaluation"] == whole["members"][1]["evaluation"]


def test_a_file_is_one_member(capsys):
    found = evaluated(capsys, "run/agents/sum-s1.safetensors")
    assert [row["name"] for row in found["members"]] == ["sum-s1"]
    assert found["file"] == "run/evaluations/0001.json"


def test_the_number_of_instances_can_be_chosen(capsys, made_envs):
    evaluated(capsys, "run", "--instances", "2", "--episodes", "3")
    assert made_envs[-1].num_envs == 4


def test_a_run_and_its_checkpoint_are_compared_each_in_its_own_scope(run, capsys, made_envs):
    found = evaluated(capsys, "run", LAST, "--episodes", "3")
    assert made_envs[-1].num_envs == 12
    names = [row["name"] for row in found["members"]]
    assert names == ["run sum-s0", "run sum-s1", "step-30 sum-s0", "step-30 sum-s1"]
    rows = found["members"]
    assert rows[0]["evaluation"] == rows[2]["evaluation"]
    assert [row["agent_file"] for row in rows[1::2]] == [
        "run/agents/sum-s1.safetensors",
        f"{LAST}/members/sum-s1.safetensors",
    ]
    assert found["files"] == ["run/evaluations/0001.json"]


def test_checkpoints_files_in_them_and_the_best_agents(capsys, monkeypatch):
    """Each holds what its name says: SumAgent counts the steps that it has learned from."""
    loaded = []
    load = SumAgent.load_state_dict
    monkeypatch.setattr(
        SumAgent,
        "load_state_dict",
        lambda self, state: (load(self, state), loaded.append((self.name, self.steps))),
    )
    file = f"{LAST}/members/sum-s1.safetensors"
    evaluated(capsys, FIRST, file, "run/best/sum-s0.safetensors", "--episodes", "1")
    assert loaded == [
        *(("step-0 sum-s0", 0), ("step-0 sum-s1", 0), ("step-30 sum-s1", 30), ("best sum-s0", 30))
    ]


def test_what_is_compared_is_what_each_file_holds(run, capsys, monkeypatch):
    train("longer", "--timesteps", "45")
    capsys.readouterr()
    loaded = []
    load = SumAgent.load_state_dict
    monkeypatch.setattr(
        SumAgent,
        "load_state_dict",
        lambda self, state: (load(self, state), loaded.append((self.name, self.steps))),
    )
    evaluated(capsys, "run", "longer", "--members", "sum-s0", "--episodes", "1")
    assert loaded == [("run sum-s0", 30), ("longer sum-s0", 45)]


def test_each_run_keeps_what_its_own_members_came_to(run, capsys):
    train("longer", "--timesteps", "45")
    capsys.readouterr()
    assert main(["eval", "run", "longer", "--episodes", "3"]) == 0
    out = capsys.readouterr().out
    lines = [line for line in out.splitlines() if line]
    assert lines[2] == "run"
    assert lines[3].startswith("  sum-s0")
    assert lines[5] == "longer"
    for name in ("run", "longer"):
        kept = json.loads((run.parent / name / "evaluations/0001.json").read_text())
        assert kept["compared"] == ["run", "longer"]
        assert [row["name"] for row in kept["members"]] == [f"{name} sum-s0", f"{name} sum-s1"]


def test_a_checkpoint_that_is_damaged_ends_with_4(run, capsys):
    file = run.parent / LAST / "members/sum-s1.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    assert main(["eval", LAST]) == 4
    assert "sum-s1.safetensors is damaged" in capsys.readouterr().err
    (run.parent / FIRST / "MANIFEST.json").unlink()
    assert main(["eval", FIRST]) == 4
    assert "was not finished" in capsys.readouterr().err
    assert not (run / "evaluations").exists()


def test_members_that_had_failed_at_a_checkpoint_are_left_out(capsys):
    options = ("--num-envs", "6", "--timesteps", "30", "--run-dir", "failing")
    train = ["train", "testing:Counting-v0", "--agent", "sum,raising,sum", *options]
    assert main([*train, "--trainer-set", "on_member_failure=continue"]) == 5
    capsys.readouterr()
    found = evaluated(capsys, "failing/checkpoints/step-000000000030", "--episodes", "1")
    assert [row["name"] for row in found["members"]] == ["sum-s0", "sum-s2"]


def test_different_environments_are_refused_with_all_that_differs(run, capsys):
    path = run.parent / "other"
    shutil.copytree(run, path)
    content = json.loads((path / "experiment.json").read_text())
    content["environment"]["id"] = "testing:Broken-v0"
    content["environment"]["settings"] = {"at": 3, "render_mode": "rgb_array"}
    (path / "experiment.json").write_text(json.dumps(content))
    assert main(["eval", "run", "other"]) == 2
    err = capsys.readouterr().err
    assert "id: testing:Counting-v0 in run, testing:Broken-v0 in other" in err
    assert "settings.at: not set in run, 3 in other" in err
    assert "render_mode" not in err
    assert not (run / "evaluations").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Give a run, such as"),
        (("run", "run"), "'sum-s0' is given twice"),
        (("run", "--members", "sum-s5"), "there is no member 'sum-s5'; did you mean 'sum-s1'?"),
        (("run", "--members", "sum-s0,,"), "names with commas between them"),
        (("run/agents/sum-s1.safetensors", "--members", "sum-s0"), "has none of the members"),
        (("run", "--episodes", "0"), "--episodes must be at least 1, got 0"),
        (("run", "--instances", "0"), "--instances must be at least 1"),
        (("run", "--fps", "10"), "--fps needs --video"),
        (("run", "--video", "film.avi"), "ends in .mp4 or .gif"),
        (("run/agents/sum-s4.safetensors",), "did you mean"),
    ],
)
def test_what_can_not_be_done_is_told_before_anything_starts(
    run, capsys, made_envs, arguments, words
):
    before = len(made_envs)
    assert main(["eval", *arguments]) in (2, 4)
    captured = capsys.readouterr()
    assert words in captured.err + captured.out
    assert len(made_envs) == before


def test_names_that_are_too_long_stand_in_lines_of_their_own(run, capsys):
    path = run.parent / ("a-very-long-name-of-a-run-" * 2)
    shutil.copytree(run, path)
    assert main(["eval", str(path.name), "run", "--episodes", "2"]) == 0
    out = capsys.readouterr().out
    assert max(len(line) for line in out.splitlines() if "evaluation:" not in line) <= 80
