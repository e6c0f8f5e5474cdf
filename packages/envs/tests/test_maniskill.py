"""ManiSkill's interface, by a fake with its documented shapes."""

from __future__ import annotations

import sys
import types
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

import coterie
from coterie import ConfigError, EnvContractError
from coterie.testing import EnvSuite
from coterie_envs import ManiSkillEnv
from coterie_envs._recognise import is_gymnasium, is_maniskill

LENGTH = 5


class BaseEnv(gymnasium.Env[Any, Any]):
    """Observes a dict of (drawn number, step); batched; instance 0 succeeds after 3 steps."""

    __module__ = "mani_skill.envs.sapien_env"

    def __init__(self, num_envs: int = 2, obs_mode: str = "state", **settings: Any) -> None:
        if settings.get("control_mode") == "wrong":
            raise KeyError("control_mode")
        self.num_envs, self.device = num_envs, torch.device("cpu")
        self.settings = {"obs_mode": obs_mode, **settings}
        part = spaces.Box(-np.inf, np.inf, (1,), np.float32)
        self.single_observation_space = spaces.Dict({"agent": part, "extra": part})
        self.single_action_space = spaces.Box(-1, 1, (2,), np.float32)
        self.observation_space = self.single_observation_space
        self.action_space = self.single_action_space
        self.generator = torch.Generator()
        self.elapsed_steps = torch.zeros(num_envs, dtype=torch.int32)
        self.drawn = torch.zeros(num_envs)

    def observe(self) -> Any:
        return {"agent": self.drawn[:, None].double(), "extra": self.elapsed_steps[:, None].float()}

    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self.generator.manual_seed(seed)
        rows = (options or {}).get("env_idx", torch.arange(self.num_envs))
        self.elapsed_steps[rows] = 0
        self.drawn[rows] = torch.rand(len(rows), generator=self.generator)
        return self.observe(), {"elapsed_steps": self.elapsed_steps}

    def step(self, action):
        self.elapsed_steps += 1
        self.drawn = self.drawn + 0.1 * action[:, 0]
        success = (self.elapsed_steps >= 3) & (torch.arange(self.num_envs) == 0)
        late = self.elapsed_steps >= LENGTH
        infos = {"elapsed_steps": self.elapsed_steps, "success": success}
        return self.observe(), self.drawn.clone(), success.clone(), late, infos

    def close(self) -> None:
        self.closed = True


class ManiSkillVectorEnv(gymnasium.vector.VectorEnv):
    """Resets what ended, and tells the ends as ManiSkill does."""

    __module__ = "mani_skill.vector.wrappers.gymnasium"

    def __init__(self, env: Any, auto_reset: bool = True, record_metrics: bool = False,
                 ignore_terminations: bool = False) -> None:  # fmt: skip
        self._env, self.auto_reset, self.record_metrics = env, auto_reset, record_metrics
        self.base_env = env.unwrapped
        self.num_envs, self.device = self.base_env.num_envs, self.base_env.device
        self.single_observation_space = self.base_env.single_observation_space
        self.single_action_space = self.base_env.single_action_space
        self.spec = None
        self.returns = torch.zeros(self.num_envs)

    @property
    def unwrapped(self):
        return self.base_env

    def reset(self, *, seed=None, options=None):
        return self._env.reset(seed=seed, options=options)

    def step(self, actions):
        observations, rewards, terminated, truncated, infos = self._env.step(actions)
        if self.record_metrics:
            self.returns += rewards
            infos["episode"] = {"return": self.returns.clone()}
        done = terminated | truncated
        if done.any() and self.auto_reset:
            ended = {k: v.clone() for k, v in observations.items()}
            told = {k: v.clone() if isinstance(v, torch.Tensor) else v for k, v in infos.items()}
            observations, infos = self.reset(options={"env_idx": done.nonzero().flatten()})
            infos |= {"final_observation": ended, "final_info": told}
            infos |= {"_final_observation": done, "_final_info": done, "_elapsed_steps": done}
            self.returns[done] = 0
        return observations, rewards, terminated, truncated, infos

    def close_extras(self, **kwargs):
        self._env.close()


class TestManiSkill(EnvSuite):
    timesteps = 25

    def make_env(self, num_envs, seed):
        return coterie.wrap_env(ManiSkillVectorEnv(BaseEnv(num_envs)), seed=seed)


