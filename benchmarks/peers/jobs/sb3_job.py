"""The job under Stable-Baselines3: agents are trained one after the other.

The instances are Stable-Baselines3's own kind, stepped in turn, or (``"env": "gymnasium"``)
gymnasium's vectorised CartPole behind its interface, so that the environment costs what it costs
others.
"""

from __future__ import annotations

from typing import Any

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
from _watch import Watch, read_case
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecEnv
from torch import nn


class Vectorised(VecEnv):
    """gymnasium's vectorised CartPole behind Stable-Baselines3's interface.

    It resets in the step after the last one of an episode; that step is learned from as if it were
    one, which changes what is learned a little and nothing in what it costs.
    """

    def __init__(self, instances: int, seed: int) -> None:
        """Make the environment."""
        self._seed = seed
        self.env = CartPoleVectorEnv(num_envs=instances)
        spaces = self.env.single_observation_space, self.env.single_action_space
        super().__init__(instances, *spaces)
        self._empty: list[dict[str, Any]] = [{} for _ in range(instances)]

    def reset(self) -> Any:
        """Start new episodes."""
        return self.env.reset(seed=self._seed)[0]

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Step all instances."""
        observations, rewards, terminated, truncated, _ = self.env.step(self._actions)
        done = terminated | truncated
        told = self._empty
        if done.any():
            told = [{} for _ in range(self.num_envs)]
            for k in done.nonzero()[0]:
                told[k]["terminal_observation"] = observations[k]
                told[k]["TimeLimit.truncated"] = bool(truncated[k] and not terminated[k])
        return observations, rewards.astype(np.float32), done, told

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Tell that nothing is rendered."""
        return [None] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Not offered."""
        raise NotImplementedError

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> Any:
        """Not offered."""
        raise NotImplementedError

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """No instance is wrapped."""
        return [False] * self.num_envs


def make_agent(case: dict[str, Any], seed: int, watch: Watch) -> PPO:
    """Make an agent with an environment of its own, which the watch sees."""
    instances = case["instances"]
    if case["env"] == "own":
        env: VecEnv = make_vec_env(ENV, n_envs=instances, seed=seed)
    else:
        env = Vectorised(instances, seed)
    step = env.step

    def seen(actions: Any) -> Any:
        watch.before()
        results = step(actions)
        watch.after(results[1], results[2], results[2])
        return results

    env.step = seen  # type: ignore[method-assign]
    return PPO(
        "MlpPolicy",
        env,
        n_steps=ROLLOUTS,
        batch_size=ROLLOUTS * instances // MINI_BATCHES,
        n_epochs=EPOCHS,
        learning_rate=LEARNING_RATE,
        gamma=DISCOUNT,
        gae_lambda=GAE_LAMBDA,
        clip_range=CLIP,
        max_grad_norm=GRAD_NORM,
        vf_coef=VALUE_SCALE,
        ent_coef=0.0,
        policy_kwargs={"net_arch": list(WIDTHS), "activation_fn": nn.Tanh},
        device=case["device"],
        seed=seed,
        verbose=0,
    )


def main() -> None:
    """Train one agent after the other."""
    case = read_case()
    if case["threads"]:
        torch.set_num_threads(case["threads"])
    if case["measure"] == "steady":  # each further one costs what these cost
        case["agents"] = min(case["agents"], SAMPLE)
    libraries = ["stable-baselines3", "torch", "gymnasium"]
    watch = Watch(case, libraries, turns=case["agents"])
    timesteps = case["timesteps"] or FOREVER
    for k in range(case["agents"]):
        agent = make_agent(case, 1000 * case["seed"] + k, watch)
        with watch.turn():
            agent.learn(timesteps * case["instances"])
    watch.finish()


if __name__ == "__main__":
    main()
