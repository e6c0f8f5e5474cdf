"""The job under skrl 2, with its own trainers or with those of ``coterie_skrl``."""

from __future__ import annotations

import importlib
from typing import Any

import gymnasium
import torch
from _settings import (
    CLIP,
    DISCOUNT,
    ENV,
    EPOCHS,
    FOREVER,
    GAE_LAMBDA,
    GRAD_NORM,
    LEARNING_RATE,
    MINI_BATCHES,
    ROLLOUTS,
    VALUE_SCALE,
    WIDTHS,
)
from _watch import Watch, read_case, watched
from skrl.agents.torch.ppo import PPO, PPO_CFG
from skrl.envs.wrappers.torch import wrap_env
from skrl.memories.torch import RandomMemory
from skrl.models.torch import CategoricalMixin, DeterministicMixin, Model
from torch import nn

TRAINERS = {"sequential": "SequentialTrainer", "parallel": "ParallelTrainer"}


def network(inputs: int, outputs: int) -> nn.Sequential:
    """Two hidden layers with tanh."""
    first, second = WIDTHS
    return nn.Sequential(
        nn.Linear(inputs, first), nn.Tanh(), nn.Linear(first, second), nn.Tanh(),
        nn.Linear(second, outputs),
    )  # fmt: skip


class Policy(CategoricalMixin, Model):
    """Logits of the two actions."""

    def __init__(self, observation_space: Any, action_space: Any, device: Any) -> None:
        """Make the network."""
        Model.__init__(
            self,
            observation_space=observation_space,
            state_space=None,
            action_space=action_space,
            device=device,
        )
        CategoricalMixin.__init__(self, unnormalized_log_prob=True)
        self.net = network(self.num_observations, self.num_actions)

    def compute(self, inputs: dict[str, Any], role: str) -> tuple[torch.Tensor, dict[str, Any]]:
        """Run the network."""
        return self.net(inputs["observations"]), {}


class Value(DeterministicMixin, Model):
    """The value of an observation."""

    def __init__(self, observation_space: Any, action_space: Any, device: Any) -> None:
        """Make the network."""
        Model.__init__(
            self,
            observation_space=observation_space,
            state_space=None,
            action_space=action_space,
            device=device,
        )
        DeterministicMixin.__init__(self)
        self.net = network(self.num_observations, 1)

    def compute(self, inputs: dict[str, Any], role: str) -> tuple[torch.Tensor, dict[str, Any]]:
        """Run the network."""
        return self.net(inputs["observations"]), {}


def make_agent(env: Any, instances: int) -> PPO:
    """Make a PPO agent with the settings of the job."""
    spaces = (env.observation_space, env.action_space, env.device)
    cfg = PPO_CFG(
        rollouts=ROLLOUTS,
        learning_epochs=EPOCHS,
        mini_batches=MINI_BATCHES,
        learning_rate=LEARNING_RATE,
        discount_factor=DISCOUNT,
        gae_lambda=GAE_LAMBDA,
        grad_norm_clip=GRAD_NORM,
        ratio_clip=CLIP,
        value_clip=0.0,
        value_loss_scale=VALUE_SCALE,
        time_limit_bootstrap=True,
    )
    cfg.experiment.write_interval = 0
    cfg.experiment.checkpoint_interval = 0
    return PPO(
        models={"policy": Policy(*spaces), "value": Value(*spaces)},
        memory=RandomMemory(memory_size=ROLLOUTS, num_envs=instances, device=env.device),
        observation_space=env.observation_space,
        state_space=None,
        action_space=env.action_space,
        device=env.device,
        cfg=cfg,
    )


def main() -> None:
    """Train until it is enough."""
    case = read_case()
    if case["threads"]:
        torch.set_num_threads(case["threads"])
    count, instances = case["agents"], case["instances"]
    trainers = case["trainers"]
    ours = ["coterie-skrl", "coterie-core"] if trainers == "coterie_skrl" else []
    watch = Watch(case, [*ours, "skrl", "torch", "gymnasium"])
    torch.manual_seed(case["seed"])
    env = watched(wrap_env(gymnasium.make_vec(ENV, num_envs=instances * count)), watch)
    agents = [make_agent(env, instances) for _ in range(count)]
    cfg = {
        "timesteps": case["timesteps"] or FOREVER,
        "headless": True,
        "disable_progressbar": True,
        "close_environment_at_exit": False,
    }
    make = getattr(importlib.import_module(trainers), TRAINERS[case["trainer"]])
    trainer = make(env=env, agents=agents, scopes=[instances] * count, cfg=cfg)
    with watch.turn():
        trainer.train()
    watch.finish()


if __name__ == "__main__":
    main()
