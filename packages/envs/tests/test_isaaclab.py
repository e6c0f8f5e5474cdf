"""Isaac Lab's interface, by a fake with its documented shapes."""

from __future__ import annotations

import sys
import types
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

import coterie
from coterie import ConfigError, EnvContractError
from coterie.testing import EnvSuite
from coterie_envs import IsaacLabAdapter, IsaacLabEnv
from coterie_envs._recognise import is_gymnasium, is_isaaclab

LENGTH = 6


def box(size: int) -> spaces.Box:
    return spaces.Box(-np.inf, np.inf, (size,), np.float32)


class DirectRLEnv(gymnasium.Env[Any, Any]):
    """Observes (drawn number, step); instance 0 terminates after 4 steps, others after LENGTH.

    Every tensor it returns is a buffer that the next step overwrites; ``extras`` is one dict.
    """

    is_vector_env: ClassVar[bool] = True
    __module__ = "isaaclab.envs.direct_rl_env"

    def __init__(self, cfg: Any, render_mode: str | None = None, critic: bool = True) -> None:
        self.cfg, self.render_mode = cfg, render_mode
        self.num_envs, self.device = cfg.num_envs, cfg.device
        groups = {"policy": box(2), **({"critic": box(3)} if critic else {}), "teacher": box(1)}
        self.single_observation_space = spaces.Dict(groups)
        self.single_action_space = box(1)
        self.observation_space = box(2)
        self.action_space = box(1)
        self.generator = torch.Generator().manual_seed(cfg.seed or 0)
        self.drawn = torch.zeros(self.num_envs)
        self.steps = torch.zeros(self.num_envs, dtype=torch.long)
        self.buffers = {key: torch.zeros(self.num_envs, *s.shape) for key, s in groups.items()}
        self.reset_terminated = torch.zeros(self.num_envs, dtype=torch.bool)
        self.reset_time_outs = torch.zeros(self.num_envs, dtype=torch.bool)
        self.extras: dict[str, Any] = {}
        self.closed = 0

    def values(self) -> dict[str, torch.Tensor]:
        policy = torch.stack([self.drawn, self.steps.float()], 1)
        return {
            "policy": policy,
            "critic": torch.cat([policy, -policy[:, :1]], 1),
            "teacher": policy[:, :1],
        }

    def observe(self) -> dict[str, torch.Tensor]:
        for key, value in self.values().items():
            if key in self.buffers:
                self.buffers[key].copy_(value)
        return self.buffers

    def begin(self, mask: torch.Tensor) -> None:
        fresh = torch.rand(self.num_envs, generator=self.generator)
        self.drawn = torch.where(mask, fresh, self.drawn)
        self.steps[mask] = 0

    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self.generator.manual_seed(seed)
        self.begin(torch.ones(self.num_envs, dtype=torch.bool))
        return self.observe(), self.extras

    def step(self, action):
        self.steps += 1
        self.drawn = self.drawn + 0.01 * action[:, 0]
        late = self.steps >= LENGTH
        early = (self.steps >= 4) & (torch.arange(self.num_envs) == 0)
        self.reset_terminated[:], self.reset_time_outs[:] = early, late
        done = early | late
        self.extras.pop("final_obs", None)
        if done.any():
            self.extras["log"] = {"Episode_Reward/alive": float(self.steps[done].float().mean())}
            if getattr(self.cfg, "compute_final_obs", False):
                self.extras["final_obs"] = {k: v.clone() for k, v in self.values().items()}
            self.begin(done)
        rewards = self.drawn.clone()
        return self.observe(), rewards, self.reset_terminated, self.reset_time_outs, self.extras

    def close(self) -> None:
        self.closed += 1


def cfg(num_envs: int, **more: Any) -> Any:
    given = {"num_envs": num_envs, "device": "cpu", "seed": 0, "compute_final_obs": False, **more}
    return types.SimpleNamespace(**given)


class TestIsaacLab(EnvSuite):
    timesteps = 30

    def make_env(self, num_envs, seed):
        return coterie.wrap_env(DirectRLEnv(cfg(num_envs)), seed=seed)


def test_groups_become_observation_and_state():
    env = coterie.wrap_env(DirectRLEnv(cfg(2)), seed=1)
    assert isinstance(env, IsaacLabEnv)
    assert (env.name, env.num_envs, env.device) == ("isaaclab:DirectRLEnv", 2, torch.device("cpu"))
    assert (env.observation_space.shape, env.state_space.shape) == ((2,), (3,))
    observations, _ = env.reset()
    assert observations.shape == (2, 2)
    assert torch.equal(env.state()[:, :2], observations)
    without = coterie.wrap_env(DirectRLEnv(cfg(2), critic=False))
    without.reset(seed=0)
    assert without.state_space is None
    assert without.state() is None