class TestManiSkillWithoutAutoreset(EnvSuite):
    timesteps = 25

    def make_env(self, num_envs, seed):
        vector = ManiSkillVectorEnv(BaseEnv(num_envs), auto_reset=False)
        return coterie.wrap_env(vector, seed=seed)


def test_ends_and_infos_of_the_step():
    env = coterie.wrap_env(ManiSkillVectorEnv(BaseEnv(2), record_metrics=True))
    assert isinstance(env, ManiSkillEnv)
    assert env.autoreset_mode is AutoresetMode.SAME_STEP
    first, _ = env.reset(seed=4)
    assert first["agent"].dtype == torch.float32
    actions = torch.ones(2, 2)
    for _ in range(3):
        observations, rewards, terminated, _, infos = env.step(actions)
    assert terminated.tolist() == [True, False]
    assert infos["final_obs"]["extra"].flatten().tolist() == [3, 3]
    torch.testing.assert_close(infos["final_obs"]["agent"], first["agent"] + 0.3)
    assert observations["extra"].flatten().tolist() == [0, 3]
    assert infos["elapsed_steps"].tolist() == [3, 3]
    assert infos["success"].tolist() == [True, False]
    assert infos["_episode"].tolist() == [True, False]
    assert not {"final_observation", "_final_observation", "final_info"} & set(infos)
    torch.testing.assert_close(rewards, (first["agent"] + 0.3).flatten())
    *_, infos = env.step(actions)
    assert infos["_episode"].tolist() == [False, False]
    assert "final_obs" not in infos


def test_kinds_are_told_apart(monkeypatch):
    single = type("CPUGymWrapper", (gymnasium.Wrapper,), {})(BaseEnv(1))
    assert (is_maniskill(single), is_gymnasium(single)) == (False, True)
    vector = ManiSkillVectorEnv(BaseEnv(2))
    assert (is_maniskill(vector), is_gymnasium(vector)) == (True, False)
    bare = gymnasium.wrappers.OrderEnforcing(BaseEnv(2))
    assert (is_maniskill(bare), is_gymnasium(bare)) == (True, False)


@pytest.fixture
def maniskill(monkeypatch):
    names = ["mani_skill", "mani_skill.envs", "mani_skill.vector", "mani_skill.vector.wrappers"]
    for name in names:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    wrappers = types.ModuleType("mani_skill.vector.wrappers.gymnasium")
    wrappers.ManiSkillVectorEnv = ManiSkillVectorEnv  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, wrappers.__name__, wrappers)
    gymnasium.register("PushFake-v1", BaseEnv)
    yield
    del gymnasium.registry["PushFake-v1"]


def test_making_and_wrapping_a_batched_one(maniskill):
    env = coterie.make_env("maniskill:PushFake-v1", num_envs=3, seed=1, reward_mode="dense")
    base = env.env.base_env
    assert base.settings == {"obs_mode": "state", "reward_mode": "dense", "sim_backend": "cpu"}
    assert env.reset()[0]["agent"].shape == (3, 1)
    wrapped = coterie.wrap_env(BaseEnv(2))
    assert wrapped.name == "maniskill:BaseEnv"
    with pytest.raises(ConfigError, match="no environment 'PushFkae-v1'"):
        coterie.make_env("maniskill:PushFkae-v1", num_envs=3)
    with pytest.raises(ConfigError, match="could not be made: KeyError: 'control_mode'"):
        coterie.make_env("maniskill:PushFake-v1", num_envs=3, control_mode="wrong")
    env.close()
    env.close()
    assert base.closed


def test_misuse_is_explained():
    env = coterie.wrap_env(ManiSkillVectorEnv(BaseEnv(2)))
    with pytest.raises(EnvContractError, match=r"call reset\(\) first"):
        env.step(torch.zeros(2, 2))
    with pytest.raises(EnvContractError, match="can't be seeded one by one"):
        env.reset(seed=[0, 1])
    env.reset(seed=0)
    with pytest.raises(ValueError, match="only auto_reset=False takes a mask"):
        env.reset(options={"reset_mask": torch.ones(2, dtype=torch.bool)})
    with pytest.raises(ValueError, match=r"expected bool \(2,\)"):
        env.reset(options={"reset_mask": torch.ones(3, dtype=torch.bool)})
    with pytest.raises(ConfigError, match="expected an environment of ManiSkill"):
        coterie.wrap_env(object(), "maniskill")


def test_without_maniskill():
    with pytest.raises(ConfigError, match=r'pip install "coterie-envs\[maniskill\]"'):
        coterie.make_env("maniskill:PickCube-v1", num_envs=1)
