"""What watches a run needs no more memory the longer it lasts."""

import gc
import tracemalloc

import pytest
import torch

from coterie import MemberInfo, MetricRow, RunInfo, Transition
from coterie._loggers.build import check_loggers, make_loggers
from coterie._progress.interface import MemberView, View
from coterie._progress.state import state_of
from coterie._runs.episodes import EpisodeTracker
from coterie._runs.info_scalars import InfoScalars

NUM, ACTORS = 4, ("left", "right")


def growth(step, warm=500, steps=6000):
    """Bytes that are held after many steps more than after a few."""
    for _ in range(warm):
        step()
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(warm):
            step()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(steps):
            step()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def transition(team=False):
    def per_actor(tensor):
        return dict.fromkeys(ACTORS, tensor) if team else tensor

    done = torch.ones(NUM, dtype=torch.bool)
    return Transition(
        observations=None,
        actions=None,
        rewards=per_actor(torch.ones(NUM)),
        next_observations=None,
        terminated=per_actor(done),
        truncated=per_actor(~done),
        valid=per_actor(done),
        ended=done if team else None,
    )


@pytest.mark.parametrize("team", [False, True])
def test_episodes_without_end_between_two_metrics(team):
    scopes = [slice(0, 2), slice(2, NUM)]
    tracker = EpisodeTracker(scopes, NUM, torch.device("cpu"), ACTORS if team else ())
    step = transition(team)
    assert growth(lambda: tracker.update(step)) < 5_000
    found = tracker.members[0].take_new()
    assert found["episode/count"] == 2 * 7000
    assert found["episode/return"] == 1.0


def test_what_an_environment_reports():
    infos = InfoScalars("episode", [slice(0, 2), slice(2, NUM)], NUM)
    report = {"episode": {"x": torch.ones(NUM), "y": 2.0}}
    assert growth(lambda: infos.update(report)) < 5_000
    assert infos.take()[0] == {"info/x": 1.0, "info/y": 2.0}


def test_files_of_metrics(tmp_path, run_info):
    loggers = make_loggers(check_loggers(["jsonl"], True), run_info(tmp_path))
    row = MetricRow(timestep=1, env_steps=1, wall_time=0.5, member="a", name="x", value=0.5)
    assert growth(lambda: loggers.write([row]), warm=100, steps=2000) < 5_000
    loggers.close()


def test_the_live_table(tmp_path, run_info):
    state = state_of(run_info(tmp_path))
    views = View(members=[MemberView("active", 1.0)], shares={"environment": 1.0})

    def step():
        state.see(views)
        state.take([])

    assert growth(step) < 10_000


@pytest.fixture
def run_info():
    def make(directory):
        member = MemberInfo(
            index=0, name="a", kind="k", seed=0, scope=(0, NUM), device="cpu", settings={}
        )
        return RunInfo(
            mode="train",
            trainer="t",
            environment="e",
            num_envs=NUM,
            first_timestep=0,
            timesteps=9,
            members=(member,),
            directory=directory,
        )

    return make
