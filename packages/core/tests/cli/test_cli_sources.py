"""What paths of ``coterie eval`` mean, and what they are called."""

from pathlib import Path

import pytest

from coterie import CheckpointCorrupt, CheckpointNotFound, ConfigError
from coterie._cli.sources import find_source, labels

STEP = "step-000000012000"


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Two runs with files that nobody reads here; the first has a checkpoint."""
    for name in ("one", "two"):
        (tmp_path / name / "agents").mkdir(parents=True)
        (tmp_path / name / "agents" / "ppo-s0.safetensors").write_bytes(b"x")
    (tmp_path / "one/best").mkdir()
    (tmp_path / "one/best/ppo-s0.safetensors").write_bytes(b"x")
    members = tmp_path / "one/checkpoints" / STEP / "members"
    members.mkdir(parents=True)
    (members / "ppo-s0.safetensors").write_bytes(b"x")
    (members.parent / "MANIFEST.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parts(source):
    return source.run, source.agents, source.part, source.only


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("one", ("one", "one/agents", None, None)),
        (f"one/checkpoints/{STEP}", ("one", f"one/checkpoints/{STEP}/members", STEP, None)),
        ("one/agents/ppo-s0.safetensors", ("one", "one/agents", None, "ppo-s0")),
        ("one/best", ("one", "one/best", "best", None)),
        ("one/best/ppo-s0.safetensors", ("one", "one/best", "best", "ppo-s0")),
        (
            f"one/checkpoints/{STEP}/members/ppo-s0.safetensors",
            ("one", f"one/checkpoints/{STEP}/members", STEP, "ppo-s0"),
        ),
    ],
)
def test_runs_checkpoints_and_files(runs, path, expected):
    run, agents, checkpoint, only = expected
    assert parts(find_source(Path(path))) == (Path(run), Path(agents), checkpoint, only)
    assert parts(find_source(runs / path)) == (runs / run, runs / agents, checkpoint, only)


def test_paths_are_understood_from_inside(runs, monkeypatch):
    monkeypatch.chdir(runs / "one/checkpoints" / STEP)
    for path in (".", f"../{STEP}", "members/ppo-s0.safetensors"):
        found = find_source(Path(path))
        assert found.run.resolve() == runs / "one"
        assert found.part == STEP
        assert found.checkpoint.resolve() == runs / "one/checkpoints" / STEP
        assert found.file("ppo-s0").exists()
    monkeypatch.chdir(runs / "one/agents")
    found = find_source(Path("ppo-s0.safetensors"))
    assert (found.run.resolve(), found.only) == (runs / "one", "ppo-s0")
    assert found.file("ppo-s0").exists()


def test_a_checkpoint_that_was_not_finished_is_refused(runs):
    (runs / "one/checkpoints" / STEP / "MANIFEST.json").unlink()
    with pytest.raises(CheckpointCorrupt, match="was not finished"):
        find_source(Path(f"one/checkpoints/{STEP}"))


def test_a_folder_of_checkpoints_tells_which_there_are(runs):
    with pytest.raises(ConfigError, match=f"give one of them: {STEP}"):
        find_source(Path("one/checkpoints"))


def test_files_that_are_missing_or_of_no_run(runs):
    with pytest.raises(CheckpointNotFound, match=r"did you mean 'ppo-s0\.safetensors'"):
        find_source(Path("one/agents/ppo-s1.safetensors"))
    (runs / "lone.safetensors").write_bytes(b"x")
    with pytest.raises(ConfigError, match="lies in no run"):
        find_source(Path("lone.safetensors"))
    (runs / "notes.txt").write_text("")
    with pytest.raises(ConfigError, match="neither a run, nor a checkpoint"):
        find_source(Path("notes.txt"))


def named(*paths):
    return labels([find_source(Path(path)) for path in paths])


def test_checkpoints_of_one_run_are_named_by_their_step(runs):
    assert named("one", f"one/checkpoints/{STEP}") == ["one", "step-12000"]
    assert named("one/best", f"one/checkpoints/{STEP}") == ["best", "step-12000"]


def test_with_several_runs_the_run_is_named_too(runs):
    assert named("two", f"one/checkpoints/{STEP}") == ["two", "one step-12000"]
    assert named("two/agents/ppo-s0.safetensors", "one/best") == ["two", "one best"]


def test_what_has_the_same_name_gets_a_number_and_what_is_the_same_does_not(runs):
    (runs / "else/one/agents").mkdir(parents=True)
    assert named("one", "else/one", "one/agents/ppo-s0.safetensors") == ["one", "one-2", "one"]


def test_labels_hold_only_what_names_of_members_may(runs):
    (runs / "größe: 3%").mkdir()
    (label,) = named("größe: 3%")
    assert label == "gr-e- 3-"
