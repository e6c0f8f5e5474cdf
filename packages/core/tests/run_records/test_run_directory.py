"""A run on disk: what is in it, and that nothing in it is overwritten."""

import json
from importlib import metadata
from types import SimpleNamespace

import pytest

from coterie import ConfigError, EnvContractError, PluginError, SequentialTrainer
from coterie._runs.directory import installed_versions
from coterie.testing import BrokenEnv, CountingEnv, SumAgent, agents_for, assert_same_state

QUIET = {"timesteps": 8, "disable_progressbar": True}


def trainer_for(run, env=None, cfg=QUIET, **arguments):
    env = env or CountingEnv(4, seed=3)
    agents = agents_for(env, SumAgent, SumAgent, cfg={"scale": 0.5})
    return SequentialTrainer(env=env, agents=agents, cfg=cfg, run_dir=run, **arguments)


def content(run):
    """Every file of a run with its bytes."""
    return {str(p.relative_to(run)): p.read_bytes() for p in run.rglob("*") if p.is_file()}


def load(path):
    return json.loads(path.read_text())


@pytest.mark.usefixtures("no_third_party")
def test_what_a_run_holds(tmp_path):
    run = tmp_path / "deep" / "run"
    trainer = trainer_for(run)
    assert not run.exists()
    summary = trainer.train()
    assert summary.directory == run
    names = {"run.json", "summary.json", "metrics.csv", ".lock"}
    for k in (0, 1):
        names |= {f"agents/sum-{k}.safetensors", f"best/sum-{k}.safetensors", f"best/sum-{k}.json"}
    kept = {name for name in content(run) if not name.startswith("checkpoints/")}
    assert kept == names
    steps = {path.name for path in (run / "checkpoints").iterdir()}
    assert steps == {"step-000000000000", "step-000000000008"}
    about = load(run / "run.json")
    assert (about["status"], about["trainer"], about["timesteps"]) == ("finished", "sequential", 8)
    assert about["environment"]["name"] == "testing:Counting"
    assert about["environment"]["independent_streams"] is True
    assert about["environment"]["seed"] == 3
    assert [member["scope"] for member in about["members"]] == [[0, 2], [2, 4]]
    assert about["members"][1]["settings"] == {"scale": 0.5}
    assert about["trainer_settings"]["timesteps"] == 8
    assert {"coterie-core", "torch", "numpy", "gymnasium"} <= set(about["versions"])
    assert about["started"] <= about["ended"]
    members = load(run / "summary.json")["members"]
    assert [member["name"] for member in members] == ["sum-0", "sum-1"]
    assert members[0]["settings"] == {"scale": 0.5}
    (fresh,) = agents_for(CountingEnv(2), SumAgent)
    fresh.load(run / "agents" / "sum-1.safetensors")
    assert_same_state(fresh.state_dict(), trainer.agents[1].state_dict())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda run: trainer_for(run).train(), "holds another run"),
        (lambda run: (run.mkdir(), (run / "thesis.txt").write_text("mine")), "holds other files"),
        (lambda run: run.write_text("mine"), "is a file"),
    ],
)
def test_what_is_there_is_never_overwritten(tmp_path, make, words):
    run = tmp_path / "run"
    make(run)
    before = content(tmp_path)
    with pytest.raises(ConfigError, match=words):
        trainer_for(run)
    assert content(tmp_path) == before


def test_an_empty_folder_is_taken(tmp_path):
    trainer_for(tmp_path).train()
    assert (tmp_path / "run.json").exists()


def test_two_trainers_for_one_folder(tmp_path):
    first, second = trainer_for(tmp_path / "run"), trainer_for(tmp_path / "run")
    first.train()
    before = content(tmp_path)
    with pytest.raises(ConfigError, match="holds another run by now"):
        second.train()
    assert content(tmp_path) == before


