"""Stacks inside worker processes: `parallel` with the executor of another trainer in each."""

import logging
import os
import signal
from typing import Any

import pytest

from coterie import ConfigError, PluginNotFound, Trainer, WorkerDied, WorkerRaised
from coterie.testing import CountingEnv, RaisingAgent, SumAgent, TrainerSuite, assert_same_state
from coterie_backends_mp import ParallelTrainer, WorkerServer

STACKS = {"inside": "fused", "processes": 2, "threads": 1}
SETTINGS = {"timesteps": 20, "disable_progressbar": True, "headless": True, **STACKS}


@pytest.fixture(scope="module", autouse=True)
def _warm_server():
    with WorkerServer():
        yield


class TestFusedInside(TrainerSuite):
    def make_trainer(self, **arguments: Any) -> Trainer:
        cfg = {**STACKS, **arguments.pop("cfg", {})}
        return ParallelTrainer(**arguments, cfg=cfg)


class InfinityEnv(CountingEnv):
    """Gives one instance an infinite reward at some step."""

    def step(self, actions):
        self.count = getattr(self, "count", 0) + 1
        observations, rewards, *rest = super().step(actions)
        if self.count == 8:
            rewards[3] = float("inf")
        return observations, rewards, *rest


class InfosEnv(CountingEnv):
    """Tells every instance its number."""

    def step(self, actions):
        *rest, infos = super().step(actions)
        return *rest, {**infos, "number": list(range(self.num_envs))}


class InfosAgent(SumAgent):
    """Remembers what infos told."""

    uses_infos = True
    numbers: Any = ()

    def record_transition(self, transition, **at):
        super().record_transition(transition, **at)
        self.numbers = transition.infos["number"]

    def state_dict(self):
        return {**super().state_dict(), "numbers": list(self.numbers)}

    def load_state_dict(self, state):
        super().load_state_dict(state)
        self.numbers = state["numbers"]


class DoomedAgent(SumAgent):
    """Kills its process at some step."""

    def act(self, observations, *, timestep, **rest):
        if timestep == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().act(observations, timestep=timestep, **rest)


def train(env, agents, *, scopes=None, runs=1, **cfg):
    with ParallelTrainer(env=env, agents=agents, scopes=scopes, cfg={**SETTINGS, **cfg}) as trainer:
        for _ in range(runs):
            trainer.train()
    return trainer


def population(tools, seeds, **cfg):
    env = tools.env(2 * len(seeds))
    return env, [tools.agent(env, seed, **cfg) for seed in seeds]


def of(kind, env, seed):
    return kind(observation_space=env.observation_space, action_space=env.action_space, seed=seed)


@pytest.mark.parametrize("processes", [1, 2])
def test_turns_inside_give_the_bits_of_sequential(tools, processes):
    env, agents = population(tools, range(3))
    train(env, agents, processes=processes, inside="sequential", runs=2)
    own, expected = population(tools, range(3))
    tools.train("sequential", own, expected, 20, runs=2)
    for mine, other in zip(agents, expected, strict=True):
        assert_same_state(mine.state_dict(), other.state_dict())


@pytest.mark.parametrize("runs", [1, 2])
@pytest.mark.parametrize("processes", [1, 2])
def test_each_stack_gives_the_bits_of_fused_alone(tools, processes, runs):
    env, agents = population(tools, range(4), observation_normalization=True)
    train(env, agents, processes=processes, runs=runs)
    size = 4 // processes
    for first in range(0, 4, size):
        seeds = range(first, first + size)
        own, alone = population(tools, seeds, observation_normalization=True)
        tools.train("fused", own, alone, 20, runs=runs)
        for mine, other in zip(agents[first:], alone, strict=False):
            assert_same_state(mine.state_dict(), other.state_dict())


