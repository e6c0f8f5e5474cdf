"""``coterie train --evolve``, and going on with such a run."""

import json

import pytest

from coterie import load_experiment, make_agent, make_env, read_lineage
from coterie._cli.main import main
from coterie.plugins import AgentPlugin, EnvPlugin, hookimpl, register
from coterie.testing import CountingEnv, SumAgent, assert_same_state

PBT = """
interval = 10
episodes = 1

[ranges.scale]
type = "log"
low = 0.1
high = 10.0
"""
RUN = ("train", "evolving:Counting-v0", "--agent", "evolving-sum", "--members", "4")


class Adapter:
    """Makes counting environments."""


class _Plugin:
    @hookimpl
    def coterie_agents(self):
        config = SumAgent.config_class
        yield AgentPlugin(name="evolving-sum", summary="-", config=config, loader=lambda: Sum)

    @hookimpl
    def coterie_envs(self):
        yield EnvPlugin(name="evolving", summary="-", loader=_adapter)


class Sum(SumAgent):
    kind = "evolving-sum"


def _adapter():
    from coterie import EnvAdapter

    class Made(EnvAdapter):
        def ids(self):
            return ["Counting-v0"]

        def make(self, env_id, *, num_envs, seed, device, **settings):
            return CountingEnv(num_envs, seed=seed or 0)

        def wrap(self, env, *, seed, device):
            raise NotImplementedError

    return Made


@pytest.fixture(autouse=True, scope="module")
def plugin():
    register(_Plugin(), name="evolving")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pbt.toml").write_text(PBT)
    return tmp_path


def train(run, *more):
    return main([*RUN, "--timesteps", "60", "--evolve", "pbt.toml", "--run-dir", run, *more])


def agents_of(run):
    env = make_env("evolving:Counting-v0", num_envs=4)
    found = []
    for path in sorted((run / "agents").glob("*.safetensors")):
        found.append(make_agent("evolving-sum", env=env))
        found[-1].load(path)
    return [agent.state_dict() for agent in found]


def test_a_population_evolves_and_goes_on(folder, capsys):
    often = ("--trainer-set", "checkpoints.interval=15", "--trainer-set", "checkpoints.keep=9")
    assert train("whole", *often) == 0
    lineage = (folder / "whole/lineage.jsonl").read_text()
    assert any(entry["event"] == "copy" for entry in read_lineage(folder / "whole"))
    experiment = load_experiment(folder / "whole/experiment.json")
    (controller,) = experiment.controllers
    assert (controller.name, controller.settings["interval"]) == ("pbt", 10)
    facts = json.loads((folder / "whole/run.json").read_text())
    assert facts["controllers"][0]["settings"]["ranges"]["scale"]["high"] == 10.0
    whole = agents_of(folder / "whole")
    at = "whole/checkpoints/step-000000000030"
    assert main(["resume", at]) == 0
    for left, right in zip(whole, agents_of(folder / "whole"), strict=True):
        assert_same_state(left, right)
    assert (folder / "whole/lineage.jsonl").read_text() == lineage
    capsys.readouterr()


def test_an_experiment_file_may_say_it(folder):
    experiment = {
        "environment": {"id": "evolving:Counting-v0", "num_envs": 8},
        "members": [{"agent": "evolving-sum", "seeds": [0, 1, 2, 3]}],
        "trainer": {"settings": {"timesteps": 20, "disable_progressbar": True}},
        "controllers": [
            {"name": "halving", "settings": {"first": 10, "ranges": {}}},
        ],
    }
    (folder / "e.json").write_text(json.dumps(experiment))
    assert main(["train", "--experiment", "e.json", "--run-dir", "run"]) == 0
    stopped = [entry for entry in read_lineage(folder / "run") if entry["event"] == "stop"]
    assert len(stopped) == 2


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (PBT.replace("interval", "intervall"), 2, "did you mean 'interval'"),
        (PBT.replace("[ranges.scale]", "[ranges.scael]"), 2, "did you mean 'scale'"),
        (PBT.replace('"log"', '"lag"'), 2, "did you mean 'log'"),
        (PBT.replace("low = 0.1", "low = 20.0"), 2, "low must be less than high"),
        ('method = "pbtt"\n' + PBT, 3, "did you mean 'pbt'"),
        ("interval = ", 2, "pbt.toml"),
    ],
)
def test_what_is_wrong_is_told_before_anything_starts(folder, capsys, text, code, words):
    (folder / "pbt.toml").write_text(text)
    assert train("run") == code
    assert words in capsys.readouterr().err
    assert not (folder / "run").exists()
