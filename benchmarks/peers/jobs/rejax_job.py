"""The job under rejax: agents, environment and learning are one compiled program.

The program is mapped over the agents' states. It does one rollout and its update per call, and the
caller looks at the clock in between; a job of a given length is rejax's own ``PPO.train``, compiled
whole, as its users have it. Nothing is evaluated.
"""

from __future__ import annotations

import time
from typing import Any

import jax
import jax.numpy as jnp
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
    WIDTHS,
)
from _watch import Watch, read_case
from gymnax.wrappers.purerl import LogEnvState, LogWrapper
from rejax import PPO

LIBRARIES = ["rejax", "jax", "gymnax"]


class Counted(LogWrapper):
    """gymnax's wrapper that counts returns; rejax copies environments, which it can't bear."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Counted:
        """Return itself: it keeps nothing."""
        return self

    def reset(self, key: jax.Array, params: Any = None) -> tuple[jax.Array, LogEnvState]:
        """Start counting with the types that a step returns, as a compiled program needs."""
        observation, state = super().reset(key, params)
        zero, none = jnp.float32(0), jnp.int32(0)
        return observation, LogEnvState(state.env_state, zero, none, zero, none)


def make_agent(case: dict[str, Any], timesteps: int) -> PPO:
    """Make the algorithm; where it is to be seen how it learns, the environment counts returns."""
    agent = PPO.create(
        env=ENV,
        agent_kwargs={"hidden_layer_sizes": WIDTHS, "activation": "tanh"},
        num_envs=case["instances"],
        num_steps=ROLLOUTS,
        num_epochs=EPOCHS,
        num_minibatches=MINI_BATCHES,
        learning_rate=LEARNING_RATE,
        gamma=DISCOUNT,
        gae_lambda=GAE_LAMBDA,
        clip_eps=CLIP,
        max_grad_norm=GRAD_NORM,
        vf_coef=1.0,  # it halves the squared error itself
        ent_coef=0.0,
        total_timesteps=timesteps * case["instances"],
        eval_freq=timesteps * case["instances"],
        skip_initial_evaluation=True,
    )
    if case["measure"] == "learn":
        agent = agent.replace(env=Counted(agent.env))
    return agent.replace(eval_callback=_count)


def _count(agent: PPO, state: Any, key: jax.Array) -> Any:
    """Stand in for an evaluation, which would play 128 episodes."""
    return state.global_step


def whole(case: dict[str, Any], keys: jax.Array, watch: Watch) -> None:
    """Train for a given number of timesteps by one program."""
    agent = make_agent(case, case["timesteps"])
    start = time.monotonic()
    train = jax.jit(jax.vmap(PPO.train, in_axes=(None, 0))).lower(agent, keys).compile()
    watch.note(compile=time.monotonic() - start)
    with watch.turn():
        watch.before()
        _, counts = jax.block_until_ready(train(agent, keys))
        watch.timesteps = int(counts.sum()) // (case["agents"] * case["instances"])


def by_rollouts(case: dict[str, Any], keys: jax.Array, watch: Watch) -> None:
    """Train rollout by rollout until it is enough."""
    agent = make_agent(case, FOREVER)
    start = time.monotonic()
    states = jax.jit(jax.vmap(agent.init_state))(keys)
    program = jax.jit(jax.vmap(agent.train_iteration), donate_argnums=0).lower(states).compile()
    watch.note(compile=time.monotonic() - start)
    with watch.turn():
        for _ in range(FOREVER // ROLLOUTS):
            watch.before()
            states = jax.block_until_ready(program(states))
            watch.timesteps += ROLLOUTS
            if case["measure"] == "learn":
                watch.returns(states.env_state.returned_episode_returns)


def main() -> None:
    """Compile, and train until it is enough."""
    case = read_case()
    watch = Watch(case, LIBRARIES)
    keys = jax.random.split(jax.random.key(case["seed"]), case["agents"])
    run = whole if case["measure"] == "whole" else by_rollouts
    run(case, keys, watch)
    watch.finish()


if __name__ == "__main__":
    main()
