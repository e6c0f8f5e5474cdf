"""Isaac Lab's environments for several agents, by their documented interface."""

from __future__ import annotations

import types
import warnings
from contextlib import nullcontext
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

import coterie
from coterie import EnvContractError
from coterie.testing import SumTeam, TeamEnvSuite, agents_for
from coterie_envs import IsaacLabTeamEnv

LENGTH = 5

pytestmark = pytest.mark.filterwarnings("ignore:.*does not tell where an episode")


def box(size: int) -> spaces.Box:
    return spaces.Box(-np.inf, np.inf, (size,), np.float32)


class DirectMARLEnv(gymnasium.Env[Any, Any]):
    """Both observe (drawn number, step, ...); instance 0 terminates after 3 steps.

    ``"hand"`` alone says that it terminated one step before that. Every tensor it returns is a
    buffer that the next step overwrites.
    """

    is_vector_env: ClassVar[bool] = True
    __module__ = "isaaclab.envs.direct_marl_env"

    def __init__(self, num_envs: int, state: int = 3) -> None:
        self.cfg = types.SimpleNamespace(state_space=state, seed=None)
        self.num_envs, self.device, self.render_mode = num_envs, "cpu", None
        self.possible_agents = ["wrist", "hand"]
        self.observation_spaces = {"wrist": box(2), "hand": box(3)}
        self.action_spaces = {"wrist": box(1), "hand": box(2)}
        self.state_space = box(state)
        self.generator = torch.Generator()
        self.drawn = torch.zeros(num_envs)
        self.steps = torch.zeros(num_envs, dtype=torch.long)
        self.seen = {a: torch.zeros(num_envs, *s.shape) for a, s in self.observation_spaces.items()}
        self.rewards = {a: torch.zeros(num_envs) for a in self.possible_agents}
        self.extras: dict[str, Any] = {a: {} for a in self.possible_agents}
        self.lost = ""

    def observe(self) -> dict[str, torch.Tensor]:
        both = torch.stack([self.drawn, self.steps.float()], 1)
        self.seen["wrist"].copy_(both)
        self.seen["hand"].copy_(torch.cat([both, -both[:, :1]], 1))
        return {actor: seen for actor, seen in self.seen.items() if actor != self.lost}

    def begin(self, mask: torch.Tensor) -> None:
        fresh = torch.rand(self.num_envs, generator=self.generator)
        self.drawn = torch.where(mask, fresh, self.drawn)
        self.steps[mask] = 0

    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self.generator.manual_seed(seed)
        self.begin(torch.ones(self.num_envs, dtype=torch.bool))
        return self.observe(), self.extras

    def step(self, actions):
        self.steps += 1
        self.drawn = self.drawn + 0.01 * actions["wrist"][:, 0]
        first = torch.arange(self.num_envs) == 0
        over = {"wrist": first & (self.steps >= 3), "hand": first & (self.steps >= 2)}
        late = self.steps >= LENGTH
        out = {actor: late.clone() for actor in self.possible_agents}
        self.rewards["wrist"].copy_(self.steps)
        self.rewards["hand"].copy_(-self.drawn)
        self.begin((over["wrist"] & over["hand"]) | late)
        return self.observe(), self.rewards, over, out, self.extras

    def state(self):
        return torch.cat([self.seen["wrist"], self.seen["hand"][:, 2:]], 1)

    def close(self) -> None:
        pass


class TestIsaacLabTeam(TeamEnvSuite):
    timesteps = 25

    def make_env(self, num_envs, seed):
        return coterie.wrap_env(DirectMARLEnv(num_envs), seed=seed)


class TestIsaacLabTeamWithoutState(TestIsaacLabTeam):
    def make_env(self, num_envs, seed):
        return coterie.wrap_env(DirectMARLEnv(num_envs, state=0), seed=seed)


def actions(num_envs: int) -> dict[str, torch.Tensor]:
    return {"wrist": torch.ones(num_envs, 1), "hand": torch.ones(num_envs, 2)}


def test_an_episode_ends_where_isaac_lab_resets():
    env = coterie.wrap_env(DirectMARLEnv(2), seed=1)
    assert isinstance(env, IsaacLabTeamEnv)
    assert (env.name, env.actors) == ("isaaclab:DirectMARLEnv", ("wrist", "hand"))
    first, _ = env.reset()
    ended = []
    for step in range(3):
        with pytest.warns(UserWarning, match="does not tell") if step == 2 else nullcontext():
            observations, rewards, terminated, truncated, infos = env.step(actions(2))
        assert torch.equal(terminated["wrist"], terminated["hand"])
        ended.append(terminated["hand"].tolist())
    assert ended == [[False, False], [False, False], [True, False]]
    assert rewards["wrist"].tolist() == [3, 3]
    assert observations["hand"][:, 1].tolist() == [0, 3]
    assert not truncated["wrist"].any()
    assert infos["final_obs"]["hand"][0, 1] == 2
    torch.testing.assert_close(observations["wrist"][1, 0], first["wrist"][1, 0] + 0.03)
    assert torch.equal(env.state()[:, :2], observations["wrist"])
    env.step(actions(2))
    *_, truncated, infos = env.step(actions(2))
    assert truncated["hand"].tolist() == [False, True]
    assert infos["final_obs"]["wrist"][:, 1].tolist() == [1, 4]
    assert infos["final_state"][:, 1].tolist() == [1, 4]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(LENGTH):
            env.step(actions(2))


def test_teams_train_side_by_side():
    env = coterie.wrap_env(DirectMARLEnv(4), seed=1)
    teams = agents_for(env, SumTeam, SumTeam)
    cfg = {"timesteps": 12, "disable_progressbar": True, "headless": True}
    with coterie.SequentialTrainer(env=env, agents=teams, cfg=cfg) as trainer:
        assert trainer.train().timesteps == 12


def test_an_agent_that_goes_missing_is_named():
    env = coterie.wrap_env(DirectMARLEnv(2), seed=1)
    with pytest.raises(EnvContractError, match="was not reset yet"):
        env.step(actions(2))
    env.reset()
    env.env.lost = "hand"
    with pytest.raises(EnvContractError, match=r"observations do not fit .*'hand'"):
        env.step(actions(2))
    env.env.lost = ""
    kept = env.env.step

    def step(given):
        observed, rewards, *rest = kept(given)
        return observed, {"wrist": rewards["wrist"]}, *rest

    env.env.step = step
    with pytest.raises(EnvContractError, match="rewards of 'hand' are missing"):
        env.step(actions(2))
