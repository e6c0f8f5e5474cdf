"""Evaluation over a number of episodes: which are counted, when it ends, what they come to."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from coterie import ConfigError, SequentialTrainer, VectorEnv
from coterie._runs.counted import CountedEpisodes
from coterie._runs.results import episode_results, shares
from coterie.testing import CountingTeamEnv, RaisingAgent, SumAgent, SumTeam, agents_for


class LengthsEnv(VectorEnv):
    """Instance k's episodes have the lengths that row k of a table says, again and again.

    The reward of a step is the length of its episode, so that the return is its square.
    """

    name = "testing:Lengths"
    independent_streams = True

    def __init__(self, table):
        self.table = [list(row) for row in table]
        self.num_envs, self.device = len(table), torch.device("cpu")
        self.observation_space = spaces.Box(-np.inf, np.inf, (1,), np.float32)
        self.action_space = spaces.Discrete(2)
        self.steps_made = 0

    def reset(self, *, seed=None, options=None):
        self.episode, self.step_of = [0] * self.num_envs, [0] * self.num_envs
        return torch.zeros(self.num_envs, 1), {}

    def step(self, actions):
        self.steps_made += 1
        rewards, done = [], []
        for k, row in enumerate(self.table):
            length = row[self.episode[k] % len(row)]
            self.step_of[k] += 1
            rewards.append(float(length))
            done.append(self.step_of[k] == length)
            if done[-1]:
                self.episode[k], self.step_of[k] = self.episode[k] + 1, 0
        observations = torch.zeros(self.num_envs, 1)
        over = torch.tensor(done)
        infos = {"final_obs": observations}
        return observations, torch.tensor(rewards), over, torch.zeros_like(over), infos


def trainer(env, *classes, scopes=None, timesteps=200, **cfg):
    settings = {"timesteps": timesteps, "headless": True, "disable_progressbar": True, **cfg}
    agents = agents_for(env, *classes or (SumAgent,))
    return SequentialTrainer(env=env, agents=agents, scopes=scopes, cfg=settings)


def test_each_instance_gives_its_share_however_long_its_episodes_are():
    """In 18 steps instance 0 plays 18 episodes; the first four to end would all be its own."""
    env = LengthsEnv([[1], [9]])
    (member,) = trainer(env).eval(episodes=4).members
    found = member.evaluation
    assert found.returns == (1.0, 1.0, 81.0, 81.0)
    assert found.lengths == (1, 1, 9, 9)
    assert found.instances == (0, 0, 1, 1)
    assert (found.mean, member.mean_return) == (41.0, 41.0)
    assert (member.episodes, member.mean_length) == (4, 5.0)
    assert 18 <= env.steps_made <= 19


def test_the_first_instances_give_one_more_where_it_does_not_come_out_even():
    env = LengthsEnv([[2, 3], [4], [5]])
    (member,) = trainer(env).eval(episodes=5).members
    assert member.evaluation.lengths == (2, 3, 4, 4, 5)


def test_fewer_episodes_than_instances_come_from_the_first_ones():
    (member,) = trainer(LengthsEnv([[7], [2], [1]])).eval(episodes=2).members
    assert member.evaluation.lengths == (7, 2)


def test_each_member_has_its_own_and_all_are_waited_for():
    env = LengthsEnv([[1], [2], [10], [3]])
    first, second = trainer(env, SumAgent, SumAgent, scopes=[2, 2]).eval(episodes=3).members
    assert first.evaluation.lengths == (1, 1, 2)
    assert second.evaluation.lengths == (10, 10, 3)
    assert 20 <= env.steps_made <= 21


def test_the_time_limit_ends_it_and_what_is_missing_is_told():
    summary = trainer(LengthsEnv([[1], [9]]), timesteps=12).eval(episodes=4)
    (member,) = summary.members
    assert summary.timesteps == 12
    assert member.evaluation.lengths == (1, 1, 9)
    assert not member.evaluation.complete
    assert "3 of 4 episodes ended in 12 timesteps" in str(summary)


def test_a_member_that_failed_is_not_waited_for():
    env = LengthsEnv([[2], [2]])
    population = trainer(env, RaisingAgent, SumAgent, on_member_failure="continue")
    failed, fine = population.eval(episodes=3).members
    assert (failed.status, fine.status) == ("failed", "evaluated")
    assert fine.evaluation.complete
    assert failed.evaluation.lengths == (2,)  # it failed at step 3, and acts at random since
    assert env.steps_made <= 8


def test_no_episode_at_all_is_told_too():
    summary = trainer(LengthsEnv([[50]]), timesteps=5).eval(episodes=2)
    (member,) = summary.members
    assert (member.evaluation.mean, member.mean_return, member.episodes) == (None, None, 0)
    assert "0 of 2 episodes" in str(summary)


def test_without_a_number_all_timesteps_are_made_as_ever():
    env = LengthsEnv([[1], [9]])
    (member,) = trainer(env, timesteps=18).eval().members
    assert env.steps_made == 18
    assert member.evaluation is None
    assert member.episodes == 20
    assert "steps/s" in str(trainer(env, timesteps=18).eval())


@pytest.mark.parametrize("episodes", [0, -1, True, 2.5, "3"])
def test_what_is_no_number_of_episodes_is_refused(episodes):
    with pytest.raises(ConfigError, match="episodes must be a number of at least 1"):
        trainer(LengthsEnv([[1]])).eval(episodes=episodes)


def test_training_goes_on_as_if_there_had_been_no_evaluation():
    population = trainer(LengthsEnv([[3], [4]]), timesteps=5)
    population.train()
    population.eval(episodes=2)
    assert population.train().timesteps == 5
    assert population.timestep == 10


def test_teams_are_counted_too():
    env = CountingTeamEnv(2)
    agents = agents_for(env, SumTeam)
    cfg = {"timesteps": 300, "headless": True, "disable_progressbar": True}
    with SequentialTrainer(env=env, agents=agents, cfg=cfg) as population:
        (member,) = population.eval(episodes=3).members
    assert member.evaluation.instances == (0, 0, 1)
    assert member.evaluation.complete


def test_pictures_are_handed_over_until_they_are_no_longer_wanted():
    env = LengthsEnv([[4], [4]])
    drawn, names, seen = [], [], []
    env.render = lambda: (drawn.append(1), names.append(dict(env.captions)), len(drawn))[2]
    summary = trainer(env).eval(
        episodes=4, on_picture=lambda picture: (seen.append(picture), len(seen) < 3)[1]
    )
    assert seen == [1, 2, 3]
    assert len(drawn) == 3
    assert summary.members[0].evaluation.complete
    assert names[0] == {"sum-0": range(2)}
    assert env.captions == {}


@pytest.mark.parametrize(
    ("episodes", "instances", "expected"),
    [(4, 2, [2, 2]), (5, 2, [3, 2]), (1, 3, [1, 0, 0]), (7, 3, [3, 2, 2]), (3, 3, [1, 1, 1])],
)
def test_shares(episodes, instances, expected):
    assert shares(episodes, instances) == expected


def test_what_episodes_come_to():
    """1 to 9: a quarter of nine is two, so the interquartile mean is that of 3 to 7."""
    returns = [9.0, 1.0, 8.0, 2.0, 7.0, 3.0, 6.0, 4.0, 5.0]
    found = episode_results(9, returns, [1] * 9, [0] * 9)
    assert (found.mean, found.median, found.iqm) == (5.0, 5.0, 5.0)
    assert (found.minimum, found.maximum) == (1.0, 9.0)
    assert found.std == pytest.approx(7.5**0.5)
    skewed = episode_results(4, [0.0, 1.0, 3.0, 100.0], [1, 2, 3, 4], [0] * 4)
    assert (skewed.mean, skewed.median, skewed.iqm, skewed.mean_length) == (26.0, 2.0, 2.0, 2.5)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 8, 11])
def test_statistics_agree_with_numpy_and_scipy(number):
    values = np.random.default_rng(number).normal(size=number) * 100
    found = episode_results(number, values.tolist(), [1] * number, [0] * number)
    assert found.mean == pytest.approx(values.mean())
    assert found.median == pytest.approx(np.median(values))
    cut = int(0.25 * number)
    assert found.iqm == pytest.approx(np.sort(values)[cut : number - cut].mean())
    if number > 1:
        assert found.std == pytest.approx(values.std(ddof=1))
    else:
        assert found.std is None
    stats = pytest.importorskip("scipy.stats")
    assert found.iqm == pytest.approx(stats.trim_mean(values, 0.25))


def test_rows_are_told_from_where_the_scope_begins():
    own = CountedEpisodes(2, slice(10, 12))
    own.add(1.0, 3, 11)
    own.add(2.0, 3, 11)
    assert not own.complete
    own.add(5.0, 4, 10)
    assert own.complete
    assert own.results.returns == (5.0, 1.0)
    assert own.mean_length == 3.5