def test_training_twice_is_one_run(tmp_path):
    trainer = trainer_for(tmp_path / "run")
    trainer.train()
    started = load(tmp_path / "run" / "run.json")["started"]
    trainer.train()
    about = load(tmp_path / "run" / "run.json")
    assert (about["started"], about["timesteps"], about["status"]) == (started, 16, "finished")
    rows = [line.split(",") for line in (tmp_path / "run" / "metrics.csv").read_text().splitlines()]
    assert sum(row[0] == "timestep" for row in rows) == 1
    steps = [int(row[0]) for row in rows[1:]]
    times = [float(row[2]) for row in rows[1:]]
    assert (steps, times) == (sorted(steps), sorted(times))
    assert steps[-1] == 16


def test_an_evaluation_writes_beside_the_training_only(tmp_path):
    run = tmp_path / "run"
    trainer = trainer_for(run, loggers=["jsonl"])
    trainer.train()
    before = content(run)
    for _ in range(2):
        summary = trainer.eval()
    after = content(run)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"evaluations/0001.json", "evaluations/0002.json"}
    found = load(run / "evaluations" / "0002.json")
    assert found["members"][0]["mean_return"] == summary.members[0].mean_return
    assert found["members"][0]["status"] == "evaluated"


def test_an_evaluation_first(tmp_path):
    trainer = trainer_for(tmp_path / "run")
    trainer.eval()
    assert set(content(tmp_path / "run")) == {"evaluations/0001.json"}
    trainer.train()
    assert load(tmp_path / "run" / "run.json")["status"] == "finished"


@pytest.mark.parametrize(("how", "error"), [("raise", RuntimeError), ("nan", EnvContractError)])
def test_an_environment_that_fails(tmp_path, how, error):
    run = tmp_path / "run"
    trainer = trainer_for(run, BrokenEnv(4, at=5, how=how))
    with pytest.raises(error) as caught:
        trainer.train()
    assert caught.value.__notes__ == [
        "during train, at step 5",
        f"what was learned until step 5 was saved: {run / 'agents'}",
        f"last checkpoint: {run / 'checkpoints' / 'step-000000000000'}",
    ]
    assert load(run / "run.json")["status"] == "failed"
    assert [member["status"] for member in load(run / "summary.json")["members"]] == ["failed"] * 2
    assert len(list((run / "agents").iterdir())) == 2


def test_agents_that_can_not_be_saved(tmp_path):
    run = tmp_path / "run"
    trainer = trainer_for(run, cfg={**QUIET, "checkpoints": {"keep": 0}})
    (run / "agents" / "sum-0.safetensors").mkdir(parents=True)
    with pytest.raises(OSError, match=r"could not write .*sum-0") as caught:
        trainer.train()
    assert load(run / "run.json")["status"] == "failed"
    assert (run / "agents" / "sum-1.safetensors").is_file()
    assert not (run / "checkpoints").exists()
    assert any(str(run / "agents") in note for note in caught.value.__notes__)


def test_a_checkpoint_counts_even_where_its_agents_can_not_be_found_beside_it(tmp_path):
    run = tmp_path / "run"
    trainer = trainer_for(run)
    (run / "agents" / "sum-0.safetensors").mkdir(parents=True)
    with pytest.warns(RuntimeWarning, match="is whole, but its agents could not be copied"):
        trainer.train()
    assert load(run / "run.json")["status"] == "finished"
    assert (run / "checkpoints" / "step-000000000008" / "members" / "sum-0.safetensors").is_file()


def test_a_logger_that_can_not_start(tmp_path, monkeypatch):
    pytest.importorskip("tensorboard")
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    trainer = trainer_for(tmp_path / "run", loggers=["tensorboard"])
    with pytest.raises(PluginError, match=r"pip install .coterie-core\[tensorboard\]"):
        trainer.train()
    assert load(tmp_path / "run" / "run.json")["status"] == "failed"


def test_the_version_of_a_package_is_read_once(monkeypatch):
    known = installed_versions(["torch", "comes-later"])
    assert known == {"torch": metadata.version("torch")}
    read = []
    monkeypatch.setattr(metadata, "distribution", lambda name: read.append(name) or came(name))
    assert installed_versions(["torch", "comes-later"]) == {**known, "comes-later": "7"}
    assert read == ["comes-later"]


def came(name):
    """A distribution that was installed meanwhile."""
    return SimpleNamespace(version="7")
