"""Teams under the parallel trainer: what every trainer promises, and where their columns lie."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch

from coterie import Trainer, Transition
from coterie.spaces import tree_leaves
from coterie.testing import CountingTeamEnv, LeanSumTeam, MemoryTeam, SumTeam, TeamTrainerSuite
from coterie_backends_mp import ParallelTrainer
from coterie_backends_mp._arrays import Arena, Arrays, Layout
from coterie_backends_mp._exchange import Exchange


class ParallelTeams(TeamTrainerSuite):
    settings: ClassVar[dict[str, Any]]

    def make_trainer(self, **arguments: Any) -> Trainer:
        cfg = {**self.settings, "threads": 1, **arguments.pop("cfg", {})}
        return ParallelTrainer(**arguments, cfg=cfg)


class TestAProcessPerTeam(ParallelTeams):
    settings: ClassVar = {}

    @pytest.mark.parametrize("processes", [1, 2, 3, "auto"])
    def test_any_number_of_processes(self, processes: Any) -> None:
        """Three teams end with the same bits however they are placed."""

        class Placed(ParallelTeams):
            settings: ClassVar = {"processes": processes, "debug": True}

        classes = [SumTeam, LeanSumTeam, SumTeam]
        Placed().same_as_sequential(classes, make_env=lambda: CountingTeamEnv(7, state="own"))


class TestTwoProcessesOfTeams(ParallelTeams):
    settings: ClassVar = {"processes": 2}


class LastInfos(MemoryTeam):
    """Keeps in its state what the last infos said."""

    def state_dict(self) -> Any:
        found = self.transitions[-1].infos["episode"] if self.transitions else {}
        kept = {"step": found.get("step"), "left": found.get("by_actor", {}).get("left")}
        return {**super().state_dict(), "infos": kept}

    def load_state_dict(self, state: Any) -> None:
        super().load_state_dict(state)
        self.infos = state["infos"]


def test_infos_by_actor_arrive_cut() -> None:
    env = CountingTeamEnv(3)
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
    teams = [LastInfos(**spaces, seed=seed) for seed in range(2)]
    cfg = {"timesteps": 5, "disable_progressbar": True, "threads": 1}
    with ParallelTrainer(env=env, agents=teams, scopes=[1, 2], cfg=cfg) as trainer:
        trainer.train()
    for team, rows in zip(teams, (1, 2), strict=True):
        assert team.infos["step"].shape == (rows,)
        assert torch.equal(team.infos["left"], 2 * team.infos["step"].long())


def test_a_step_of_a_team_lies_in_columns_by_actor() -> None:
    env = CountingTeamEnv(5, state="shared")
    interface, layout = env.interface, Layout(scopes=[2, 3], guarded=True)
    arena = Arena(None)
    Arrays(arena, interface, layout)
    memory = torch.zeros(arena.size + 64, dtype=torch.uint8)
    memory = memory[-memory.data_ptr() % 64 :]
    arrays = Arrays(Arena(memory), interface, layout)
    exchange = Exchange(arrays, interface, guarded=True)
    assert all(bool(own.all()) for own in tree_leaves(arrays.valid.slot(1)))
    observations, _ = env.reset(seed=0)
    numbers = {actor: torch.arange(5.0) + 10 * k for k, actor in enumerate(env.actors)}
    odd = {actor: own.long() % 2 == 1 for actor, own in numbers.items()}
    step = Transition(
        observations=(),
        actions=(),
        rewards=numbers,
        next_observations=observations,
        terminated=odd,
        truncated={actor: ~own for actor, own in odd.items()},
        valid=odd,
        all_valid=False,
        next_states=env.state(),
        ended=torch.tensor([True, False, False, True, False]),
    )
    exchange.put_step(step, observations, step.next_states)
    found = arrays.rewards.slot(1)
    assert {actor: own.tolist() for actor, own in found.items()} == {
        "left": [2.0, 3.0, 4.0],
        "right": [12.0, 13.0, 14.0],
        "scout": [22.0, 23.0, 24.0],
    }
    assert arrays.valid.slot(1)["right"].tolist() == [False, True, False]
    assert arrays.truncated.slot(0)["scout"].tolist() == [True, False]
    assert arrays.ended is not None
    assert arrays.ended.slot(1).tolist() == [False, True, False]
    assert exchange.overstepped() is None
    assert {"rewards.left", "valid.scout", "ended"} <= {name for name, _ in arrays.named()}
    memory_of_left = found["left"]
    torch.as_strided(memory_of_left, (4,), (1,), memory_of_left.storage_offset())[3] = 1.0
    assert exchange.overstepped() == (1, "rewards.left")
