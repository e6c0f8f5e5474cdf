"""What is compiled: a reset and a step of many instances of a functional environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def compile_reset(env: Any) -> Callable[[Any, Any], Any]:
    """Compile the reset of a batch.

    Args:
        env: An environment with ``reset(key) -> state``.

    Returns:
        A function of seeds (uint32 ``[N]``) and numbers of episodes (int32 ``[N]``); the key of
        an episode is the seed's key, folded with its number. It returns the states.
    """

    def reset(seed: Any, episode: Any) -> Any:
        return env.reset(jax.random.fold_in(jax.random.PRNGKey(seed), episode))

    compiled: Callable[[Any, Any], Any] = jax.jit(jax.vmap(reset))
    return compiled


def compile_step(env: Any, action_repeat: int, limit: int | None) -> Callable[..., Any]:
    """Compile a step of a batch, without any reset.

    Args:
        env: An environment with ``step(state, action) -> state``.
        action_repeat: How often an action is applied; rewards are added up until the episode
            ends.
        limit: Steps (of the whole, not of the simulator) after which an episode is truncated.

    Returns:
        A function of states, elapsed steps (int32 ``[N]``) and actions ``[N, ...]``, which
        returns states, elapsed steps, rewards (float32), terminated and truncated (bool).
    """

    def once(state: Any, action: Any) -> Any:
        return env.step(state, action)

    def repeated(state: Any, action: Any) -> tuple[Any, Any]:
        def again(carried: tuple[Any, Any], _: None) -> tuple[Any, None]:
            current, total = carried
            following = once(current, action)
            over = current.done > 0.5
            kept = jax.tree.map(lambda old, new: jnp.where(over, old, new), current, following)
            return (kept, total + jnp.where(over, 0.0, following.reward)), None

        start = once(state, action)
        if action_repeat == 1:
            return start, start.reward
        end: tuple[Any, Any]
        end, _ = jax.lax.scan(again, (start, start.reward), None, action_repeat - 1)
        return end

    def step(states: Any, elapsed: Any, actions: Any) -> tuple[Any, ...]:
        following, rewards = jax.vmap(repeated)(states, actions)
        elapsed = elapsed + 1
        terminated = following.done > 0.5
        late = jnp.zeros_like(terminated) if limit is None else elapsed >= limit
        return following, elapsed, rewards.astype(jnp.float32), terminated, late & ~terminated

    compiled: Callable[..., Any] = jax.jit(step)
    return compiled


def compile_merge() -> Callable[..., Any]:
    """Compile the choice, instance by instance, between states after a step and fresh ones.

    Returns:
        A function of a mask (bool ``[N]``: take the fresh one), fresh states and states. What
        has no entry per instance is kept as the step left it.
    """

    def merge(mask: Any, fresh: Any, states: Any) -> Any:
        def choose(new: Any, old: Any) -> Any:
            if old.shape[:1] != mask.shape:
                return old
            return jnp.where(mask.reshape(mask.shape + (1,) * (old.ndim - 1)), new, old)

        return jax.tree.map(choose, fresh, states)

    compiled: Callable[..., Any] = jax.jit(merge)
    return compiled


def shape_of(env: Any) -> Any:
    """Find the shapes and dtypes of a state of one instance, without computing one."""
    return jax.eval_shape(env.reset, jax.random.PRNGKey(0))