def test_agents_that_can_not_be_stacked_have_their_turn(tools, caplog):
    env, agents = population(tools, range(5))
    agents[2] = of(SumAgent, env, 2)
    with caplog.at_level(logging.INFO, "coterie"):
        train(env, agents, runs=2)
    assert caplog.text.count("process 0: stacked (2): ppo-0, ppo-1") == 1
    alone = "process 0: on its own: sum-2: agents of class SumAgent can't be stacked"
    assert alone in caplog.text
    assert "process 1: stacked (2): ppo-3, ppo-4" in caplog.text
    single = tools.env(2)
    expected = of(SumAgent, single, 2)
    tools.train("sequential", single, [expected], 20, runs=2)
    assert_same_state(agents[2].state_dict(), expected.state_dict())


def test_a_member_of_a_stack_fails_alone(tools):
    env = InfinityEnv(8)
    agents = [tools.agent(env, seed, observation_normalization=True) for seed in range(4)]
    trainer = train(env, agents, on_member_failure="continue", non_finite="ignore")
    assert [m.status for m in trainer.members] == ["active", "failed", "active", "active"]
    failure = trainer.members[1].failure
    assert isinstance(failure, WorkerRaised)
    assert (failure.phase, failure.timestep) == ("post_interaction", 11)
    assert "agent 1 ('ppo-1') raised NonFiniteLoss" in str(failure)
    assert failure.pid not in (None, os.getpid())
    own, well = population(tools, range(4), observation_normalization=True)
    train(own, well)
    for index in (0, 2, 3):
        assert_same_state(agents[index].state_dict(), well[index].state_dict())


def test_the_first_failure_is_raised(tools):
    env = InfinityEnv(8)
    agents = [tools.agent(env, seed) for seed in range(4)]
    with pytest.raises(WorkerRaised, match=r"agent 1 \('ppo-1'\) raised NonFiniteLoss") as caught:
        train(env, agents, non_finite="ignore")
    assert "NonFiniteLoss" in caught.value.remote_traceback
    assert all(agents[index].state_dict()["updates"] == 2 for index in (0, 2, 3))


def test_who_shares_a_process_dies_with_it():
    env = CountingEnv(8)
    agents = [
        of(kind, env, i) for i, kind in enumerate((SumAgent, SumAgent, DoomedAgent, SumAgent))
    ]
    trainer = train(env, agents, on_member_failure="continue")
    assert [m.status for m in trainer.members] == ["active", "active", "failed", "failed"]
    for member in trainer.members[2:]:
        assert isinstance(member.failure, WorkerDied)
        assert (member.failure.signal, member.failure.timestep) == ("SIGKILL", 4)


def test_a_member_that_raises_in_setup_is_named():
    env = CountingEnv(8)
    agents = [of(SumAgent, env, seed) for seed in range(4)]
    agents[3] = RaisingAgent(
        observation_space=env.observation_space,
        action_space=env.action_space,
        seed=3,
        cfg={"phase": "setup"},
    )
    with pytest.raises(WorkerRaised, match=r"agent 3 \('raising-3'\) raised .* in setup"):
        train(env, agents)


def test_infos_are_cut_to_the_members():
    env = InfosEnv(8)
    agents = [of(InfosAgent, env, seed) for seed in range(4)]
    train(env, agents, timesteps=4)
    assert [agent.numbers for agent in agents] == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_guards_stay_whole_and_name_the_process(tools):
    env, agents = population(tools, range(4))
    train(env, agents, debug=True)


@pytest.mark.parametrize(
    ("cfg", "error", "text"),
    [
        ({"inside": "fusd"}, PluginNotFound, "fused"),
        ({"inside": "parallel"}, ConfigError, "'parallel' can't run inside worker processes"),
        ({"inside_cfg": {"smalest_stack": 3}}, ConfigError, "smallest_stack"),
        ({"inside_cfg": {"timesteps": 3}}, ConfigError, "inside_cfg.timesteps"),
    ],
)
def test_what_can_not_be_is_refused_before_anything_starts(tools, cfg, error, text):
    env, agents = population(tools, range(2))
    with pytest.raises(error, match=text):
        ParallelTrainer(env=env, agents=agents, cfg={**SETTINGS, **cfg})
