"""Faults that need no script and no arena: of the environment, of settings, between neighbours."""

from __future__ import annotations

import ast
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from fault_survey import Patience
from hypothesis import settings as hypothesis_settings
from hypothesis import stateful
from hypothesis import strategies as st

from coterie import ConfigError, TrainerStateError, WorkerDied, WorkerRaised
from coterie.testing import BrokenEnv, CountingEnv, SumAgent, agents_for, assert_same_state
from coterie_backends_mp import ParallelTrainer, WorkerServer

ROOT = Path(__file__).parents[2]
QUIET = {"timesteps": 8, "headless": True, "disable_progressbar": True, "threads": 1}
# Worker processes inherit it; under ``python -m pytest`` they can import this module themselves.
HOME = int(os.environ.setdefault("COTERIE_TESTS_HOME", str(os.getpid())))


def descendants() -> set[int]:
    """Processes that this one started, and those that they did."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


@pytest.fixture(scope="module", autouse=True)
def _warm_server() -> Iterator[None]:
    with WorkerServer() as server:
        server.wait_ready()
        yield


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    before, fds = descendants(), len(os.listdir("/proc/self/fd"))
    yield
    patience = Patience(5.0)
    while descendants() - before and patience.left:
        patience.nap()
    assert descendants() <= before
    assert len(os.listdir("/proc/self/fd")) == fds


def trainer_for(env: Any, *kinds: type[SumAgent], **cfg: Any) -> ParallelTrainer:
    """A trainer of small agents."""
    return ParallelTrainer(env=env, agents=agents_for(env, *kinds), cfg={**QUIET, **cfg})


class BrokenReset(CountingEnv):
    """Can't be reset."""

    def reset(self, **arguments: Any) -> Any:
        raise OSError("the simulator is gone")


def test_the_environment_raises_in_a_step() -> None:
    before = descendants()
    trainer = trainer_for(BrokenEnv(4, at=3, how="raise"), SumAgent, SumAgent)
    with pytest.raises(RuntimeError, match="the simulator fell over") as caught:
        trainer.train()
    assert descendants() == before
    assert caught.value.__notes__ == ["during train, at step 3", "no checkpoint was written"]
    assert [agent.steps for agent in trainer.agents] == [3, 3]


def test_the_environment_raises_in_a_reset() -> None:
    before = descendants()
    trainer = trainer_for(BrokenReset(4), SumAgent, SumAgent)
    with pytest.raises(OSError, match="the simulator is gone"):
        trainer.train()
    assert descendants() == before


def test_a_fork_is_refused() -> None:
    with pytest.raises(ConfigError, match="start_method") as caught:
        trainer_for(CountingEnv(2), SumAgent, start_method="fork")
    assert "forkserver" in str(caught.value)
    assert "spawn" in str(caught.value)


class Stayer(SumAgent):
    """Does not let its process end."""

    def setup(self, num_envs: int) -> None:
        super().setup(num_envs)
        if os.getpid() != HOME:
            import atexit

            atexit.register(time.sleep, 1000)


def test_a_worker_that_does_not_leave_is_killed() -> None:
    trainer = trainer_for(CountingEnv(4), Stayer, SumAgent, stop_grace=0.3)
    trainer.train()
    trainer.close()
    assert [agent.steps for agent in trainer.agents] == [8, 8]


class Parental(SumAgent):
    """Starts a process of its own, and then fails."""

    fails = "raise"

    def act(self, observations: Any, *, timestep: int, **others: Any) -> Any:
        if timestep == 2 and self.seed == 1:
            subprocess.Popen(["sleep", "1000"])
        if timestep == 4 and self.seed == 1:
            if self.fails == "raise":
                raise ValueError("no such luck")
            os.kill(os.getpid(), 9)
        return super().act(observations, timestep=timestep, **others)


class DyingParental(Parental):
    """The same, but dies."""

    fails = "die"


@pytest.mark.parametrize(("kind", "error"), [(Parental, WorkerRaised), (DyingParental, WorkerDied)])
def test_what_a_worker_started_goes_with_it(kind: type[SumAgent], error: type[Exception]) -> None:
    before = descendants()
    trainer = trainer_for(CountingEnv(4), SumAgent, kind)
    with pytest.raises(error, match="in act at step 4"):
        trainer.train()
    assert descendants() == before


