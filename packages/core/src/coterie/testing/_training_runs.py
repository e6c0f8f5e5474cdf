"""How the suites of trainers train a population, and what they ask of members of any kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from .._agents.interface import Agent
from .._envs.interface import VectorEnv
from .._errors import WorkerError
from .._registry.hookspecs import hookimpl
from .._registry.manager import register
from .._runs.records import MemberProgress
from .._trainers.base import Trainer
from .._trainers.sequential import SequentialTrainer
from ._compare import assert_same_state, differs

STEPS = 24
_BETWEEN = 7
_CFG = {"timesteps": STEPS, "disable_progressbar": True}


def agents_for(env: VectorEnv, *classes: type[Agent], **settings: Any) -> list[Agent]:
    """Make one agent of each class for ``env``, with the seeds 0, 1, 2 and so on."""
    return [
        cls(
            observation_space=env.observation_space,
            action_space=env.action_space,
            state_space=env.state_space,
            seed=seed,
            **settings,
        )
        for seed, cls in enumerate(classes)
    ]


class _Stops:
    """Stops a member."""

    def __init__(self, name: str, timestep: int) -> None:
        self.name, self.timestep = name, timestep

    @hookimpl
    def coterie_should_stop(self, progress: MemberProgress) -> str | None:
        """Stop it when it has come so far."""
        over = progress.member.name == self.name and progress.timestep >= self.timestep
        return "it has come far enough" if over else None


class _Silent:
    """Takes the place of a plugin that is not needed any more."""

    @hookimpl
    def coterie_run_finished(self) -> None:
        """Do nothing."""


@contextmanager
def _stopping(name: str, timestep: int) -> Iterator[None]:
    """Stop a member at a timestep, for as long as the block runs."""
    plugin = "coterie-testing-stops"
    register(_Stops(name, timestep), name=plugin)
    try:
        yield
    finally:
        register(_Silent(), name=plugin)


class TrainingRuns:
    """What the suites for single agents and for teams share."""

    equal_to_sequential = True
    """Whether the trainer promises the same bits as ``sequential``."""

    _good: ClassVar[type[Agent]]
    _raising: ClassVar[type[Agent]]

    def make_trainer(self, **arguments: Any) -> Trainer:
        """Make the trainer under test from ``env``, ``agents``, ``scopes``, ``cfg`` and so on."""
        raise NotImplementedError

    def default_env(self, num_envs: int) -> VectorEnv:
        """Make the environment of the tests that name none."""
        raise NotImplementedError

    def run(
        self,
        classes: Sequence[type[Agent]],
        *,
        reference: bool = False,
        env: VectorEnv | None = None,
        scopes: Sequence[int] | None = None,
        runs: int = 1,
        **cfg: Any,
    ) -> list[Agent]:
        """Train agents of these classes, with the trainer under test or ``sequential``."""
        env = env or self.default_env(2 * len(classes))
        agents = agents_for(env, *classes)
        make = SequentialTrainer if reference else self.make_trainer
        steps = {**_CFG, "headless": True, **cfg}
        with make(env=env, agents=agents, scopes=scopes, cfg=steps) as trainer:
            for _ in range(runs):
                trainer.train()
        return agents

    def same_as_sequential(self, classes: Sequence[type[Agent]], **arguments: Any) -> None:
        """Assert that the trainer under test gives the bits that ``sequential`` gives."""
        env = arguments.pop("make_env", lambda: None)
        if not self.equal_to_sequential:
            pytest.skip("the trainer makes no promise of equal bits")
        expected = self.run(classes, reference=True, env=env(), **arguments)
        found = self.run(classes, env=env(), **arguments)
        for left, right in zip(expected, found, strict=True):
            assert_same_state(left.state_dict(), right.state_dict())

    def _twice_is_longer(self, kind: type[Agent]) -> None:
        (once,) = self.run([kind], timesteps=2 * STEPS)
        (twice,) = self.run([kind], runs=2)
        assert_same_state(once.state_dict(), twice.state_dict())

    def _evaluation_leaves_no_trace(self, classes: Sequence[type[Agent]]) -> None:
        env = self.default_env(2 * len(classes))
        agents = agents_for(env, *classes)
        cfg = {**_CFG, "stochastic_evaluation": True}
        with self.make_trainer(env=env, agents=agents, cfg=cfg) as trainer:
            trainer.train()
            before = [agent.state_dict() for agent in agents]
            summary = trainer.eval()
            after = [agent.state_dict() for agent in agents]
            assert not any(differs(old, new) for old, new in zip(before, after, strict=True))
            trainer.train()
        assert all(member.episodes > 0 for member in summary.members)
        undisturbed = self.run(classes, runs=2)
        for left, right in zip(undisturbed, agents, strict=True):
            assert_same_state(left.state_dict(), right.state_dict())

    def _goes_on_from_any_checkpoint(self, classes: Sequence[type[Agent]], folder: Path) -> None:
        whole = self._checkpointed(classes, folder / "whole")
        whole.train()
        whole.close()
        for step in (0, _BETWEEN, 2 * _BETWEEN):
            trainer = self._checkpointed(classes)
            with trainer:
                trainer.resume(folder / "whole" / "checkpoints" / f"step-{step:012d}")
                trainer.train()
            for left, right in zip(whole.agents, trainer.agents, strict=True):
                assert_same_state(left.state_dict(), right.state_dict())

    def _checkpointed(self, classes: Sequence[type[Agent]], run: Path | None = None) -> Trainer:
        env = self.default_env(2 * len(classes))
        cfg = {**_CFG, "checkpoints": {"interval": _BETWEEN, "keep": 9}}
        return self.make_trainer(env=env, agents=agents_for(env, *classes), cfg=cfg, run_dir=run)

    def _others_go_on_when_one_stops(self, classes: Sequence[type[Agent]]) -> None:
        env = self.default_env(2 * len(classes))
        agents = agents_for(env, *classes)
        cfg = {**_CFG, "metrics_interval": _BETWEEN}
        trainer = self.make_trainer(env=env, agents=agents, cfg=cfg)
        with trainer, _stopping(trainer.members[1].name, 2 * _BETWEEN):
            summary = trainer.train()
        assert [member.status for member in summary.members] == ["trained", "stopped", "trained"]
        whole, short = self.run(classes), self.run(classes, timesteps=2 * _BETWEEN)
        for index, expected in ((0, whole), (1, short), (2, whole)):
            assert_same_state(expected[index].state_dict(), agents[index].state_dict())

    def _failure_in(self, phase: str) -> WorkerError:
        """Return what is raised when the second of three fails in a phase, if it says where."""
        env, agents = self._with_a_bad_one(phase)
        with (
            self.make_trainer(env=env, agents=agents, cfg=_CFG) as trainer,
            pytest.raises(WorkerError, match="out of ideas") as caught,
        ):
            trainer.train()
        failure = caught.value
        assert (failure.agent_index, failure.phase) == (1, phase)
        assert failure.timestep == (None if phase == "setup" else 3)
        return failure

    def _others_go_on(self, phase: str, **cfg: Any) -> None:
        env, agents = self._with_a_bad_one(phase)
        cfg = {**_CFG, "on_member_failure": "continue", **cfg}
        with self.make_trainer(env=env, agents=agents, cfg=cfg) as trainer:
            summary = trainer.train()
        assert [member.status for member in summary.members] == ["trained", "failed", "trained"]
        healthy = self.run([self._good] * 3)
        for index in (0, 2):
            assert_same_state(healthy[index].state_dict(), agents[index].state_dict())

    def _with_a_bad_one(self, phase: str) -> tuple[VectorEnv, list[Agent]]:
        env = self.default_env(6)
        agents = agents_for(env, *[self._good] * 3)
        agents[1] = self._raising(
            observation_space=env.observation_space,
            action_space=env.action_space,
            seed=1,
            cfg={"phase": phase, "at": 3},
        )
        return env, agents
