"""Returns, lengths and infos of teams, per team and per actor."""

import pytest
import torch

from coterie import SequentialTrainer, Transition
from coterie._runs.episodes import EpisodeTracker, _TeamCounter
from coterie._runs.info_scalars import InfoScalars
from coterie.testing import CountingTeamEnv, MemoryTeam, agents_for


def step(rewards, valid, ended):
    by_actor = {"a": torch.tensor(rewards["a"]), "b": torch.tensor(rewards["b"])}
    return Transition(
        observations=(),
        actions=(),
        rewards=by_actor,
        next_observations=(),
        terminated={},
        truncated={},
        valid={actor: torch.tensor(own) for actor, own in valid.items()},
        ended=torch.tensor(ended),
    )


def steps():
    yes = [True, True]
    yield step({"a": [1.0, 10.0], "b": [3.0, 30.0]}, {"a": yes, "b": yes}, [False, False])
    yield step({"a": [2.0, 0.0], "b": [0.0, 20.0]}, {"a": yes, "b": [False, True]}, [True, False])
    yield step({"a": [5.0, 0.0], "b": [7.0, 5.0]}, {"a": [True, False], "b": yes}, [True, True])


def check(tracker):
    first, second = tracker.members
    assert (list(first.returns), list(first.lengths)) == ([3.0, 6.0], [2, 1])
    assert (list(second.returns), list(second.lengths)) == ([32.5], [3])
    assert first.take_new() == {
        "episode/return": 4.5,
        "episode/length": 1.5,
        "episode/count": 2.0,
        "episode/return/a": 4.0,
        "episode/length/a": 1.5,
        "episode/return/b": 5.0,
        "episode/length/b": 1.0,
    }
    assert first.take_new() == {}
    found = second.take_new()
    assert (found["episode/length/a"], found["episode/return/b"]) == (2.0, 55.0)


def test_the_return_of_a_team_is_the_mean_over_its_actors():
    tracker = EpisodeTracker([slice(0, 1), slice(1, 2)], 2, torch.device("cpu"), ("a", "b"))
    for transition in steps():
        tracker.update(transition)
    check(tracker)


def test_ends_that_are_looked_up_late_count_the_same():
    tracker = EpisodeTracker([slice(0, 1), slice(1, 2)], 2, torch.device("cpu"), ("a", "b"))
    assert isinstance(tracker._counter, _TeamCounter)
    tracker._counter._on_host = False
    for transition in steps():
        tracker.update(transition)
    check(tracker)


def test_forgetting():
    tracker = EpisodeTracker([slice(0, 2)], 2, torch.device("cpu"), ("a", "b"))
    first, *others = steps()
    tracker.update(first)
    tracker.forget_unfinished()
    for transition in others:
        tracker.update(transition)
    assert list(tracker.members[0].returns) == [1.0, 6.0, 12.5]


def test_a_run_counts_what_actors_did_before_they_were_gone():
    env = CountingTeamEnv(3, together=False)
    (team,) = agents_for(env, MemoryTeam)
    cfg = {"timesteps": 40, "disable_progressbar": True}
    with SequentialTrainer(env=env, agents=team, cfg=cfg) as trainer:
        (found,) = trainer.train().members
    totals, returns = torch.zeros(3, 3), []
    for taken in team.transitions:
        totals += torch.stack([taken.rewards[a] * taken.valid[a] for a in env.actors])
        for row in taken.done.nonzero().flatten().tolist():
            returns.append(totals[:, row].mean().item())
            totals[:, row] = 0
    assert found.episodes == len(returns) > 10
    assert found.mean_return == pytest.approx(sum(returns) / len(returns), rel=1e-6)
    assert max(returns) < 1000  # what a gone actor is given never counts


def test_infos_by_actor():
    scalars = InfoScalars("episode", [slice(0, 1), slice(1, 3)], 3, ("a", "b"))
    by_actor = {"a": torch.tensor([1.0, 2.0, 4.0]), "b": 7.0, "c": 9.0}
    scalars.update({"episode": {"hits": by_actor, "x": torch.ones(3)}})
    first, second = scalars.take()
    assert first == {"info/hits/a": 1.0, "info/hits/b": 7.0, "info/x": 1.0}
    assert second == {"info/hits/a": 3.0, "info/hits/b": 7.0, "info/x": 1.0}


def test_infos_are_cut_to_the_scope():
    env = CountingTeamEnv(5)
    teams = agents_for(env, MemoryTeam, MemoryTeam)
    cfg = {"timesteps": 3, "disable_progressbar": True}
    SequentialTrainer(env=env, agents=teams, scopes=[1, 4], cfg=cfg).train()
    for team, rows in zip(teams, (1, 4), strict=True):
        infos = team.transitions[0].infos["episode"]
        assert infos["step"].shape == infos["by_actor"]["left"].shape == (rows,)
