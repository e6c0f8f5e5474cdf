"""Runs on islands beside those of other trainers: checkpoints, files, settings, limits."""

from __future__ import annotations

import pickle
import threading

import pytest
import torch

from coterie import ConfigError, Controller, SequentialTrainer, TrainerStateError
from coterie.islands import far_env
from coterie.testing import CountingEnv, GlobalDrawAgent, LeanSumAgent, SumAgent, assert_same_state

KINDS = (SumAgent, GlobalDrawAgent, LeanSumAgent, SumAgent)
CFG = {
    "timesteps": 40,
    "disable_progressbar": True,
    "metrics_interval": 8,
    "checkpoints": {"interval": 10, "keep": 9},
}


class SharedEnv(CountingEnv):
    """Its instances are said to share one stream."""

    independent_streams = False


class ForgetfulEnv(CountingEnv):
    """It can't save its state."""

    saves_state = False
    splits_state = False


class WholeEnv(CountingEnv):
    """It saves its state, but nobody can cut it."""

    splits_state = False


def agents_for(env):
    return [
        kind(observation_space=env.observation_space, action_space=env.action_space, seed=seed)
        for seed, kind in enumerate(KINDS)
    ]


def run(make, env=None, resume=False, run_dir=None, **more):
    env = env or CountingEnv(8)
    agents = agents_for(env)
    cfg = {**CFG, **more.pop("cfg", {})}
    trainer = make(env=env, agents=agents, cfg=cfg, run_dir=run_dir, resume=resume, **more)
    with trainer:
        summary = trainer.train()
    return agents, summary, trainer


def same(left, right):
    for one, other in zip(left, right, strict=True):
        assert_same_state(one.state_dict(), other.state_dict())


def at(run_dir, step):
    return run_dir / "checkpoints" / f"step-{step:012d}"


def test_a_run_changes_its_trainer_and_its_islands(islands, tmp_path):
    expected, _, _ = run(SequentialTrainer, run_dir=tmp_path / "plain")
    stretch = {"stretch": 7}
    there, _, _ = run(islands.make, run_dir=tmp_path / "there", cfg=stretch, host={"room": 3})
    same(expected, there)
    for step in (10, 30):
        back, _, _ = run(SequentialTrainer, resume=at(tmp_path / "there", step))
        same(expected, back)
        for room in (1, 2, 4):
            again, _, _ = run(
                islands.make,
                resume=at(tmp_path / "plain", step),
                cfg=stretch,
                host={"room": room},
            )
            same(expected, again)


def test_files_are_those_of_sequential(islands, tmp_path):
    run(SequentialTrainer, run_dir=tmp_path / "plain")
    run(islands.make, run_dir=tmp_path / "there", cfg={"stretch": 3})

    def rows(where):
        lines = (tmp_path / where / "metrics.csv").read_text().splitlines()
        cells = [line.split(",") for line in lines]
        kept = [row for row in cells if not any(cell.startswith("time/") for cell in row)]
        return [row[:2] + row[3:] for row in kept]

    assert rows("there") == rows("plain")
    left, right = (
        {p.relative_to(tmp_path / w) for p in (tmp_path / w).rglob("*")} for w in ("plain", "there")
    )
    assert left == right


@pytest.mark.parametrize("kind", [ForgetfulEnv, WholeEnv])
def test_without_states_that_can_be_cut_episodes_start_anew(islands, tmp_path, kind):
    env = kind(8)
    expected, _, _ = run(SequentialTrainer, env=kind(8))
    agents, _, _ = run(islands.make, env=env, run_dir=tmp_path, host={"doom": {1: [6]}, "room": 2})
    same(expected, agents)  # an island that was lost has done everything again
    with pytest.warns(RuntimeWarning, match="episodes start anew"):
        run(islands.make, env=kind(8), resume=at(tmp_path, 20))


