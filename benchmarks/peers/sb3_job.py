"""The job under Stable-Baselines3, in an environment of its own: prints a JSON object.

One PPO agent on CartPole-v1 with 16 instances unless told otherwise, separate 64x64 tanh networks,
rollouts of 128 steps, 4 epochs of 4 mini-batches. The instances are Stable-Baselines3's own kind,
stepped in turn, or (``--env gymnasium``) gymnasium's vectorised CartPole behind its interface, so
that the environment costs both sides the same. Nothing is written to disk.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
import torch
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

ROLLOUTS = 128


class Vectorised(VecEnv):
    """gymnasium's vectorised CartPole behind Stable-Baselines3's interface.

    It resets in the step after the last one of an episode; that step is learned from as if it were
    one, which changes what is learned a little and nothing in what it costs.
    """

    def __init__(self, instances: int) -> None:
        """Make the environment."""
        self.env = CartPoleVectorEnv(num_envs=instances)
        spaces = self.env.single_observation_space, self.env.single_action_space
        super().__init__(instances, *spaces)
        self._empty: list[dict[str, Any]] = [{} for _ in range(instances)]

    def reset(self) -> Any:
        """Start new episodes."""
        return self.env.reset(seed=0)[0]

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


def main() -> None:
    """Train, and print the seconds that ``learn()`` took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--env", choices=["own", "gymnasium"], default="own")
    parser.add_argument("--instances", type=int, default=16)
    parser.add_argument("--steps", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    if chosen.env == "own":
        env: VecEnv = make_vec_env("CartPole-v1", n_envs=chosen.instances, seed=0)
    else:
        env = Vectorised(chosen.instances)
    agent = PPO(
        "MlpPolicy",
        env,
        n_steps=ROLLOUTS,
        batch_size=ROLLOUTS * chosen.instances // 4,
        n_epochs=4,
        learning_rate=1e-3,
        policy_kwargs={"net_arch": [64, 64], "activation_fn": nn.Tanh},
        device="cpu",
        seed=0,
        verbose=0,
    )
    start = time.perf_counter()
    agent.learn(chosen.steps * chosen.instances)
    print(json.dumps({"seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
