"""Controllers in a trainer: how they are made, called, recorded and restored."""

import json
from typing import ClassVar

import pytest
from attrs import frozen

from coterie import (
    CheckpointMismatch,
    ConfigError,
    Controller,
    ControllerCfg,
    PluginError,
    PluginNotFound,
    SequentialTrainer,
    StepTrainer,
    TrainingInterrupted,
    read_lineage,
)
from coterie.plugins import ControllerPlugin, hookimpl, register
from coterie.testing import CountingEnv, SumAgent, agents_for, assert_same_state

QUIET = {"disable_progressbar": True}


@frozen(kw_only=True)
class CallsCfg(ControllerCfg):
    every: int = 5


class Calls(Controller):
    """Notes how it is called."""

    kind: ClassVar[str] = "calls"
    config_class = CallsCfg

    def __init__(self, cfg=None):
        super().__init__(cfg)
        self.calls, self.asked = [], []

    def check(self, members):
        self.calls.append(("check", len(members)))

    def begin(self, population):
        self.calls.append(("begin", population.timestep))

    def due(self, timestep):
        self.asked.append(timestep)
        return timestep % self.cfg.every == 0

    def act(self, population):
        self.calls.append(("act", population.timestep))
        population.note("seen", population.active[0].name, after={"a": float("nan"), "b": [1]})

    def end(self, population):
        self.calls.append(("end", population.timestep))

    def state_dict(self):
        return {"acts": sum(call[0] == "act" for call in self.calls)}

    def load_state_dict(self, state):
        self.calls.append(("load", state["acts"]))


class Others(Calls):
    kind = "others"


class _Plugin:
    @hookimpl
    def coterie_controllers(self):
        yield ControllerPlugin(name="calls", summary="-", config=CallsCfg, loader=lambda: Calls)
        yield ControllerPlugin(
            name="lacking",
            summary="-",
            config=CallsCfg,
            loader=lambda: Calls,
            needs=("no_such_module_anywhere",),
            install="pip install it",
        )


@pytest.fixture(scope="module")
def offered():
    register(_Plugin(), name="controllers-of-tests")


def make(*controllers, steps=12, kind=SequentialTrainer, **more):
    env = CountingEnv(4)
    cfg = {"timesteps": steps, **QUIET, **more.pop("cfg", {})}
    agents = agents_for(env, SumAgent, SumAgent)
    return kind(env=env, agents=agents, cfg=cfg, controllers=list(controllers), **more)


def test_when_it_is_called():
    calls = Calls()
    with make(calls) as trainer:
        assert calls.calls == [("check", 2)]
        trainer.train()
        assert calls.calls[1:] == [("begin", 0), ("act", 5), ("act", 10), ("end", 12)]
        assert calls.asked == list(range(1, 13))
        trainer.eval()
        assert len(calls.calls) == 5
        trainer.train()
    assert calls.calls[5:] == [("begin", 12), ("act", 15), ("act", 20), ("end", 24)]


def test_acting_changes_no_bit():
    plain, acting = make(), make(Calls({"every": 1}))
    plain.train()
    acting.train()
    for left, right in zip(plain.agents, acting.agents, strict=True):
        assert_same_state(left.state_dict(), right.state_dict())


def test_a_caller_that_performs_each_timestep():
    calls = Calls()
    with make(calls, kind=StepTrainer) as trainer:
        for _ in range(12):
            trainer.train()
    assert calls.calls[1:] == [("begin", 0), ("act", 5), ("act", 10), ("end", 12)]


def test_by_name_with_settings(offered):
    trainer = make(("calls", {"every": 4}), Others())
    first, second = trainer._controllers.all
    assert (first.cfg.every, second.cfg.every) == (4, 5)
    assert make("calls")._controllers.all[0].cfg.every == 5


