"""The examples for users run as they are, with fewer timesteps."""

import importlib.util
import shutil
from pathlib import Path

import pytest

import coterie
from coterie._cli.main import main

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.toml")))
def test_experiment_files_train(name, tmp_path, monkeypatch):
    shutil.copy(EXAMPLES / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--experiment", name, "--timesteps", "40", "--run-dir", "run"]) == 0
    members = coterie.load_experiment(name).members
    trained = {path.stem for path in (tmp_path / "run/agents").glob("*.safetensors")}
    assert trained == {member.name for member in members}


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_scripts_run(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location(f"example_{name[:-3]}", EXAMPLES / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(timesteps=80)
    assert "mean return" in capsys.readouterr().out


def test_the_demo_is_four_agents_with_a_scope_of_sixteen_each():
    demo = coterie.load_experiment(EXAMPLES / "demo.toml")
    assert demo.environment.id == "gymnasium:CartPole-v1"
    assert demo.scopes == [16, 16, 16, 16]
    assert len({member.seed for member in demo.members}) == 4
    assert len({member.settings["learning_rate"] for member in demo.members}) == 4
