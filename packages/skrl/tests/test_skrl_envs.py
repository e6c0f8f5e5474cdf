"""Environments in skrl's wrappers, behind Coterie's contract."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from skrl.envs.wrappers.torch import wrap_env
from skrl.envs.wrappers.torch.base import Wrapper
from skrl.utils import set_seed

import coterie
from coterie import ConfigError, EnvContractError
from coterie.testing import EnvSuite, TeamEnvSuite
from coterie_skrl import SequentialTrainer, SkrlEnv, SkrlTeamEnv, adapt


def cfg(timesteps, **settings):
    return {"timesteps": timesteps, "headless": True, "disable_progressbar": True, **settings}


@pytest.fixture(autouse=True)
def _zoo(request, zoo):
    if request.instance is not None:
        request.instance.zoo = lambda: zoo


class Reusing(Wrapper):
    """A simulator on tensors that writes every observation to the same one, and tells scalars."""

    def __init__(self, num_envs, tells_ends=True):
        self.tells_ends = tells_ends
        super().__init__(SimpleNamespace(num_envs=num_envs))
        self.buffer = torch.zeros(num_envs, 3)

    device = torch.device("cpu")
    state_space = None
    observation_space = spaces.Box(-99, 99, (3,), np.float32)
    action_space = spaces.Box(-1, 1, (2,), np.float32)

    def reset(self):
        self.buffer.zero_()
        return self.buffer, {}

    def step(self, actions):
        self.buffer[:, 0] += 1
        self.buffer[:, 1:] = actions
        done = self.buffer[:, 0] >= torch.arange(3, 3 + self.num_envs)
        infos = {
            "episode": {"mean/speed": torch.tensor(2.5), "count": torch.tensor([4.0])},
            "place": self.buffer[:, 0].clone(),
        }
        if self.tells_ends:
            infos["final_obs"] = self.buffer.clone()
        self.buffer[done] = 0
        flags = torch.zeros(self.num_envs, 1, dtype=torch.bool), done[:, None]
        return self.buffer, self.buffer[:, :1].clone(), *flags, infos

    def state(self):
        return None

    def render(self, *_, **__):
        return None

    def close(self):
        pass


class TestSameStep(EnvSuite):
    timesteps = 40

    def make_env(self, num_envs, seed):
        return SkrlEnv(self.zoo().make_env("ppo", num_envs), seed=seed)


class TestResetAtOnce(EnvSuite):
    timesteps = 40

    def make_env(self, num_envs, seed):
        env = self.zoo().make_env("ppo_states", num_envs, mode=AutoresetMode.NEXT_STEP)
        return SkrlEnv(env, seed=seed)


class TestCartPoleAtOnce(EnvSuite):
    timesteps = 40

    def make_env(self, num_envs, seed):
        import gymnasium

        made = gymnasium.make_vec("CartPole-v1", num_envs, vectorization_mode="vector_entry_point")
        return SkrlEnv(wrap_env(made, verbose=False), seed=seed)


class TestTeams(TeamEnvSuite):
    timesteps = 40

    def make_env(self, num_envs, seed):
        env = self.zoo().env_for("mappo", num_envs)
        env._unwrapped.generator.manual_seed(seed)
        return SkrlTeamEnv(env, seed=seed)

    def test_same_seed_same_episodes(self):
        """The wrapper gives no way to seed its environment."""

    def test_resetting_with_a_seed_starts_over(self):
        """The wrapper gives no way to seed its environment."""


def test_observations_are_not_aliased(zoo, tmp_path):
    """A simulator that reuses its tensor never makes two observations one."""
    set_seed(3)
    env = Reusing(4)
    agent = zoo.make_agent("sac", env, 4, tmp_path, observation_preprocessor=None)
    SequentialTrainer(env=env, agents=agent, cfg=cfg(9)).train()
    memory = agent.memory
    before, after = (
        memory.tensors[name][:9, :, 0] for name in ("observations", "next_observations")
    )
    assert torch.equal(after, before + 1)
    steps = torch.arange(9)[:, None] % torch.arange(3, 7)[None]
    assert torch.equal(before, steps.float())


def test_an_environment_that_does_not_tell_ends_is_warned_of(zoo, tmp_path):
    set_seed(3)
    env = Reusing(4, tells_ends=False)
    agent = zoo.make_agent("sac", env, 4, tmp_path, observation_preprocessor=None)
    trainer = SequentialTrainer(env=env, agents=agent, cfg=cfg(9))
    with pytest.warns(UserWarning, match="does not tell where a truncated episode ended"):
        trainer.train()
    after = agent.memory.tensors["next_observations"][:9, :, 0]
    assert bool((after > 0).all())  # never the first observation of the next episode


def test_environment_info_and_infos_of_the_scope(zoo, tmp_path):
    set_seed(3)
    env = Reusing(8)
    agents = [zoo.make_agent("ppo", env, 4, tmp_path, name=name, write=100) for name in "ab"]
    seen = []
    record = agents[1].record_transition
    agents[1].record_transition = lambda **step: (
        seen.append(step["infos"]["place"]),
        record(**step),
    )
    trainer = SequentialTrainer(env=env, agents=agents, cfg=cfg(3))
    trainer.train()
    assert agents[0].tracking_data["mean/speed"] == [2.5] * 3
    assert agents[1].tracking_data["Info / count"] == [4.0] * 3
    assert [tuple(places.tolist()) for places in seen] == [(k,) * 4 for k in (1.0, 2.0, 3.0)]


def test_other_environment_info(zoo, tmp_path):
    set_seed(3)
    env = Reusing(4)
    agent = zoo.make_agent("ppo", env, 4, tmp_path, write=100)
    SequentialTrainer(env=env, agents=agent, cfg=cfg(3, environment_info="log")).train()
    assert not any(tag.startswith(("Info", "mean")) for tag in agent.tracking_data)


@pytest.mark.parametrize("kind", ["ppo", "sac", "dqn"])
def test_one_instance_that_is_not_vectorised(kind, zoo, tmp_path):
    """It is reset when its episode ends, and twice training goes on with the episode."""
    ends = []
    for lengths in ((24,), (13, 11)):
        set_seed(3)
        env = wrap_env(zoo.Walk(zoo.actions_of(kind)), verbose=False)
        agent = zoo.make_agent(kind, env, 1, tmp_path)
        trainer = coterie.make_trainer(
            "step", env=coterie.wrap_env(env), agents=adapt(agent), cfg=cfg(lengths[0])
        )
        for length in lengths:
            trainer.finish()
            for _ in range(length):
                trainer.train()
        ends.append(zoo.everything(agent))
    assert zoo.differences(*ends) == []


@pytest.mark.parametrize("kind", ["ippo", "mappo"])
def test_two_teams_in_one_environment(kind, zoo, tmp_path):
    set_seed(3)
    env = zoo.env_for(kind, 8)
    teams = [zoo.make_team(kind, env, 4, tmp_path, name=name) for name in "ab"]
    before = [zoo.everything(team) for team in teams]
    trainer = SequentialTrainer(env=env, agents=teams, cfg=cfg(12))
    assert trainer.scopes == [(0, 4), (4, 8)]
    trainer.train()
    for team, state in zip(teams, before, strict=True):
        assert len(zoo.differences(state, zoo.everything(team))) > 20


@pytest.mark.parametrize("kind", ["ippo", "mappo"])
def test_a_pettingzoo_environment(kind, zoo, tmp_path):
    """One instance; both actors are there all the time."""
    from skrl.trainers.torch import SequentialTrainer as SkrlSequentialTrainer

    simple = pytest.importorskip("mpe2.simple_spread_v3")
    ends = []
    for trainer, use in ((SkrlSequentialTrainer, {}), (SequentialTrainer, {"faithful": True})):
        set_seed(3)
        made = simple.parallel_env(N=2, max_cycles=7, continuous_actions=True)
        env = wrap_env(made, wrapper="pettingzoo", verbose=False)
        team = zoo.make_team(kind, env, 1, tmp_path)
        trainer(env=env, agents=team, cfg=cfg(20), **use).train()
        ends.append(zoo.everything(team))
        env.close()
    assert zoo.differences(*ends) == []


def test_instances_of_one_stream_are_not_seeded_one_by_one(zoo):
    env = SkrlEnv(Reusing(4))
    assert not env.independent_streams
    env.reset(seed=4)
    made = coterie.wrap_env(zoo.env_for("mappo"))
    made.reset(seed=3)
    with pytest.raises(EnvContractError, match="not reset yet"):
        SkrlEnv(Reusing(4)).step(torch.zeros(4, 2))


def test_ids_of_gymnasium():
    env = coterie.make_env("skrl:CartPole-v1", num_envs=3, seed=2)
    assert isinstance(env, SkrlEnv)
    assert env.num_envs == 3
    with pytest.raises(ConfigError, match="skrl:CartPoll-v1"):
        coterie.make_env("skrl:CartPoll-v1", num_envs=3)