def test_true_ends_are_asked_for_and_told():
    """Instance 0 terminates at its 4th step, instance 1 is truncated at its 6th."""
    env = coterie.wrap_env(DirectRLEnv(cfg(2)))
    env.reset(seed=3)
    actions = torch.ones(2, 1)
    drawn = env.env.drawn.clone()
    for step in range(1, 7):
        observations, _, terminated, truncated, infos = env.step(actions)
        if step == 4:
            assert terminated.tolist() == [True, False]
            torch.testing.assert_close(infos["final_obs"][0], torch.tensor([drawn[0] + 0.04, 4.0]))
            assert observations[:, 1].tolist() == [0.0, 4.0]
            assert infos["log"] == {"Episode_Reward/alive": 4.0}
            state = infos["final_state"][0]
            assert state.tolist() == [*infos["final_obs"][0].tolist(), -state[0].item()]
    assert truncated.tolist() == [False, True]
    torch.testing.assert_close(infos["final_obs"][1], torch.tensor([drawn[1] + 0.06, 6.0]))


def test_versions_that_never_tell_get_the_observation_before_and_a_warning():
    settings = cfg(2)
    del settings.compute_final_obs
    env = coterie.wrap_env(DirectRLEnv(settings))
    env.reset(seed=3)
    for _ in range(5):
        before = env.step(torch.ones(2, 1))[0].clone()
    with pytest.warns(UserWarning, match="has no compute_final_obs"):
        *_, truncated, infos = env.step(torch.ones(2, 1))
    assert truncated.tolist() == [False, True]
    assert torch.equal(infos["final_obs"], before)
    assert infos["final_obs"][1, 1] == 5.0


def test_gymnasium_wrappers_are_seen_through_and_time_limits_refused():
    bare = DirectRLEnv(cfg(2))
    ordered = gymnasium.wrappers.OrderEnforcing(bare, disable_render_order_enforcing=True)
    assert is_isaaclab(ordered)
    assert not is_gymnasium(ordered)
    env = coterie.wrap_env(ordered)
    env.reset(seed=0)
    assert env.step(torch.zeros(2, 1))[0].shape == (2, 2)
    with pytest.raises(ConfigError, match="episode_length_s"):
        coterie.wrap_env(gymnasium.wrappers.TimeLimit(bare, 10))


def test_misuse_is_explained():
    env = coterie.wrap_env(DirectRLEnv(cfg(2)))
    with pytest.raises(EnvContractError, match=r"call reset\(\) first"):
        env.step(torch.zeros(2, 1))
    with pytest.raises(EnvContractError, match="can't be seeded one by one"):
        env.reset(seed=[0, 1])
    with pytest.raises(ConfigError, match="expected an environment of Isaac Lab, got"):
        coterie.wrap_env(object(), "isaaclab")
    team = DirectRLEnv(cfg(2))
    team.possible_agents = ["a", "b"]
    with pytest.raises(ConfigError, match="multi_agent_to_single_agent"):
        IsaacLabEnv(team, name="isaaclab:team")
    env.close()
    env.close()
    assert env.env.closed == 1


@pytest.fixture
def isaac(monkeypatch):
    """Modules like Isaac Lab's, and what they were called with."""
    calls: dict[str, Any] = {}
    app, tasks = types.ModuleType("isaaclab.app"), types.ModuleType("isaaclab_tasks.utils")
    app.AppLauncher = lambda **given: calls.update(launcher=given)  # type: ignore[attr-defined]

    def parse(env_id, device, num_envs):
        return cfg(num_envs, device=device, sim=types.SimpleNamespace(dt=0.01))

    tasks.parse_env_cfg = parse  # type: ignore[attr-defined]
    for name, module in (
        ("isaaclab", types.ModuleType("isaaclab")),
        ("isaaclab.app", app),
        ("isaaclab_tasks", types.ModuleType("isaaclab_tasks")),
        ("isaaclab_tasks.utils", tasks),
    ):
        monkeypatch.setitem(sys.modules, name, module)
    gymnasium.register("Isaac-Fake-v0", DirectRLEnv)
    yield calls
    del gymnasium.registry["Isaac-Fake-v0"]


def test_making_one(isaac):
    env = coterie.make_env(
        "isaaclab:Isaac-Fake-v0", num_envs=3, seed=5, device="cpu", **{"sim.dt": 0.5}
    )
    assert isaac["launcher"] == {"headless": True, "device": "cpu"}
    settings = env.env.unwrapped.cfg
    assert (settings.sim.dt, settings.seed, settings.compute_final_obs) == (0.5, 5, True)
    assert env.reset()[0].shape == (3, 2)
    with pytest.raises(ConfigError, match="did you mean 'Isaac-Fake-v0'"):
        coterie.make_env("isaaclab:Isaac-Fkae-v0", num_envs=3)
    with pytest.raises(ConfigError, match=r"has no 'simm\.dt'; did you mean 'sim'"):
        IsaacLabAdapter().make("Isaac-Fake-v0", num_envs=3, device="cpu", **{"simm.dt": 0.5})


def test_without_isaac_lab():
    with pytest.raises(ConfigError, match="needs isaaclab, which can't be imported"):
        coterie.make_env("isaaclab:Isaac-Ant-v0", num_envs=2)
