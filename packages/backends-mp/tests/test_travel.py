"""Agents reach their processes wherever their classes come from, and what they print comes back."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from coterie import WorkerStartError
from coterie.testing import CountingEnv, MemoryAgent, SumAgent, agents_for, assert_same_state
from coterie_backends_mp import ParallelTrainer

QUIET = {"timesteps": 4, "headless": True, "disable_progressbar": True, "threads": 1}

SCRIPT = """
import sys
from coterie.testing import CountingEnv, SumAgent
from coterie_backends_mp import ParallelTrainer

class Mine(SumAgent):
    twice = staticmethod(lambda value: 2 * value)

    def post_interaction(self, *, timestep, timesteps):
        self.steps += self.twice(1)
        print("step", timestep, end="\\n" if timestep else "")
        if timestep == 0:
            print(" of", timesteps)
            print("oh", file=sys.stderr)

env = CountingEnv(4)
spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
agents = [Mine(**spaces, seed=seed, name=f"m{seed}") for seed in range(2)]
cfg = {"timesteps": 2, "headless": True, "disable_progressbar": True, "threads": 1}
trainer = ParallelTrainer(env=env, agents=agents, cfg=cfg)
trainer.train()
print([agent.steps for agent in trainer.agents])
"""


@pytest.mark.parametrize("how", ["file", "stdin", "-c"])
def test_classes_of_a_script_without_a_main_guard(how: str, tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    arguments = {"file": [str(path)], "stdin": ["-"], "-c": ["-c", SCRIPT]}[how]
    done = subprocess.run(
        [sys.executable, *arguments],
        input=SCRIPT if how == "stdin" else None,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == "[4, 4]"
    expected = [f"[m{seed}] {text}" for seed in (0, 1) for text in ("step 0 of 2", "step 1")]
    assert sorted(lines[:-1]) == expected
    assert sorted(done.stderr.splitlines()) == ["[m0] oh", "[m1] oh"]


class Inner:
    """Holds something that can't leave the process."""

    def __init__(self) -> None:
        self.parts = {"lock": threading.Lock()}


def test_an_agent_that_can_not_travel_is_refused_before_anything_starts() -> None:
    env = CountingEnv(4)
    agents: list[Any] = agents_for(env, SumAgent, SumAgent)
    agents[1].inner = Inner()
    before = psutil.Process().children(recursive=True)
    with (
        ParallelTrainer(env=env, agents=agents, cfg=QUIET) as trainer,
        pytest.raises(WorkerStartError, match=r"agent\.inner\.parts\['lock'\]") as caught,
    ):
        trainer.train()
    assert (caught.value.agent_index, caught.value.agent_name) == (1, "sum-1")
    assert psutil.Process().children(recursive=True) == before


def test_lambdas_and_local_classes_travel() -> None:
    class Local(SumAgent):
        scaled: Any = None

        def post_interaction(self, *, timestep: int, timesteps: int) -> None:
            self.sum = self.scaled(self.sum)

    env = CountingEnv(2)
    (agent,) = agents_for(env, Local)
    agent.scaled = lambda value: value * 0 + 5
    with ParallelTrainer(env=env, agents=agent, cfg=QUIET) as trainer:
        trainer.train()
    assert agent.sum.tolist() == [5, 5, 5]


class InfosAgent(SumAgent):
    """Adds up what the infos tell."""

    uses_infos = True

    def record_transition(self, transition: Any, *, timestep: int, timesteps: int) -> None:
        self.sum = self.sum + transition.infos["episode"]["step"].sum()
        assert transition.infos["episode"]["step"].shape == (self.num_envs,)


class DeafAgent(MemoryAgent):
    """Does not read infos."""

    uses_infos = False
    told: Any = None

    def state_dict(self) -> dict[str, Any]:
        told = [len(transition.infos) for transition in self.transitions] or self.told
        return {**super().state_dict(), "told": told}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.told = state["told"]


def test_infos_reach_those_who_read_them() -> None:
    from coterie import SequentialTrainer

    states = []
    for kind in (SequentialTrainer, ParallelTrainer):
        env = CountingEnv(5)
        agents = agents_for(env, InfosAgent, DeafAgent)
        threads = {} if kind is SequentialTrainer else {"threads": 1}
        cfg = {"timesteps": 6, "headless": True, "disable_progressbar": True, **threads}
        with kind(env=env, agents=agents, cfg=cfg) as trainer:
            trainer.train()
        states.append([agent.state_dict() for agent in agents])
    assert_same_state(*(state[0] for state in states))
    assert states[0][0]["sum"][0] > 0
    assert states[1][1]["told"] == states[0][1]["told"] == [0] * 6


class KeepingAgent(MemoryAgent):
    """Keeps transitions, and checks at the end that nobody wrote over them."""

    def state_dict(self) -> dict[str, Any]:
        steps = [transition.next_observations[:, 2].tolist() for transition in self.transitions]
        rewards = [transition.rewards.tolist() for transition in self.transitions]
        return {**super().state_dict(), "kept": steps, "rewards": rewards}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.kept, self.rewards = state["kept"], state["rewards"]


def test_transitions_may_be_kept() -> None:
    env = CountingEnv(2)
    (agent,) = agents_for(env, KeepingAgent)
    with ParallelTrainer(env=env, agents=agent, cfg=QUIET) as trainer:
        trainer.train()
    # Episodes have at least three steps: the first three count 1, 2, 3.
    assert [row[0] for row in agent.kept[:3]] == [1, 2, 3]
    assert [int(row[0]) in (step, step + 1) for step, row in enumerate(agent.rewards[:3], 1)] == [
        True,
        True,
        True,
    ]


class ForkingAgent(SumAgent):
    """Lets a process of its own compute something."""

    def post_interaction(self, *, timestep: int, timesteps: int) -> None:
        import multiprocessing

        context = multiprocessing.get_context("fork")
        queue = context.SimpleQueue()
        child = context.Process(target=queue.put, args=(timestep,))
        child.start()
        self.steps += queue.get() + 1
        child.join()


def test_agents_may_start_processes() -> None:
    env = CountingEnv(2)
    (agent,) = agents_for(env, ForkingAgent)
    with ParallelTrainer(env=env, agents=agent, cfg=QUIET) as trainer:
        trainer.train()
    assert agent.steps == 1 + 2 + 3 + 4
