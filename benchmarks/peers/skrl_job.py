"""The job under skrl 2, in an environment of its own: prints a JSON object with the seconds.

N PPO agents on CartPole-v1 with 16 instances each unless told otherwise, separate 64x64 tanh
networks, rollouts of 128 steps, 4 epochs of 4 mini-batches. Nothing is written to disk.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import gymnasium
import torch
from skrl.agents.torch.ppo import PPO, PPO_CFG
from skrl.envs.wrappers.torch import wrap_env
from skrl.memories.torch import RandomMemory
from skrl.models.torch import CategoricalMixin, DeterministicMixin, Model
from skrl.trainers.torch import ParallelTrainer, SequentialTrainer
from torch import nn

ROLLOUTS = 128


def network(inputs: int, width: int, outputs: int) -> nn.Sequential:
    """Two hidden layers with tanh."""
    return nn.Sequential(
        nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(),
        nn.Linear(width, outputs),
    )  # fmt: skip


class Policy(CategoricalMixin, Model):
    """Logits of the two actions."""

    def __init__(self, observation_space: Any, action_space: Any, device: Any, width: int) -> None:
        """Make the network."""
        Model.__init__(
            self,
            observation_space=observation_space,
            state_space=None,
            action_space=action_space,
            device=device,
        )
        CategoricalMixin.__init__(self, unnormalized_log_prob=True)
        self.net = network(self.num_observations, width, self.num_actions)

    def compute(self, inputs: dict[str, Any], role: str) -> tuple[torch.Tensor, dict[str, Any]]:
        """Run the network."""
        return self.net(inputs["observations"]), {}


class Value(DeterministicMixin, Model):
    """The value of an observation."""

    def __init__(self, observation_space: Any, action_space: Any, device: Any, width: int) -> None:
        """Make the network."""
        Model.__init__(
            self,
            observation_space=observation_space,
            state_space=None,
            action_space=action_space,
            device=device,
        )
        DeterministicMixin.__init__(self)
        self.net = network(self.num_observations, width, 1)

    def compute(self, inputs: dict[str, Any], role: str) -> tuple[torch.Tensor, dict[str, Any]]:
        """Run the network."""
        return self.net(inputs["observations"]), {}


def make_agent(env: Any, width: int, instances: int) -> PPO:
    """Make a PPO agent with the settings of the job."""
    spaces = (env.observation_space, env.action_space, env.device, width)
    models = {"policy": Policy(*spaces), "value": Value(*spaces)}
    cfg = PPO_CFG(
        rollouts=ROLLOUTS,
        learning_epochs=4,
        mini_batches=4,
        learning_rate=1e-3,
        grad_norm_clip=0.5,
        ratio_clip=0.2,
        value_clip=0.0,
    )
    cfg.experiment.write_interval = 0
    cfg.experiment.checkpoint_interval = 0
    return PPO(
        models=models,
        memory=RandomMemory(memory_size=ROLLOUTS, num_envs=instances, device=env.device),
        observation_space=env.observation_space,
        state_space=None,
        action_space=env.action_space,
        device=env.device,
        cfg=cfg,
    )


def main() -> None:
    """Train, and print the seconds that ``train()`` took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trainer", choices=["sequential", "parallel"], default="parallel")
    parser.add_argument("--agents", type=int, default=4)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--instances", type=int, default=16)
    chosen = parser.parse_args()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    env = wrap_env(gymnasium.make_vec("CartPole-v1", num_envs=chosen.instances * chosen.agents))
    agents = [make_agent(env, chosen.width, chosen.instances) for _ in range(chosen.agents)]
    cfg = {"timesteps": chosen.steps, "headless": True, "disable_progressbar": True}
    trainers = {"sequential": SequentialTrainer, "parallel": ParallelTrainer}
    scopes = [chosen.instances] * chosen.agents
    start = time.perf_counter()
    trainer = trainers[chosen.trainer](env=env, agents=agents, scopes=scopes, cfg=cfg)
    trainer.train()
    print(json.dumps({"seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
