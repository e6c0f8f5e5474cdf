"""One bad member does not cost the others, whatever it breaks and whenever."""

import json

import pytest

from coterie import ConfigError, SequentialTrainer, WorkerRaised
from coterie.testing import CountingEnv, RaisingAgent, SumAgent, agents_for, assert_same_state

QUIET = {"timesteps": 12, "disable_progressbar": True, "metrics_interval": 4}
GO_ON = {**QUIET, "on_member_failure": "continue"}


class Untold(Exception):
    """An exception that needs two arguments and has no text."""

    def __init__(self, one, two):
        super().__init__(one, two)

    def __str__(self):
        raise RuntimeError("no text either")


class Bad(SumAgent):
    """Calls a function in a method of your choice."""

    method = "act"

    def __init__(self, *, method, does, **arguments):
        super().__init__(**arguments)
        self.does = does
        good = getattr(self, method)
        setattr(self, method, lambda *a, **k: (self.does(), good(*a, **k))[1])


def population(method, does, cfg, **arguments):
    env = CountingEnv(6)
    bad = Bad(
        observation_space=env.observation_space,
        action_space=env.action_space,
        name="bad",
        seed=1,
        method=method,
        does=does,
    )
    agents = agents_for(env, SumAgent, SumAgent, SumAgent)
    agents[1] = bad
    return SequentialTrainer(env=env, agents=agents, cfg=cfg, **arguments)


def healthy():
    env = CountingEnv(6)
    agents = agents_for(env, SumAgent, SumAgent, SumAgent)
    SequentialTrainer(env=env, agents=agents, cfg=QUIET).train()
    return agents


