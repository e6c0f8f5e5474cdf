"""The job under rejax, in an environment of its own: prints a JSON object with the seconds.

N PPO agents on gymnax's CartPole-v1 with 16 instances each unless told otherwise, separate 64x64
tanh networks, rollouts of 128 steps, 4 epochs of 4 mini-batches: agents, environment and learning
are one compiled program, mapped over the agents' keys. Nothing is evaluated.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import jax
from rejax import PPO

ROLLOUTS = 128


def make_agent(instances: int, steps: int) -> PPO:
    """Make the algorithm with the settings of the job."""
    agent = PPO.create(
        env="CartPole-v1",
        agent_kwargs={"hidden_layer_sizes": (64, 64), "activation": "tanh"},
        num_envs=instances,
        num_steps=ROLLOUTS,
        num_epochs=4,
        num_minibatches=4,
        learning_rate=1e-3,
        max_grad_norm=0.5,
        ent_coef=0.0,
        total_timesteps=steps * instances,
        eval_freq=steps * instances,
        skip_initial_evaluation=True,
    )
    return agent.replace(eval_callback=_count)


def _count(agent: PPO, state: Any, key: jax.Array) -> Any:
    """Stand in for an evaluation, which would play 128 episodes."""
    return state.global_step


def main() -> None:
    """Train, and print the seconds that compiling and the compiled program took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--agents", type=int, default=16)
    parser.add_argument("--instances", type=int, default=16)
    parser.add_argument("--steps", type=int, default=1024)
    chosen = parser.parse_args()
    agent = make_agent(chosen.instances, chosen.steps)
    keys = jax.random.split(jax.random.key(0), chosen.agents)
    start = time.perf_counter()
    train = jax.jit(jax.vmap(PPO.train, in_axes=(None, 0))).lower(agent, keys).compile()
    compiled = time.perf_counter()
    _, counts = jax.block_until_ready(train(agent, keys))
    trained = time.perf_counter()
    assert int(counts.sum()) == chosen.agents * chosen.instances * chosen.steps
    print(json.dumps({"seconds": trained - compiled, "compile": compiled - start}))


if __name__ == "__main__":
    main()