class Careless(SumAgent):
    """Changes what is process-wide at every step."""

    def post_interaction(self, *, timestep: int, timesteps: int) -> None:
        super().post_interaction(timestep=timestep, timesteps=timesteps)
        torch.set_num_threads(1 + timestep % 3)
        torch.manual_seed(timestep)
        torch.randn(5)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_careless_neighbour_changes_nothing(processes: int) -> None:
    sums = []
    for neighbour in (SumAgent, Careless):
        with trainer_for(CountingEnv(4), SumAgent, neighbour, processes=processes) as trainer:
            trainer.train()
            sums.append(trainer.agents[0].sum)
    assert_same_state(*sums)


class ThreadedEnv(CountingEnv):
    """Notes from which thread it is stepped."""

    thread: Any = None

    def step(self, actions: Any) -> Any:
        self.thread = threading.current_thread()
        return super().step(actions)


def test_a_trainer_that_was_made_in_a_thread_that_ended() -> None:
    made: list[ParallelTrainer] = []
    env = ThreadedEnv(4)
    maker = threading.Thread(target=lambda: made.append(trainer_for(env, SumAgent, SumAgent)))
    maker.start()
    maker.join()
    with made[0] as trainer:
        trainer.train()
        assert env.thread is threading.current_thread()
        assert [agent.steps for agent in trainer.agents] == [8, 8]


def test_no_module_reads_the_wall_clock() -> None:
    """Time limits must not depend on a clock that somebody sets."""
    modules = sorted(ROOT.glob("packages/*/src/**/*.py"))
    assert len(modules) > 50
    assert [str(module) for module in modules if reads_wall_clock(module.read_text())] == []
    assert reads_wall_clock("import time\ntime.time()")
    assert reads_wall_clock("from time import time")


def reads_wall_clock(source: str) -> bool:
    """Whether a module calls ``time.time`` or takes it by name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "time.time":
            return True
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            return any(alias.name == "time" for alias in node.names)
    return False


class Moody(SumAgent):
    """Fails when it is told to."""

    mood: str | None = None

    def act(self, observations: Any, **others: Any) -> Any:
        if self.mood == "raise":
            raise ValueError("no such luck")
        if self.mood == "die" and os.getpid() != HOME:
            os._exit(3)
        return super().act(observations, **others)


MOODS = st.sampled_from(["raise", "die"])


class Life(stateful.RuleBasedStateMachine):
    """Anything that a user may call, in any order; after it the trainer's state is known."""

    def __init__(self) -> None:
        super().__init__()
        self.closed, self.failed, self.steps = False, False, 0
        self.trainer: Any = trainer_for(CountingEnv(4), Moody, Moody)

    def call(self, name: str) -> bool:
        """Train or evaluate; tell whether that was possible."""
        if not self.closed:
            getattr(self.trainer, name)()
            return True
        with pytest.raises(TrainerStateError, match="closed"):
            getattr(self.trainer, name)()
        return False

    @stateful.rule()
    def train(self) -> None:
        """Train."""
        if self.call("train"):
            self.steps, self.failed = self.steps + QUIET["timesteps"], False

    @stateful.rule()
    def evaluate(self) -> None:
        """Evaluate."""
        self.call("eval")

    @stateful.precondition(lambda self: not self.closed)
    @stateful.rule(mood=MOODS)
    def fail_in_training(self, mood: str) -> None:
        """Let the second member fail in its first act; earlier failures are forgotten."""
        self.fail(mood, self.trainer.train)

    @stateful.precondition(lambda self: not self.closed and not self.failed)
    @stateful.rule(mood=MOODS)
    def fail_in_an_evaluation(self, mood: str) -> None:
        """The same in an evaluation, where one that has failed does not act."""
        self.fail(mood, self.trainer.eval)

    def fail(self, mood: str, call: Any) -> None:
        """Let the second member fail."""
        agent = self.trainer.agents[1]
        agent.mood = mood
        with pytest.raises(WorkerRaised if mood == "raise" else WorkerDied, match="agent 1"):
            call()
        agent.mood, self.failed = None, True

    @stateful.rule()
    def close(self) -> None:
        """Close, the first time or again."""
        self.trainer.close()
        self.closed = True

    @stateful.invariant()
    def counts(self) -> None:
        """The agents have learned from every step of the training, and from none other."""
        assert [agent.steps for agent in self.trainer.agents] == [self.steps] * 2

    def teardown(self) -> None:
        """Leave nothing."""
        self.trainer.close()


def test_any_order_of_calls() -> None:
    examples = max(10, int(os.environ.get("COTERIE_FAULTS", "0")) // 20)
    chosen = hypothesis_settings(
        max_examples=examples, stateful_step_count=8, deadline=None, derandomize=examples == 10
    )
    stateful.run_state_machine_as_test(Life, settings=chosen)
