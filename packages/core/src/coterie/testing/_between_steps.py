"""What every executor must do with single members between two timesteps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from .._agents.interface import Agent
from .._controllers.interface import Controller
from .._controllers.population import Population
from .._errors import CheckpointMismatch, ConfigError
from .._trainers.sequential import SequentialTrainer
from .._types import State
from ._compare import assert_same_state, differs
from ._training_runs import STEPS, TrainingRuns, agents_for

_AT = 10
_CFG: dict[str, Any] = {"timesteps": STEPS, "disable_progressbar": True, "headless": True}

Act = Callable[[Population], None]


class _Once(Controller):
    """Does something to a population, once.

    Args:
        what: What it does.
    """

    kind: ClassVar[str] = "once"

    def __init__(self, what: Act) -> None:
        super().__init__()
        self._what = what

    def due(self, timestep: int) -> bool:
        """Whether it is time."""
        return timestep == _AT

    def act(self, population: Population) -> None:
        """Do it."""
        self._what(population)


class _Often(Controller):
    """Changes a setting of every member again and again, and copies one member to another."""

    kind: ClassVar[str] = "often"

    def begin(self, population: Population) -> None:
        """Start to draw."""
        self._generator = torch.Generator().manual_seed(self.derive(population.members))

    def due(self, timestep: int) -> bool:
        """Every third timestep."""
        return timestep % 3 == 0

    def act(self, population: Population) -> None:
        """Draw settings, and who is copied to whom."""
        for member in population.active:
            scale = 1.0 + float(torch.rand((), generator=self._generator))
            before = population.settings(member)
            population.reconfigure(member, {"scale": scale})
            after = population.settings(member)
            population.note("settings", member.name, before=before, after=after)
        order = torch.randperm(len(population.members), generator=self._generator).tolist()
        donor, heir = (population.members[place] for place in order[:2])
        learned = population.snapshot([donor], learned=True)[donor.index]
        population.restore(heir, learned, population.settings(donor))
        population.note("copy", heir.name, donor=donor.name)

    def state_dict(self) -> State:
        """Return where the draws are."""
        return {"generator": self._generator.get_state()}

    def load_state_dict(self, state: State) -> None:
        """Go back there."""
        self._generator = torch.Generator()
        self._generator.set_state(state["generator"])


class BetweenSteps(TrainingRuns):
    """Tests of ``snapshot``, ``restore`` and ``reconfigure``, through a controller."""

    def _acted(
        self, act: Act, classes: Sequence[type[Agent]] | None = None, *, reference: bool = False
    ) -> list[Agent]:
        """Train members of which something is done to between two timesteps."""
        chosen = [self._good] * 3 if classes is None else classes
        env = self.default_env(2 * len(chosen))
        agents = agents_for(env, *chosen)
        make = SequentialTrainer if reference else self.make_trainer
        with make(env=env, agents=agents, cfg=_CFG, controllers=[_Once(act)]) as trainer:
            trainer.train()
        return agents

    def _same_everywhere(self, act: Act, found: Sequence[Agent]) -> None:
        """Assert that ``sequential`` ends the same way."""
        if not self.equal_to_sequential:
            return
        for left, right in zip(self._acted(act, reference=True), found, strict=True):
            assert_same_state(left.state_dict(), right.state_dict())

    def test_a_state_given_to_another_member(self) -> None:
        """It goes on exactly from there; the others do not change by a bit."""
        seen: list[dict[int, State]] = []

        def act(population: Population) -> None:
            second = population.members[1]
            states = population.snapshot(population.members)
            assert population.restore(second, states[0], {})
            seen.extend([states, population.snapshot(population.members)])

        found, undisturbed = self._acted(act), self.run([self._good] * 3)
        before, after = seen[0], seen[1]
        assert_same_state(after[1], before[0])
        for index in (0, 2):
            assert_same_state(after[index], before[index])
            assert_same_state(undisturbed[index].state_dict(), found[index].state_dict())
        assert differs(undisturbed[1].state_dict(), found[1].state_dict())
        self._same_everywhere(act, found)

    def test_a_state_given_back(self) -> None:
        """A member that gets its own state back ends with the bits that it would have."""

        def act(population: Population) -> None:
            states = population.snapshot(population.members)
            for member in population.members:
                assert population.restore(member, states[member.index], {})

        for left, right in zip(self.run([self._good] * 3), self._acted(act), strict=True):
            assert_same_state(left.state_dict(), right.state_dict())

    def test_going_on_with_what_another_learned(self) -> None:
        """An heir keeps its random numbers; donor and bystander do not change by a bit."""
        seen: list[dict[int, State]] = []

        def act(population: Population) -> None:
            donor, heir, _ = population.members
            before = population.snapshot(population.members)
            learned = population.snapshot([donor], learned=True)
            assert set(learned) == {0}
            assert population.restore(heir, learned[0], {})
            seen.extend([before, population.snapshot(population.members)])

        found, undisturbed = self._acted(act), self.run([self._good] * 3)
        before, after = seen[0], seen[1]
        assert torch.equal(after[1]["agent"]["generator"], before[1]["agent"]["generator"])
        generator = {"generator": before[1]["agent"]["generator"]}
        assert_same_state(after[1]["agent"], before[0]["agent"] | generator)
        for index in (0, 2):
            assert_same_state(after[index], before[index])
            assert_same_state(undisturbed[index].state_dict(), found[index].state_dict())
        self._same_everywhere(act, found)

    def test_settings_that_change(self) -> None:
        """One member goes on with other settings; the others do not change by a bit."""

        def act(population: Population) -> None:
            assert population.reconfigure(population.members[1], {"scale": 2.5})
            assert population.settings(population.members[1]) == {"scale": 2.5}

        found, undisturbed = self._acted(act), self.run([self._good] * 3)
        assert [agent.cfg.scale for agent in found] == [1.0, 2.5, 1.0]
        for index in (0, 2):
            assert_same_state(undisturbed[index].state_dict(), found[index].state_dict())
        assert differs(undisturbed[1].state_dict(), found[1].state_dict())
        self._same_everywhere(act, found)

    def test_what_does_not_fit_is_refused(self) -> None:
        """A bad state and bad settings are refused by name, and change nothing."""

        def act(population: Population) -> None:
            member = population.members[1]
            state = population.snapshot([member])[1]
            broken = {"generator": state["agent"]["generator"].flip(0), "settings": {"scale": 9.0}}
            learned = {"settings": {"scale": 9.0}}
            for wrong in ({**state, "agent": broken}, {"streams": None}, {"learned": learned}):
                with pytest.raises(CheckpointMismatch, match=member.name):
                    population.restore(member, wrong, {})
            for settings, word in (
                ({"scael": 2.0}, "did you mean 'scale'"),
                ({"scale": "big"}, "'big'"),
            ):
                with pytest.raises(ConfigError, match=word):
                    population.reconfigure(member, settings)
            assert_same_state(population.snapshot([member])[1], state)

        for left, right in zip(self.run([self._good] * 3), self._acted(act), strict=True):
            assert left.cfg == right.cfg
            assert_same_state(left.state_dict(), right.state_dict())

    def test_a_controller_goes_on_from_a_checkpoint(self, tmp_path: Path) -> None:
        """What was decided, and its record, is the same in one go and resumed."""

        def make(run: Path | None, **more: Any) -> Any:
            env = self.default_env(6)
            return self.make_trainer(
                env=env,
                agents=agents_for(env, *[self._good] * 3),
                cfg={**_CFG, "checkpoints": {"interval": 7, "keep": 9}},
                controllers=[_Often()],
                run_dir=run,
                **more,
            )

        with make(tmp_path / "whole") as whole:
            whole.train()
        for step in (0, 7, 14):
            run = tmp_path / f"from-{step}"
            at = tmp_path / "whole" / "checkpoints" / f"step-{step:012d}"
            with make(run, resume=at) as trainer:
                trainer.train()
            for left, right in zip(whole.agents, trainer.agents, strict=True):
                assert_same_state(left.state_dict(), right.state_dict())
            lineage = (run / "lineage.jsonl").read_text()
            assert lineage == (tmp_path / "whole" / "lineage.jsonl").read_text()
