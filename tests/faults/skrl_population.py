"""A small population under skrl's parallel trainer, one of it faulty; needs skrl."""

from __future__ import annotations

import dataclasses
import os
import threading
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from fault_actions import ACTIONS
from skrl.agents.torch import Agent, AgentCfg
from skrl.envs.wrappers.torch import wrap_env
from skrl.trainers.torch import ParallelTrainer

STEPS = 8
ENDLESS = 10**9


@dataclasses.dataclass(kw_only=True)
class Cfg(AgentCfg):
    """Writes nothing."""


class Fault:
    """Happens in a phase, at a step, but only where the agent does not stem from."""

    def __init__(self, name: str, stamp: Path, step: int) -> None:
        self.phase, _, self.action = name.partition("-")
        self.stamp, self.step, self.home = stamp, step, os.getpid()

    def maybe(self, phase: str, timestep: int) -> None:
        """Let it happen if it is its turn."""
        if os.getpid() == self.home or timestep != self.step:
            return
        if self.phase in ("none", "parent"):
            self.stamp.touch()
        elif phase == self.phase:
            self.stamp.touch()
            ACTIONS[self.action]()


class FaultyAgent(Agent):
    """Acts with zeros and learns nothing."""

    fault: Fault | None = None

    def _maybe(self, phase: str, timestep: int) -> None:
        if self.fault is not None:
            self.fault.maybe(phase, timestep)

    def init(self, *, trainer_cfg: Any = None) -> None:
        """Get ready, or not."""
        super().init(trainer_cfg=trainer_cfg)
        if self.fault is not None:
            self._maybe("init", self.fault.step)

    def pre_interaction(self, *, timestep: int, timesteps: int) -> None:
        """Do nothing, or something terrible."""
        self._maybe("pre_interaction", timestep)

    def act(self, observations: Any, states: Any, *, timestep: int, timesteps: int) -> Any:
        """Act, or not."""
        self._maybe("act", timestep)
        return torch.zeros(len(observations), 1, dtype=torch.int64), {}

    def record_transition(self, *, timestep: int, **others: Any) -> None:
        """Forget it, or not."""
        self._maybe("record", timestep)

    def post_interaction(self, *, timestep: int, timesteps: int) -> None:
        """Learn nothing, or fail."""
        self._maybe("post_interaction", timestep)

    def update(self, *, timestep: int, timesteps: int) -> None:
        """Do nothing."""


class ZeroEnv(gymnasium.vector.VectorEnv):
    """Observes zeros without an end; may raise."""

    def __init__(self, num_envs: int, fault: Fault) -> None:
        self.num_envs = num_envs
        self.single_observation_space = gymnasium.spaces.Box(-1, 1, (3,), np.float32)
        self.single_action_space = gymnasium.spaces.Discrete(2)
        space = gymnasium.vector.utils.batch_space
        self.observation_space = space(self.single_observation_space, num_envs)
        self.action_space = space(self.single_action_space, num_envs)
        self._fault, self._count = fault, 0

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        """Observe zeros."""
        return np.zeros((self.num_envs, 3), np.float32), {}

    def step(self, actions: Any) -> Any:
        """Observe zeros, or raise."""
        self._count += 1
        if self._fault.phase == "env" and self._count == self._fault.step:
            self._fault.stamp.touch()
            ACTIONS[self._fault.action]()
        flags = np.zeros(self.num_envs, bool)
        zeros = np.zeros((self.num_envs, 3), np.float32)
        return zeros, np.zeros(self.num_envs, np.float32), flags, flags, {}


def make_trainer(name: str, stamp: Path, step: int) -> ParallelTrainer:
    """Make the trainer of two agents, the second of them faulty."""
    fault = Fault(name, stamp, step)
    env = wrap_env(ZeroEnv(4, fault))
    agents = [
        FaultyAgent(
            cfg=Cfg(),
            models={},
            observation_space=env.observation_space,
            action_space=env.action_space,
            device="cpu",
        )
        for _ in range(2)
    ]
    for agent in agents:
        agent.cfg.experiment.write_interval = agent.write_interval = 0
        agent.cfg.experiment.checkpoint_interval = agent.checkpoint_interval = 0
    agents[1].fault = fault
    scopes: list[Any] = [2, 2]
    if fault.phase == "pickle":
        agents[1].lock = threading.Lock()
    if fault.phase == "float":
        scopes = [2.0, 2.0]
    if fault.phase in ("pickle", "float"):
        stamp.touch()
    steps = ENDLESS if fault.phase == "parent" else STEPS
    cfg = {"timesteps": steps, "headless": True, "disable_progressbar": True}
    return ParallelTrainer(env=env, agents=agents, scopes=scopes, cfg=cfg)
