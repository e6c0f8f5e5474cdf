"""Saving and loading gymnasium's vector environments, as far as every part of one is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import torch
from gymnasium import vector
from gymnasium.vector.utils import concatenate, create_empty_array, iterate

from coterie import ConfigError, EnvContractError
from coterie.spaces import space_leaves, tree_map

from .._states import list_of, load_tree, parts_of, save_tree
from .layers import after_loading, known_fields
from .trees import tensor_reader

PARTS = ("layers", "instances", "observations")
"""What a state is made of."""

_CPU = torch.device("cpu")


def can_save(env: vector.VectorEnv[Any, Any, Any]) -> bool:
    """Whether every wrapper and every instance of ``env`` is one that is known."""
    try:
        space_leaves(env.unwrapped.single_observation_space)
    except ConfigError:
        return False
    layers = [*vector_layers(env), *(part for one in _instances(env) for part in _layers(one))]
    return all(after_loading(one) is not None or known_fields(one) is not None for one in layers)


def save(env: vector.VectorEnv[Any, Any, Any]) -> dict[str, Any]:
    """Return everything that the following steps of ``env`` depend on.

    Args:
        env: A vector environment that :func:`can_save`.

    Returns:
        Tensors and plain values of their own: ``"layers"`` of the vector environment from the
        outermost wrapper on, ``"instances"`` with the layers of each, and ``"observations"``,
        the last ones of the instances.
    """
    return {
        "layers": [_save(one) for one in vector_layers(env)],
        "instances": [[_save(part) for part in _saved_layers(one)] for one in _instances(env)],
        "observations": _last_observations(env),
    }


def plan_loading(
    env: vector.VectorEnv[Any, Any, Any], state: Any, where: str
) -> list[Callable[[], None]]:
    """Check what :func:`save` returned, and say how ``env`` goes back to it.

    Args:
        env: A vector environment that :func:`can_save`.
        state: What was saved.
        where: What it is, for messages.

    Returns:
        Functions to be called one after the other; until then nothing has changed.

    Raises:
        EnvContractError: The state is damaged, or one of another environment.
    """
    parts = parts_of(state, PARTS, where)
    puts = _read_layers(vector_layers(env), parts["layers"], f"{where}.layers")
    instances = _instances(env)
    states = list_of(parts["instances"], len(instances), f"{where}.instances")
    for index, (one, saved) in enumerate(zip(instances, states, strict=True)):
        puts += _read_layers(_saved_layers(one), saved, f"{where}.instances[{index}]")
        puts += [_settle(layer) for layer in _layers(one) if after_loading(layer)]
    return [*puts, _read_observations(env, parts["observations"], f"{where}.observations")]


def vector_layers(env: vector.VectorEnv[Any, Any, Any]) -> list[Any]:
    """List the wrappers of a vector environment, the outermost first, and last what they wrap."""
    layers: list[Any] = [env]
    while isinstance(layers[-1], vector.VectorWrapper):
        layers.append(layers[-1].env)
    return layers


def _instances(env: vector.VectorEnv[Any, Any, Any]) -> list[gymnasium.Env[Any, Any]]:
    base = env.unwrapped
    return list(base.envs) if isinstance(base, vector.SyncVectorEnv) else []


def _layers(env: Any) -> Iterator[Any]:
    while isinstance(env, gymnasium.Wrapper):
        yield env
        env = env.env
    yield env


def _saved_layers(env: Any) -> list[Any]:
    return [layer for layer in _layers(env) if after_loading(layer) is None]


def _save(layer: Any) -> dict[str, Any]:
    fields = known_fields(layer) or ()
    return {"kind": type(layer).__name__, **{one.name: one.save(layer) for one in fields}}


def _read_layers(layers: list[Any], saved: Any, where: str) -> list[Callable[[], None]]:
    states = list_of(saved, len(layers), where)
    puts: list[Callable[[], None]] = []
    for index, (layer, state) in enumerate(zip(layers, states, strict=True)):
        fields, place = known_fields(layer) or (), f"{where}[{index}]"
        kind = state.get("kind") if isinstance(state, dict) else None
        if kind != type(layer).__name__:
            raise EnvContractError(f"{place}: expected a {type(layer).__name__}, got {kind!r}")
        parts = parts_of(state, ("kind", *(one.name for one in fields)), place)
        puts += [one.read(layer, parts[one.name], f"{place}.{one.name}") for one in fields]
    return puts


def _settle(layer: Any) -> Callable[[], None]:
    return lambda: vars(layer).update(after_loading(layer) or {})


def _last_observations(env: vector.VectorEnv[Any, Any, Any]) -> list[Any] | None:
    """What the instances of a :class:`SyncVectorEnv` observed: a partial reset needs it."""
    base: Any = env.unwrapped
    if not isinstance(base, vector.SyncVectorEnv):
        return None
    space = base.single_observation_space
    room: Any = create_empty_array(space, base.num_envs)
    batch = concatenate(space, base._env_obs, room)
    return save_tree(space, tensor_reader(space, _CPU)(batch))


def _read_observations(
    env: vector.VectorEnv[Any, Any, Any], saved: Any, where: str
) -> Callable[[], None]:
    base: Any = env.unwrapped
    if not isinstance(base, vector.SyncVectorEnv):
        if saved is not None:
            raise EnvContractError(f"{where}: expected None, got {type(saved).__name__}")
        return lambda: None
    tree = load_tree(base.single_observation_space, saved, base.num_envs, where)
    arrays = tree_map(torch.Tensor.numpy, tree)

    def put() -> None:
        base._env_obs = list(iterate(base.observation_space, arrays))

    return put
