"""SIGINT and SIGTERM: the timestep is finished and saved, then the program ends."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from coterie import SequentialTrainer, StepTrainer, TrainingInterrupted
from coterie._executors import saving
from coterie._loggers.file import FileLogger
from coterie._trainers.interrupts import Interrupts
from coterie.testing import CountingEnv, SumAgent, agents_for, nothing_global

SIGNALS = {"SIGINT": 130, "SIGTERM": 143}


class Sender(SumAgent):
    """Sends signals to its own process in the middle of a step."""

    signals = ("SIGINT",)
    at = 3

    def post_interaction(self, *, timestep, timesteps):
        super().post_interaction(timestep=timestep, timesteps=timesteps)
        if timestep == self.at:
            for name in self.signals:
                os.kill(os.getpid(), getattr(signal, name))


def trainer_for(kind=SequentialTrainer, **arguments):
    env = CountingEnv(4)
    agents = agents_for(env, Sender, SumAgent)
    cfg = {"timesteps": 50, "disable_progressbar": True}
    return kind(env=env, agents=agents, cfg=cfg, **arguments)


def status(run):
    return json.loads((run / "run.json").read_text())["status"]


@pytest.mark.parametrize("name", SIGNALS)
def test_the_step_is_finished_by_everyone(tmp_path, name):
    trainer = trainer_for(run_dir=tmp_path / "run")
    trainer.agents[0].signals = (name,)
    with nothing_global(), pytest.raises(TrainingInterrupted) as caught:
        trainer.train()
    assert caught.value.signal == name
    done = trainer.timestep
    assert str(caught.value) == (
        f"interrupted by {name} after step {done}; saved to {tmp_path / 'run'}"
    )
    assert [agent.steps for agent in trainer.agents] == [done, done]
    assert done == Sender.at + 2  # it came when the step was over; the next one is the last
    assert status(tmp_path / "run") == "interrupted"
    assert len(list((tmp_path / "run" / "agents").iterdir())) == 2
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert {member["status"] for member in summary["members"]} == {"interrupted"}


def test_training_goes_on_where_it_was_interrupted():
    trainer = trainer_for()
    with pytest.raises(TrainingInterrupted):
        trainer.train()
    first = trainer.timestep
    trainer.cfg = type(trainer.cfg)(timesteps=50 - first, disable_progressbar=True)
    trainer.train()
    whole = trainer_for()
    whole.agents[0].signals = ()
    whole.train()
    for left, right in zip(whole.agents, trainer.agents, strict=True):
        assert left.sum.tolist() == right.sum.tolist()


def test_the_second_signal_acts_at_once_and_saves_nothing(tmp_path):
    trainer = trainer_for(run_dir=tmp_path / "run")
    trainer.agents[0].signals = ("SIGINT", "SIGINT")
    with nothing_global(), pytest.raises(KeyboardInterrupt, match="second signal") as caught:
        trainer.train()
    assert not isinstance(caught.value, TrainingInterrupted)
    assert trainer.agents[1].steps == Sender.at
    assert list((tmp_path / "run" / "agents").iterdir()) == []
    assert caught.value.__notes__[-1].endswith("checkpoints/step-000000000000")
    assert status(tmp_path / "run") == "interrupted"


def test_a_second_signal_at_the_very_end_leaves_no_file_open(tmp_path, monkeypatch):
    closed = []
    monkeypatch.setattr(FileLogger, "close", lambda self: closed.append(self) or self._file.close())
    trainer = trainer_for(run_dir=tmp_path / "run")

    write = saving.write_agent

    def interrupted(*arguments):
        if trainer.agents[0].steps:
            os.kill(os.getpid(), signal.SIGINT)
        write(*arguments)

    monkeypatch.setattr(saving, "write_agent", interrupted)
    with nothing_global(), pytest.raises(KeyboardInterrupt, match="second signal"):
        trainer.train()
    assert trainer.agents[0].steps == Sender.at + 2  # the first had come in the middle
    assert [logger._file._file.closed for logger in set(closed)] == [True]


def test_a_second_signal_in_an_evaluation_leaves_agents_as_they_were():
    trainer = trainer_for()
    trainer.agents[0].signals = ()
    trainer.train()
    before = trainer.agents[0].generator.get_state()
    trainer.env.render = lambda: [os.kill(os.getpid(), signal.SIGINT) for _ in range(2)]
    with pytest.raises(KeyboardInterrupt, match="second signal"):
        trainer.eval()
    assert trainer.agents[0].generator.get_state().equal(before)
    assert trainer.agents[0].training


def test_the_step_trainer_finishes_its_step(tmp_path):
    trainer = trainer_for(StepTrainer, run_dir=tmp_path / "run")
    for _ in range(Sender.at):
        trainer.train()
    with nothing_global(), pytest.raises(TrainingInterrupted, match="after step 4"):
        trainer.train()
    assert [agent.steps for agent in trainer.agents] == [4, 4]
    assert status(tmp_path / "run") == "interrupted"
    assert trainer.summary.timesteps == 4


def test_signals_that_are_ignored_stay_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGINT)
            assert not interrupts.requested()
    finally:
        signal.signal(signal.SIGINT, before)


def test_handlers_of_the_program_come_back():
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append("program's"))
    try:
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGTERM)
            assert interrupts.received == "SIGTERM"
        assert seen == []
        os.kill(os.getpid(), signal.SIGTERM)
        assert seen == ["program's"]
    finally:
        signal.signal(signal.SIGTERM, before)


SCRIPT = """
    import sys, time
    from coterie import SequentialTrainer
    from coterie.testing import CountingEnv, SumAgent, agents_for

    class Env(CountingEnv):
        def step(self, actions):
            print("step", flush=True)
            time.sleep(0.02)
            return super().step(actions)

        def close(self):
            print("closed", flush=True)

    env = Env(2)
    cfg = {"timesteps": 100_000, "disable_progressbar": True}
    trainer = SequentialTrainer(env=env, agents=agents_for(env, SumAgent), cfg=cfg, run_dir=RUN)
    other = SequentialTrainer(env=env, agents=agents_for(env, SumAgent), cfg=cfg)
    END
"""


def start(tmp_path, end):
    code = SCRIPT.replace("RUN", repr(str(tmp_path / "run"))).replace("END", end)
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("name", SIGNALS)
def test_a_script_that_is_interrupted(tmp_path, name):
    process = start(tmp_path, "trainer.train()")
    for _ in range(3):
        assert process.stdout.readline() == "step\n"
    process.send_signal(getattr(signal, name))
    output, errors = process.communicate(timeout=30)
    assert process.returncode == SIGNALS[name], errors
    assert output.count("closed") == 1
    assert status(tmp_path / "run") == "interrupted"
    assert (tmp_path / "run" / "agents" / "sum-0.safetensors").exists()
    assert f"interrupted by {name} after step" in errors
    assert "Traceback" not in errors


def test_a_script_that_never_closes(tmp_path):
    """Two trainers share the environment: it is closed once; the exit code is the script's."""
    cfg = '{"close_environment_at_exit": False}'
    end = f"e = Env(2); SequentialTrainer(env=e, agents=agents_for(e, SumAgent), cfg={cfg})"
    process = start(tmp_path, f"{end}; sys.exit(7)")
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 7, errors
    assert output == "closed\n"
    assert not (tmp_path / "run").exists()
