"""Which kind an environment is, told by the names in its classes. Nothing is imported here."""

from __future__ import annotations

from typing import Any


def is_brax(env: Any) -> bool:
    """Whether it is one of Brax's environments."""
    return _has_base(env, "brax", "Env")


def is_envpool(env: Any) -> bool:
    """Whether it is a pool of EnvPool."""
    return _has_base(env, "envpool", "EnvPoolMixin")


def is_isaaclab(env: Any) -> bool:
    """Whether it is one of Isaac Lab's environments, in gymnasium's wrappers or not."""
    return any(
        _has_base(env, package, name)
        for env in (env, _innermost(env))
        for package in ("isaaclab", "omni")
        for name in ("DirectRLEnv", "ManagerBasedRLEnv", "DirectMARLEnv")
    )


def is_maniskill(env: Any) -> bool:
    """Whether it is one of ManiSkill's batched environments, in its vector wrapper or not."""
    if any(type(layer).__name__ == "CPUGymWrapper" for layer in _layers(env)):
        return False  # one instance in numpy, as gymnasium has it
    return any(
        _has_base(env, "mani_skill", name)
        for env in (env, _innermost(env))
        for name in ("BaseEnv", "ManiSkillVectorEnv")
    )


def is_pettingzoo(env: Any) -> bool:
    """Whether it is one of PettingZoo's environments, a class of them, or a list of these."""
    if isinstance(env, list | tuple):
        return bool(env) and all(map(is_pettingzoo, env))
    kind = env if isinstance(env, type) else type(env)
    return any(_has_kind(kind, "pettingzoo", name) for name in ("ParallelEnv", "AECEnv"))


def is_vmas(env: Any) -> bool:
    """Whether it is an environment of VMAS, without its wrappers for other libraries."""
    return _has_base(env, "vmas", "Environment")


def is_playground(env: Any) -> bool:
    """Whether it is one of MuJoCo Playground's environments."""
    return _has_base(env, "mujoco_playground", "MjxEnv")


def is_gymnasium(env: Any) -> bool:
    """Whether it has gymnasium's interface, and no kind of its own."""
    if is_envpool(env) or is_isaaclab(env) or is_maniskill(env):
        return False
    return any(_has_base(env, "gymnasium", name) for name in ("Env", "VectorEnv"))


def _has_base(env: Any, package: str, name: str) -> bool:
    return _has_kind(type(env), package, name)


def _has_kind(kind: type[Any], package: str, name: str) -> bool:
    return any(
        base.__module__.partition(".")[0] == package and base.__name__ == name
        for base in kind.__mro__
    )


def _layers(env: Any) -> list[Any]:
    """The environment and those that it wraps, outermost first."""
    layers = [env]
    while len(layers) < 64 and _has_base(layers[-1], "gymnasium", "Wrapper"):
        layers.append(layers[-1].env)
    return layers


def _innermost(env: Any) -> Any:
    return _layers(env)[-1]
