"""Islands that are lost are started anew, and the members end as if nothing had been."""

import random
from functools import cache

import pytest

from coterie import Controller, SequentialTrainer, WorkerDied
from coterie.testing import (
    CountingEnv,
    GlobalDrawAgent,
    LeanSumAgent,
    RaisingAgent,
    SumAgent,
    assert_same_state,
)

KINDS = (SumAgent, GlobalDrawAgent, LeanSumAgent, SumAgent)
CFG = {"timesteps": 40, "disable_progressbar": True, "metrics_interval": 8}


def agents_for(env):
    return [
        kind(observation_space=env.observation_space, action_space=env.action_space, seed=seed)
        for seed, kind in enumerate(KINDS)
    ]


@cache
def undisturbed():
    """What all are held against; nothing here changes it."""
    env = CountingEnv(8)
    agents = agents_for(env)
    with SequentialTrainer(env=env, agents=agents, cfg=CFG) as trainer:
        summary = trainer.train()
    return agents, summary


def disturbed(islands, doom, tmp_path=None, runs=1, **cfg):
    env = CountingEnv(8)
    agents = agents_for(env)
    settings = {**CFG, "stretch": 3, **cfg}
    trainer = islands.make(
        env, agents=agents, cfg=settings, run_dir=tmp_path, host={"doom": doom, "room": 3}
    )
    with trainer:
        for _ in range(runs):
            summary = trainer.train()
        started = trainer.host.started
    return agents, summary, started


def same(left, right):
    for one, other in zip(left, right, strict=True):
        assert_same_state(one.state_dict(), other.state_dict())


@pytest.mark.parametrize("at", [0, 1, 2, 3, 7, 12, 15])
@pytest.mark.parametrize("saved", [False, True])
def test_an_island_is_lost_at_any_call(islands, tmp_path, at, saved, caplog):
    cfg = {"checkpoints": {"interval": 10}}
    run = tmp_path if saved else None
    agents, summary, started = disturbed(islands, {1: [at]}, run, **cfg)
    expected, normal = undisturbed()
    same(expected, agents)
    assert [m.mean_return for m in summary.members] == [m.mean_return for m in normal.members]
    assert [m.episodes for m in summary.members] == [m.episodes for m in normal.members]
    assert started[3:] == [(1, True)]
    (lost,) = [text for text in caplog.messages if "lost" in text]
    assert "island 1 (lean" in lost or "island 1 (global" in lost
    assert "on node 1" in lost
    assert "struck by lightning" in lost
    assert ("(1 of 3)" if at else "(for up to 180 s)") in lost


def test_islands_are_lost_again_and_again(islands, tmp_path):
    expected, _ = undisturbed()
    for seed in range(12):
        draw = random.Random(seed)
        doom = {n: [draw.randrange(12) for _ in range(draw.randrange(4))] for n in range(3)}
        run = tmp_path / str(seed) if draw.random() < 0.5 else None
        cfg = {"checkpoints": {"interval": draw.randrange(4, 20)}, "stretch": draw.randrange(1, 9)}
        agents, _, _ = disturbed(islands, doom, run, **cfg)
        same(expected, agents)


def test_a_run_goes_on_after_a_loss_and_is_written_the_same(islands, tmp_path):
    cfg = {"checkpoints": {"interval": 10}}
    agents, _, _ = disturbed(islands, {0: [4], 2: [9]}, tmp_path / "lost", runs=2, **cfg)
    calm, _, _ = disturbed(islands, {}, tmp_path / "calm", runs=2, **cfg)
    same(calm, agents)

    def rows(run):
        lines = (run / "metrics.csv").read_text().splitlines()
        return [line for line in lines if "time/" not in line]

    def without_seconds(lines):
        return [[cell for k, cell in enumerate(line.split(",")) if k != 2] for line in lines]

    assert without_seconds(rows(tmp_path / "lost")) == without_seconds(rows(tmp_path / "calm"))


def test_an_island_that_is_lost_for_good_ends_the_run(islands):
    with pytest.raises(WorkerDied, match=r"agent 2 .* island 1 .* struck") as caught:
        disturbed(islands, {1: [4, 3, 3, 3, 3]})
    assert caught.value.agent_index == 2


def test_an_island_that_is_lost_for_good_does_not_cost_the_others(islands):
    doom = {1: [6, 3, 3, 3, 3]}
    agents, summary, started = disturbed(islands, doom, on_member_failure="continue")
    expected, _ = undisturbed()
    states = [member.status for member in summary.members]
    assert states == ["trained", "trained", "failed", "trained"]
    assert "lightning" in summary.members[2].failure
    for index in (0, 1, 3):
        assert_same_state(expected[index].state_dict(), agents[index].state_dict())
    assert len(started) == 3 + 3


def test_an_evaluation_survives_a_loss(islands):
    env = CountingEnv(8)
    agents = agents_for(env)
    with islands.make(
        env, agents=agents, cfg={**CFG, "stretch": 3}, host={"doom": {0: [25], 1: [30]}, "room": 2}
    ) as trainer:
        trainer.train()
        summary = trainer.eval(episodes=9)
        trainer.train()
        assert len(trainer.host.started) > 2
    reference = agents_for(env)
    with SequentialTrainer(env=env, agents=reference, cfg=CFG) as trainer:
        trainer.train()
        expected = trainer.eval(episodes=9)
        trainer.train()
    same(reference, agents)
    assert [m.evaluation for m in summary.members] == [m.evaluation for m in expected.members]
    assert summary.timesteps == expected.timesteps


