"""Cutting the states of gymnasium's vector environments, where no layer is shared by instances."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from gymnasium import vector

from coterie import EnvContractError

from .._cutting import check_scopes, cut_tree, join_trees
from .._states import BIGGEST, count_of, list_of, parts_of
from .layers import fields_by_instance
from .saving import PARTS, can_save, vector_layers

WHOLE = ("num_envs", "autoreset_mode", "env", "observations")
"""Parts of the state of a whole environment."""


def can_cut(env: vector.VectorEnv[Any, Any, Any]) -> bool:
    """Whether ``env`` can be saved, and keeps nothing but what belongs to one instance each.

    It has to step its instances one by one. Wrappers of the whole vector that keep something, such
    as running statistics, keep it for all instances together.
    """
    if not (isinstance(env.unwrapped, vector.SyncVectorEnv) and can_save(env)):
        return False
    return all(map(fields_by_instance, vector_layers(env)))


def cut(
    env: vector.VectorEnv[Any, Any, Any], state: Any, scopes: Sequence[slice], where: str
) -> list[dict[str, Any]]:
    """Cut a state by instance.

    Args:
        env: An environment of the same kind that :func:`can_cut`.
        state: What :meth:`GymnasiumEnv.state_dict` returned.
        scopes: Which instances each part holds.
        where: What the state is, for messages.

    Raises:
        EnvContractError: It is damaged, or one of another kind of environment.
        ValueError: A scope is empty or goes beyond the instances.
    """
    whole, parts, count = _read(env, state, where)
    return [
        {
            "num_envs": scope.stop - scope.start,
            "autoreset_mode": whole["autoreset_mode"],
            "env": {
                "layers": cut_tree(parts["layers"], count, scope, f"{where}.layers"),
                "instances": deepcopy(list(parts["instances"][scope])),
                "observations": cut_tree(
                    parts["observations"], count, scope, f"{where}.env.observations"
                ),
            },
            "observations": cut_tree(whole["observations"], count, scope, f"{where}.observations"),
        }
        for scope in check_scopes(scopes, count)
    ]


def join(env: vector.VectorEnv[Any, Any, Any], states: Sequence[Any], where: str) -> dict[str, Any]:
    """Undo :func:`cut`.

    Raises:
        EnvContractError: A state is damaged, or they are not of one kind of environment.
    """
    read = [_read(env, state, where) for state in states]
    shared = join_trees(
        [
            {
                "autoreset_mode": whole["autoreset_mode"],
                "layers": parts["layers"],
                "env.observations": parts["observations"],
                "observations": whole["observations"],
            }
            for whole, parts, _ in read
        ],
        where,
    )
    return {
        "num_envs": sum(count for *_, count in read),
        "autoreset_mode": shared["autoreset_mode"],
        "env": {
            "layers": shared["layers"],
            "instances": [deepcopy(one) for _, parts, _ in read for one in parts["instances"]],
            "observations": shared["env.observations"],
        },
        "observations": shared["observations"],
    }


def _read(env: vector.VectorEnv[Any, Any, Any], state: Any, where: str) -> tuple[Any, Any, int]:
    """Return a state, its part ``"env"`` and its number of instances, as far as both fit."""
    whole = parts_of(state, WHOLE, where)
    count = count_of(whole["num_envs"], f"{where}.num_envs", BIGGEST)
    parts = parts_of(whole["env"], PARTS, f"{where}.env")
    list_of(parts["instances"], count, f"{where}.instances")
    layers = vector_layers(env)
    saved = list_of(parts["layers"], len(layers), f"{where}.layers")
    found = [one.get("kind") if isinstance(one, dict) else None for one in saved]
    expected = [type(layer).__name__ for layer in layers]
    if found != expected:
        raise EnvContractError(f"{where}.layers: expected {expected}, got {found}")
    return whole, parts, count
