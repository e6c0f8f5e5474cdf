"""Episodes are counted from rewards and flags alone."""

import pytest
import torch
from gymnasium.vector import AutoresetMode

from coterie import SequentialTrainer, Transition
from coterie._runs.episodes import EpisodeStatistics, EpisodeTracker
from coterie.testing import CountingEnv, SumAgent, agents_for


def step(rewards, terminated=(), truncated=(), invalid=()):
    count = len(rewards)

    def flags(rows):
        return torch.tensor([row in rows for row in range(count)])

    nothing = torch.zeros(count, 1)
    return Transition(
        observations=nothing,
        actions=nothing,
        rewards=torch.tensor(rewards),
        next_observations=nothing,
        terminated=flags(terminated),
        truncated=flags(truncated),
        valid=~flags(invalid),
        all_valid=not invalid,
    )


def tracker(*sizes):
    scopes, first = [], 0
    for size in sizes:
        scopes.append(slice(first, first + size))
        first += size
    return EpisodeTracker(scopes, first, torch.device("cpu"))


def test_by_hand():
    episodes = tracker(1, 2)
    episodes.update(step([1.0, 10.0, 100.0]))
    episodes.update(step([2.0, 20.0, 200.0], terminated=[0], truncated=[2]))
    episodes.update(step([4.0, 40.0, 400.0], terminated=[1, 2]))
    first, second = episodes.members
    assert (list(first.returns), list(first.lengths)) == ([3.0], [2])
    assert (list(second.returns), list(second.lengths)) == ([300.0, 70.0, 400.0], [2, 3, 1])
    assert (second.count, second.mean_return, second.mean_length) == (3, 770 / 3, 2)


def test_steps_that_only_reset_count_for_nothing():
    episodes = tracker(2)
    episodes.update(step([1.0, 1.0], terminated=[0]))
    episodes.update(step([50.0, 1.0], invalid=[0]))
    episodes.update(step([2.0, 1.0], terminated=[0, 1], invalid=[]))
    (member,) = episodes.members
    assert (list(member.returns), list(member.lengths)) == ([1.0, 2.0, 3.0], [1, 1, 3])


def test_both_flags_at_once_end_one_episode():
    episodes = tracker(1)
    episodes.update(step([5.0], terminated=[0], truncated=[0]))
    assert episodes.members[0].count == 1


def test_episodes_that_were_cut_are_forgotten():
    episodes = tracker(1)
    episodes.update(step([5.0]))
    episodes.forget_unfinished()
    episodes.update(step([1.0], terminated=[0]))
    assert list(episodes.members[0].returns) == [1.0]


def test_the_mean_is_of_the_last_hundred():
    statistics = EpisodeStatistics()
    assert (statistics.mean_return, statistics.take_new()) == (None, {})
    for number in range(150):
        statistics.add(float(number), 1)
    assert statistics.mean_return == sum(range(50, 150)) / 100
    new = statistics.take_new()
    assert new == {
        "episode/return": sum(range(150)) / 150,
        "episode/length": 1.0,
        "episode/count": 150.0,
    }
    assert statistics.take_new() == {}
    assert statistics.count == 150


def test_long_sums_are_exact():
    """Summed in float32, so many tenths would be off by a third."""
    episodes, tenth = tracker(1), step([0.1])
    for _ in range(20_000):
        episodes.update(tenth)
    episodes.update(step([0.1], terminated=[0]))
    assert episodes.members[0].mean_return == pytest.approx(20_001 * 0.1, abs=1e-3)


def expected_episodes(stream, timesteps, gap):
    """Lengths of the episodes that a counting instance ends within ``timesteps``."""
    lengths, left = [], timesteps
    while (length := 3 + stream % 4 + len(lengths) % 3) <= left:
        lengths.append(length)
        left -= length + gap
    return lengths


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_whole_run(mode):
    class Still(SumAgent):
        def act(self, observations, **_):
            return torch.zeros(self.num_envs, dtype=torch.int64)

    env = CountingEnv(5, autoreset_mode=mode, reset_reward=1000.0)
    agents = agents_for(env, Still, Still)
    cfg = {"timesteps": 60, "disable_progressbar": True}
    trainer = SequentialTrainer(env=env, agents=agents, scopes=[2, 3], cfg=cfg)
    summary = trainer.train()
    gap = 1 if mode is AutoresetMode.NEXT_STEP else 0
    streams = env.state_dict()["streams"].tolist()
    for member, rows in zip(summary.members, (streams[:2], streams[2:]), strict=True):
        lengths = [n for stream in rows for n in expected_episodes(stream, 60, gap)]
        returns = [n * (n + 1) / 2 for n in lengths]
        assert member.episodes == len(lengths)
        assert member.mean_length == pytest.approx(sum(lengths) / len(lengths))
        assert member.mean_return == pytest.approx(sum(returns) / len(returns))
        assert member.env_steps == 60 * len(rows)