def test_an_island_that_never_starts_does_not_cost_the_others(islands):
    cfg = {"on_member_failure": "continue", "restarts": 0}
    agents, summary, _ = disturbed(islands, {1: [0]}, runs=1, **cfg)
    expected, _ = undisturbed()
    assert [m.status for m in summary.members] == ["trained", "trained", "failed", "trained"]
    for index in (0, 1, 3):
        assert_same_state(expected[index].state_dict(), agents[index].state_dict())


def test_a_lost_island_takes_part_in_the_next_run(islands):
    cfg = {"on_member_failure": "continue", "restarts": 0}
    _, summary, _ = disturbed(islands, {1: [6]}, runs=2, **cfg)
    assert [m.status for m in summary.members] == ["trained"] * 4


def test_a_node_that_is_thought_to_be_there_costs_no_restarts(islands):
    """Starts without an answer are no restarts."""
    agents, _, started = disturbed(islands, {1: [5, 0, 0, 6, 0, 0, 7]}, restarts=3)
    expected, _ = undisturbed()
    same(expected, agents)
    assert len(started) == 3 + 7


def test_an_island_that_can_not_be_started_is_given_up_in_time(islands):
    cfg = {"on_member_failure": "continue", "start_timeout": 1.0}
    agents, summary, started = disturbed(islands, {1: [6, *[0] * 99]}, **cfg)
    expected, _ = undisturbed()
    assert [m.status for m in summary.members] == ["trained", "trained", "failed", "trained"]
    for index in (0, 1, 3):
        assert_same_state(expected[index].state_dict(), agents[index].state_dict())
    assert 3 + 2 <= len(started) < 3 + 9


class Meddler(Controller):
    """Changes a member, gives another its own state back, and copies the first to the last."""

    kind = "meddler"

    def due(self, timestep):
        return timestep in (9, 21)

    def act(self, population):
        first, second, _, fourth = population.members
        population.reconfigure(first, {"scale": 1.0 + population.timestep})
        population.restore(second, population.snapshot([second])[1], {})
        learned = population.snapshot([first], learned=True)[0]
        population.restore(fourth, learned, population.settings(first))


@pytest.mark.parametrize("interval", [None, 7])
def test_what_controllers_did_is_done_again(islands, tmp_path, interval):
    cfg = {**CFG, "checkpoints": {"interval": interval}}
    env = CountingEnv(8)
    expected = agents_for(env)
    with SequentialTrainer(env=env, agents=expected, cfg=CFG, controllers=[Meddler()]) as trainer:
        trainer.train()
    for seed in range(6):
        draw = random.Random(seed)
        doom = {n: [draw.randrange(4, 20), draw.randrange(4, 12)] for n in range(3)}
        agents = agents_for(env)
        trainer = islands.make(
            env,
            agents=agents,
            cfg={**cfg, "stretch": 4},
            controllers=[Meddler()],
            host={"doom": doom, "room": 3},
            run_dir=None if interval is None else tmp_path / str(seed),
        )
        with trainer:
            trainer.train()
        same(expected, agents)


def test_a_member_that_failed_before_its_island_was_lost_stays_failed(islands, tmp_path):
    env = CountingEnv(8)

    def with_a_bad_one():
        agents = agents_for(env)
        agents[1] = RaisingAgent(
            observation_space=env.observation_space,
            action_space=env.action_space,
            seed=1,
            cfg={"phase": "act", "at": 5},
        )
        return agents

    cfg = {**CFG, "on_member_failure": "continue", "checkpoints": {"interval": 10}}
    expected = with_a_bad_one()
    with SequentialTrainer(env=env, agents=expected, cfg=cfg) as trainer:
        told = trainer.train()
    for seed in range(4):
        agents = with_a_bad_one()
        trainer = islands.make(
            env,
            agents=agents,
            cfg={**cfg, "stretch": 4},
            host={"doom": {0: [5 + 2 * seed, 6]}, "room": 2},
            run_dir=tmp_path / str(seed),
        )
        with trainer:
            summary = trainer.train()
        same([expected[k] for k in (0, 2, 3)], [agents[k] for k in (0, 2, 3)])
        assert [m.status for m in summary.members] == [m.status for m in told.members]
        assert [m.failed_at for m in summary.members] == [m.failed_at for m in told.members]


@pytest.mark.parametrize("at", range(10, 22, 2))
def test_an_island_lost_for_good_at_any_time_costs_its_members_only(islands, tmp_path, at):
    """Also while it is asked for its state, or when all timesteps are done."""
    cfg = {"on_member_failure": "continue", "restarts": 0, "checkpoints": {"interval": 10}}
    agents, summary, _ = disturbed(islands, {1: [at]}, tmp_path, **cfg)
    expected, _ = undisturbed()
    for index in (0, 1, 3):
        assert_same_state(expected[index].state_dict(), agents[index].state_dict())
    assert [summary.members[k].status for k in (0, 1, 3)] == ["trained"] * 3


def test_all_islands_are_lost(islands):
    cfg = {"on_member_failure": "continue", "restarts": 0}
    with pytest.raises(WorkerDied) as caught:
        disturbed(islands, {0: [4], 1: [6], 2: [8]}, **cfg)
    assert "every member has failed" in caught.value.__notes__ or "island" in str(caught.value)