def test_islands_with_one_stream_each(islands):
    """The first is seeded as the whole would be; the others are not like it."""
    agents, _, _ = run(islands.make, env=SharedEnv(8, seed=5), host={"room": 4})
    assert len({float(agent.sum.sum()) for agent in agents}) == 4
    alone, _, _ = run(islands.make, env=SharedEnv(8, seed=5), host={"room": 1})
    whole, _, _ = run(SequentialTrainer, env=SharedEnv(8, seed=5))
    same(whole, alone)


def test_members_are_dealt_out_evenly_and_in_order(islands):
    _, _, trainer = run(islands.make, cfg={"islands": 3})
    assert [number for number, _ in trainer.host.started] == [0, 1, 2]
    with pytest.raises(ConfigError, match="islands=5, but there are 4 members"):
        run(islands.make, cfg={"islands": 5})


@pytest.mark.parametrize(
    ("cfg", "words"),
    [
        ({"islands": 0}, 'at least 1, or "auto"'),
        ({"inside": "sequentail"}, "did you mean 'sequential'"),
        ({"inside_cfg": {"timesteps": 3}}, "takes it from the islands' own settings"),
        ({"inside_cfg": {"headless": True}}, "takes it from the islands' own settings"),
        ({"inside_cfg": {"processes": 3}}, "processes"),
        ({"stretch": 0}, "at least 1"),
    ],
)
def test_settings_are_checked_before_anything_starts(islands, cfg, words):
    env = CountingEnv(8)
    with pytest.raises(Exception, match=words):
        islands.make(env, agents=agents_for(env), cfg={**CFG, **cfg})


def test_an_environment_that_nobody_can_make_again_is_refused(islands):
    env = CountingEnv(8)
    with pytest.raises(ConfigError, match=r"nobody knows how; make it with coterie.make_env"):
        islands.LocalTrainer(env=env, agents=agents_for(env))


def test_what_stands_for_the_environment_is_not_stepped(islands):
    env = far_env(CountingEnv, 8)
    assert (env.num_envs, env.template.num_envs) == (8, 1)
    with pytest.raises(TrainerStateError, match="only their trainer"):
        env.reset()
    with pytest.raises(TrainerStateError, match="only their trainer"):
        env.step(torch.zeros(8))
    with pytest.raises(TrainerStateError, match="no island"):
        env.state_dict()


def test_an_agent_that_can_not_travel_is_named(islands):
    from coterie import WorkerStartError

    env = CountingEnv(8)
    agents = agents_for(env)
    agents[2].lock = threading.Lock()
    with pytest.raises(WorkerStartError, match=r"agent 2 \('lean-sum-2'\).* agent.lock") as caught:
        islands.make(env, agents=agents, cfg=CFG).train()
    assert caught.value.phase == "start"
    with pytest.raises(TypeError):
        pickle.dumps(agents[2].lock)


def test_what_an_environment_raises_names_its_island(islands):
    from coterie.testing import BrokenEnv

    env = BrokenEnv(8, at=11, how="raise")  # every part does, and the last to come is told
    with pytest.raises(RuntimeError, match="fell over") as caught:
        run(islands.make, env=env, cfg={"stretch": 4})
    notes = "\n".join(caught.value.__notes__)
    assert "on island 1 (lean-sum-2, sum-3)" in notes
    assert "at step 11" in notes


class Stops(Controller):
    """Stops one member, later another."""

    kind = "stops"

    def due(self, timestep):
        return timestep in (9, 21)

    def act(self, population):
        population.stop({0 if population.timestep == 9 else 3: "enough"})


def test_members_stop_at_the_same_timesteps_after_losses_too(islands):
    expected, told, _ = run(SequentialTrainer, controllers=[Stops()])
    agents, summary, trainer = run(
        islands.make,
        controllers=[Stops()],
        cfg={"stretch": 4},
        host={"doom": {0: [5], 1: [9]}, "room": 2},
    )
    same(expected, agents)
    assert [m.status for m in summary.members] == [m.status for m in told.members]
    assert len(trainer.host.started) == 4


def test_the_time_of_exchanges_is_told(islands):
    _, summary, _ = run(islands.make)
    assert 0 <= summary.time_shares["members/exchange"] <= 1
    assert summary.time_shares["environment"] > 0
