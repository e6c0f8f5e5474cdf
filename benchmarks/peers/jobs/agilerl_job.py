"""The job under AgileRL: agents are trained one after the other, without evolution.

AgileRL's own networks have at least three hidden layers; an encoder of one layer below its head of
one gives the two that everybody else has.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
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
    SAMPLE,
    VALUE_SCALE,
    WIDTHS,
)
from _watch import Watch, read_case, watched
from agilerl.algorithms import PPO
from agilerl.modules.base import EvolvableModule
from agilerl.networks import StochasticActor, ValueNetwork
from agilerl.training.train_on_policy import train_on_policy
from torch import nn


class Encoder(EvolvableModule):
    """The first hidden layer."""

    def __init__(
        self,
        observation_space: Any,
        num_outputs: int,
        output_activation: str = "Tanh",
        device: str = "cpu",
        name: str = "encoder",
        random_seed: int | None = None,
    ) -> None:
        """Make the layer; AgileRL copies it by its arguments."""
        super().__init__(device, random_seed)
        self.observation_space = observation_space
        self.num_outputs = num_outputs
        self.output_activation = output_activation
        self.name = name
        inputs = observation_space.shape[0]
        self.model = nn.Sequential(nn.Linear(inputs, num_outputs), nn.Tanh()).to(device)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Run the layer."""
        return self.model(observations)


def make_agent(case: dict[str, Any], env: Any) -> PPO:
    """Make an agent with the settings of the job."""
    spaces = env.single_observation_space, env.single_action_space
    device, instances = case["device"], case["instances"]
    first, second = WIDTHS

    def parts() -> dict[str, Any]:
        return {
            "encoder_cls": Encoder,
            "encoder_config": {"output_activation": "Tanh"},
            "latent_dim": first,
            "head_config": {"hidden_size": [second], "activation": "Tanh", "layer_norm": False},
            "device": device,
        }

    return PPO(
        *spaces,
        actor_network=StochasticActor(*spaces, **parts()),
        critic_network=ValueNetwork(spaces[0], **parts()),
        share_encoders=False,
        num_envs=instances,
        learn_step=ROLLOUTS * instances,
        batch_size=ROLLOUTS * instances // MINI_BATCHES,
        update_epochs=EPOCHS,
        lr=LEARNING_RATE,
        gamma=DISCOUNT,
        gae_lambda=GAE_LAMBDA,
        clip_coef=CLIP,
        max_grad_norm=GRAD_NORM,
        vf_coef=2 * VALUE_SCALE,  # it halves the squared error itself
        ent_coef=0.0,
        device=device,
    )


def main() -> None:
    """Train one agent after the other."""
    case = read_case()
    if case["threads"]:
        torch.set_num_threads(case["threads"])
    if case["measure"] == "steady":  # each further one costs what these cost
        case["agents"] = min(case["agents"], SAMPLE)
    watch = Watch(case, ["agilerl", "torch", "gymnasium"], turns=case["agents"])
    steps = (case["timesteps"] or FOREVER) * case["instances"]
    for k in range(case["agents"]):
        seed = 1000 * case["seed"] + k
        torch.manual_seed(seed)
        np.random.seed(seed)
        env = watched(gymnasium.make_vec(ENV, num_envs=case["instances"]), watch)
        agent = make_agent(case, env)
        with watch.turn():
            train_on_policy(
                env, ENV, "PPO", [agent], max_steps=steps, evo_steps=steps, verbose=False
            )
    watch.finish()


if __name__ == "__main__":
    main()