@pytest.mark.parametrize(
    ("controllers", "error", "words"),
    [
        (["callz"], PluginNotFound, "did you mean 'calls'"),
        (["lacking"], PluginError, "no_such_module_anywhere.*pip install it"),
        ([("calls", {"evry": 4})], ConfigError, "did you mean 'every'"),
        (["calls", "calls"], ConfigError, "two controllers are of kind 'calls'"),
        ([3], ConfigError, "a name, a pair"),
        ("calls", ConfigError, r"must be a list.*write \['calls'\]"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_starts(
    offered, tmp_path, controllers, error, words
):
    env = CountingEnv(2)
    with pytest.raises(error, match=f"(?s){words}"):
        SequentialTrainer(
            env=env,
            agents=agents_for(env, SumAgent),
            cfg={"timesteps": 2, **QUIET},
            controllers=controllers,
            run_dir=tmp_path / "run",
        )
    assert not (tmp_path / "run").exists()


def test_what_it_notes_is_written_and_told(tmp_path):
    told = []

    class Listens:
        @hookimpl
        def coterie_population_changed(self, run, change):
            told.append((run.trainer, change))

    register(Listens(), name="listens-to-changes")
    with make(Calls(), run_dir=tmp_path / "run") as trainer:
        trainer.train()
    expected = [
        {"timestep": t, "by": "calls", "event": "seen", "member": "sum-0",
         "after": {"a": None, "b": [1]}}
        for t in (5, 10)
    ]  # fmt: skip
    assert read_lineage(tmp_path / "run") == expected
    assert [(name, change.timestep) for name, change in told] == [
        ("sequential", 5), ("sequential", 10),
    ]  # fmt: skip
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert facts["controllers"] == [{"name": "calls", "settings": {"every": 5}}]


def test_going_on_takes_back_what_came_after(tmp_path):
    cfg = {"checkpoints": {"interval": 7, "keep": 9}}
    with make(Calls(), run_dir=tmp_path / "run", cfg=cfg) as trainer:
        trainer.train()
    whole = (tmp_path / "run" / "lineage.jsonl").read_text()
    at = tmp_path / "run" / "checkpoints" / "step-000000000007"
    calls = Calls()
    with make(calls, run_dir=tmp_path / "run", cfg=cfg, resume=at) as trainer:
        assert calls.calls == [("check", 2), ("load", 1)]
        trainer.train()
    assert calls.calls[2:] == [("act", 10), ("end", 12)]
    assert (tmp_path / "run" / "lineage.jsonl").read_text() == whole


def test_a_checkpoint_that_knows_nothing_of_it(tmp_path):
    cfg = {"checkpoints": {"interval": 7, "keep": 9}}
    for name, controllers in (("plain", []), ("calls", [Calls()])):
        with make(*controllers, run_dir=tmp_path / name, cfg=cfg) as trainer:
            trainer.train()
    plain, calls = (tmp_path / n / "checkpoints/step-000000000007" for n in ("plain", "calls"))
    fresh = Calls()
    with make(fresh, resume=plain) as trainer:
        trainer.train()
    assert fresh.calls[1:] == [("begin", 7), ("act", 10), ("end", 12)]
    with make(resume=calls) as trainer:
        trainer.train()
    with pytest.raises(CheckpointMismatch, match="no state of others"):
        make(Others(), resume=calls)


class Broken(Calls):
    kind = "broken"

    def act(self, population):
        raise RuntimeError("out of ideas")


def test_one_that_fails_ends_the_run(tmp_path):
    with make(Broken(), run_dir=tmp_path / "run") as trainer:
        with pytest.raises(RuntimeError, match="out of ideas") as caught:
            trainer.train()
        assert any("at step 5" in note for note in caught.value.__notes__)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"


class Interrupts(Calls):
    kind = "interrupts"

    def act(self, population):
        import signal

        super().act(population)
        signal.raise_signal(signal.SIGINT)
        assert population.interrupted()


def test_an_interrupt_is_seen_and_the_end_is_not_told(tmp_path):
    acting = Interrupts()
    with make(acting) as trainer, pytest.raises(TrainingInterrupted):
        trainer.train()
    assert acting.calls[1:] == [("begin", 0), ("act", 5)]


def test_a_population_finds_its_members():
    found = []

    class Looks(Calls):
        kind = "looks"

        def act(self, population):
            found.append(population.member("sum-1").index)
            progress = population.progress(population.members[0])
            count = population.episodes(population.members[0])
            assert progress.episodes == count > 0
            found.append((progress.timestep, "sum" in progress.scalars))
            found.append(population.mean_return(population.members[0], since=10**6))
            with pytest.raises(ConfigError, match="did you mean 'sum-1'"):
                population.member("sum-11")

    with make(Looks(), steps=6) as trainer:
        trainer.train()
    assert found == [1, (5, True), None]