def raises(error):
    def act():
        raise error

    return act


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Untold(1, 2), "raised Untold in act at step 0: "),
        (SystemExit(3), "raised SystemExit in act at step 0: 3"),
        (ConfigError("odd"), "raised ConfigError in act at step 0: odd"),
        (MemoryError("x" * 200_000), "raised MemoryError"),
        (ExceptionGroup("both", [ValueError("a"), KeyError("b")]), "raised ExceptionGroup"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_kind_of_exception_is_named(error, words):
    with pytest.raises(WorkerRaised) as caught:
        population("act", raises(error), QUIET).train()
    assert str(caught.value.args[0]).startswith("agent 1 ('bad') ")
    assert words in str(caught.value)
    assert caught.value.__cause__ is error
    assert "test_member_failures.py" in caught.value.remote_traceback
    summary = population("act", raises(error), GO_ON).train()
    assert [member.status for member in summary.members] == ["trained", "failed", "trained"]


@pytest.mark.parametrize(
    ("method", "phase"),
    [
        ("setup", "setup"),
        ("enable_training_mode", "setup"),
        ("episodes_cut", "reset"),
        ("pre_interaction", "pre_interaction"),
        ("act", "act"),
        ("record_transition", "record"),
        ("post_interaction", "post_interaction"),
        ("metrics", "metrics"),
    ],
)
def test_the_others_train_on(method, phase):
    trainer = population(method, raises(RuntimeError("broken")), GO_ON)
    summary = trainer.train()
    failure = trainer.members[1].failure
    assert (failure.agent_name, failure.phase) == ("bad", phase)
    assert summary.members[1].failure == failure.args[0]
    assert "broken" in str(summary)
    for left, right in list(zip(healthy(), trainer.agents, strict=True))[::2]:
        assert_same_state(left.state_dict(), right.state_dict())


@pytest.mark.parametrize("result", [{"loss": "much"}, {"loss": None}, 5])
def test_metrics_that_are_no_numbers_have_an_owner(result):
    trainer = population("act", lambda: None, QUIET)
    trainer.agents[1].metrics = lambda: result
    with pytest.raises(WorkerRaised, match=r"agent 1 \('bad'\) raised \w+ in metrics at step"):
        trainer.train()


def test_what_the_others_learned_is_saved_before_it_is_raised(tmp_path):
    calls = iter(range(100))
    does = lambda: next(calls) == 5 and raises(RuntimeError("broken"))()  # noqa: E731
    trainer = population("act", does, QUIET, run_dir=tmp_path / "run")
    with pytest.raises(WorkerRaised, match="at step 5") as caught:
        trainer.train()
    agents = tmp_path / "run" / "agents"
    assert caught.value.__notes__ == [
        f"what was learned until step 4 was saved: {agents}",
        f"last checkpoint: {tmp_path / 'run' / 'checkpoints' / 'step-000000000000'}",
    ]
    assert sorted(path.stem for path in agents.iterdir()) == ["sum-0", "sum-2"]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert [member["status"] for member in summary["members"]] == ["failed"] * 3
    (fresh,) = agents_for(CountingEnv(2), SumAgent)
    fresh.load(agents / "sum-2.safetensors")
    assert_same_state(fresh.state_dict(), trainer.agents[2].state_dict())
    assert fresh.steps == 5


def test_without_a_directory_nothing_is_saved():
    with pytest.raises(WorkerRaised) as caught:
        population("act", raises(RuntimeError("broken")), QUIET).train()
    assert caught.value.__notes__ == ["no checkpoint was written"]


@pytest.mark.parametrize("cfg", [QUIET, GO_ON], ids=["raise", "continue"])
def test_a_state_that_can_not_be_stored_costs_its_owner_only(tmp_path, cfg):
    trainer = population("act", lambda: None, cfg, run_dir=tmp_path / "run")
    trainer.agents[1].state_dict = lambda: {"odd": object()}
    if cfg is QUIET:
        with pytest.raises(WorkerRaised, match=r"agent 1 \('bad'\) raised TypeError in save.*odd"):
            trainer.train()
    else:
        summary = trainer.train()
        assert [member.status for member in summary.members] == ["trained", "failed", "trained"]
    saved = sorted(path.stem for path in (tmp_path / "run" / "agents").iterdir())
    assert saved == ["sum-0", "sum-2"]
    status = json.loads((tmp_path / "run" / "run.json").read_text())["status"]
    assert status == ("failed" if cfg is QUIET else "finished")


def test_when_everyone_fails_there_is_nobody_to_go_on():
    env = CountingEnv(4)
    agents = agents_for(env, RaisingAgent, RaisingAgent, cfg={"phase": "act", "at": 3})
    trainer = SequentialTrainer(env=env, agents=agents, cfg=GO_ON)
    with pytest.raises(WorkerRaised, match="out of ideas") as caught:
        trainer.train()
    assert "every member has failed" in caught.value.__notes__
    assert trainer.timestep <= 4


@pytest.mark.parametrize("cfg", [QUIET, GO_ON], ids=["raise", "continue"])
def test_failing_in_an_evaluation(cfg):
    trainer = population("act", lambda: None, cfg)
    trainer.train()
    trainer.agents[1].does = raises(RuntimeError("broken"))
    before = [agent.state_dict() for agent in trainer.agents]
    if cfg is QUIET:
        with pytest.raises(WorkerRaised, match="broken"):
            trainer.eval()
    else:
        statuses = [member.status for member in trainer.eval().members]
        assert statuses == ["evaluated", "failed", "evaluated"]
    for state, agent in zip(before, trainer.agents, strict=True):
        assert_same_state(state, agent.state_dict())
        assert agent.training


def test_a_member_that_failed_takes_part_again():
    calls, cuts = iter(range(100)), []
    does = lambda: next(calls) == 5 and raises(RuntimeError("broken"))()  # noqa: E731
    trainer = population("act", does, GO_ON)
    trainer.agents[1].episodes_cut = lambda: cuts.append(trainer.timestep)
    trainer.train()
    assert trainer.members[1].status == "failed"
    steps = trainer.agents[1].steps
    assert [member.status for member in trainer.train().members] == ["trained"] * 3
    assert trainer.agents[1].steps == steps + 12
    assert cuts == [0, 12]
