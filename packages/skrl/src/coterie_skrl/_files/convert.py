"""skrl's checkpoints in Coterie's own agents, and back.

Both sides store a network as weights and biases, layer by layer; skrl's lie ``[out, in]``,
Coterie's ``[in, out]``. What the layers are called, and the functions between them, no checkpoint
tells: the networks must have the same layers and the same activations.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from coterie import Agent, CheckpointMismatch, ConfigError, State

from .modules import modules_of

_NETWORKS = {
    "a2c": {"policy": "policy", "value": "value"},
    "ppo": {"policy": "policy", "value": "value"},
    "rpo": {"policy": "policy", "value": "value"},
    "dqn": {"q": "q_network", "target": "target_q_network"},
}
"""Name of each network in Coterie, and in skrl, by kind of agent."""

_SCALERS = {
    "observations": "observation_preprocessor",
    "states": "state_preprocessor",
    "returns": "value_preprocessor",
}
_STATISTICS = {"mean": "running_mean", "variance": "running_variance", "count": "current_count"}


def networks_of(agent: Agent) -> dict[str, str]:
    """Names of an agent's networks, and what skrl calls them.

    Raises:
        ConfigError: Its networks are others than skrl's.
    """
    if agent.kind not in _NETWORKS:
        raise ConfigError(
            f"checkpoints of skrl can't be converted for agents of kind {agent.kind!r}, whose "
            f"networks answer other questions than skrl's; they can for {', '.join(_NETWORKS)}, "
            "and skrl's own agents of every kind train under Coterie as they are"
        )
    return _NETWORKS[agent.kind]


def to_coterie(agent: Agent, modules: Mapping[str, Any], path: Path) -> None:
    """Put networks and normalisation of a skrl checkpoint into an agent of Coterie.

    Optimisers start anew.

    Args:
        agent: The agent.
        modules: What the checkpoint holds.
        path: Where it came from, for messages.

    Raises:
        CheckpointMismatch: The networks have other layers, or only one side normalises.
        ConfigError: Agents of its kind can't be converted.
    """
    names = networks_of(agent)
    state = agent.state_dict()
    networks: dict[str, Any] = state["networks"]
    for own, theirs in names.items():
        if theirs not in modules:
            raise CheckpointMismatch(f"{path} has no module {theirs!r}, it has {_list(modules)}")
        networks[own] = _as_own(modules[theirs], networks[own], f"{path}: {theirs}")
    if networks.get("log_std") is not None:
        name = _log_std_name(modules["policy"], str(path))
        networks["log_std"] = _shaped(modules["policy"][name], networks["log_std"])
    scalers = state.get("scalers", {})
    for own, theirs in _SCALERS.items():
        _check_both(scalers.get(own) is not None, theirs in modules, own, path)
        if theirs in modules:
            scalers[own] = _statistics(modules[theirs], scalers[own], f"{path}: {theirs}")
    agent.load_state_dict(state)


def to_skrl_modules(agent: Agent, like: Any) -> dict[str, Any]:
    """Put networks and normalisation of an agent of Coterie into the modules of skrl's ``like``.

    Args:
        agent: The agent of Coterie.
        like: An agent of skrl with the same layers; not changed.

    Returns:
        Modules as skrl writes them, with the optimiser of ``like``.

    Raises:
        CheckpointMismatch: The networks have other layers, or only one side normalises.
        ConfigError: Agents of its kind can't be converted.
    """
    names, state, modules = networks_of(agent), agent.state_dict(), modules_of(like)
    where = type(like).__name__
    for own, theirs in names.items():
        if theirs not in modules:
            raise CheckpointMismatch(f"{where} has no module {theirs!r}, it has {_list(modules)}")
        mine = state["networks"][own]
        modules[theirs] = _as_theirs(mine, modules[theirs], f"{where}: {theirs}")
    if state["networks"].get("log_std") is not None:
        name = _log_std_name(modules["policy"], where)
        modules["policy"][name] = _shaped(state["networks"]["log_std"], modules["policy"][name])
    for own, theirs in _SCALERS.items():
        scaler = state.get("scalers", {}).get(own)
        _check_both(scaler is not None, theirs in modules, own, where)
        if scaler is not None:
            for part, name in _STATISTICS.items():
                value = torch.as_tensor(scaler[part], dtype=torch.float64)
                modules[theirs][name] = _shaped(value, modules[theirs][name])
    return modules


def _layers(module: Mapping[str, torch.Tensor], where: str) -> list[tuple[str, str]]:
    """Names of weight and bias of each layer, in order."""
    weights = [name for name, tensor in module.items() if tensor.ndim > 1]
    pairs = [(name, f"{name.removesuffix('weight')}bias") for name in weights]
    for weight, bias in pairs:
        if not weight.endswith("weight") or module[weight].ndim > 2 or bias not in module:
            raise CheckpointMismatch(
                f"{where}: {weight!r} is no linear layer with a bias; only such layers convert"
            )
    return pairs


def _as_own(module: Mapping[str, torch.Tensor], own: State, where: str) -> State:
    """Turn a network of skrl into Coterie's names and layout."""
    found: dict[str, torch.Tensor] = {}
    for number, (weight, bias) in enumerate(_layers(module, where)):
        found[f"weight_{number}"] = module[weight].T
        found[f"bias_{number}"] = module[bias].unsqueeze(0)
    _check_shapes(found, own, where)
    return {name: _shaped(tensor, own[name]) for name, tensor in found.items()}


def _as_theirs(own: State, module: Mapping[str, torch.Tensor], where: str) -> State:
    """Turn a network of Coterie into the names and layout that one of skrl has."""
    _as_own(module, own, where)  # which checks the layers
    found = dict(module)
    for number, (weight, bias) in enumerate(_layers(module, where)):
        found[weight] = _shaped(own[f"weight_{number}"].T, module[weight])
        found[bias] = _shaped(own[f"bias_{number}"].flatten(), module[bias])
    return found


def _check_shapes(found: State, own: State, where: str) -> None:
    theirs = [tuple(found[name].shape) for name in found if name.startswith("weight")]
    mine = [tuple(own[name].shape) for name in own if name.startswith("weight")]
    if theirs != mine:
        raise CheckpointMismatch(
            f"{where} has layers of (inputs, outputs) {theirs}, this agent's network {mine}"
        )


def _log_std_name(policy: Mapping[str, torch.Tensor], where: str) -> str:
    names = [name for name, tensor in policy.items() if "log_std" in name and tensor.ndim == 1]
    if len(names) != 1:
        raise CheckpointMismatch(
            f"{where}: expected one parameter for the logarithm of the standard deviation in the "
            f"policy, got {names or 'none'}"
        )
    return names[0]


def _statistics(module: Mapping[str, torch.Tensor], own: State, where: str) -> State:
    found = {mine: module[name] for mine, name in _STATISTICS.items()}
    for name in ("mean", "variance"):
        if found[name].numel() != own[name].numel():
            raise CheckpointMismatch(
                f"{where} normalises {found[name].numel()} numbers, this agent {own[name].numel()}"
            )
    return {
        "count": float(found["count"]),
        "mean": _shaped(found["mean"], own["mean"]),
        "variance": _shaped(found["variance"], own["variance"]),
    }


def _check_both(here: bool, there: bool, what: str, where: Any) -> None:
    if here != there:
        does, does_not = (f"{where}", "this agent") if there else ("this agent", f"{where}")
        raise CheckpointMismatch(
            f"{does} normalises {what} and {does_not} does not; a network of the one means "
            "nothing to the other"
        )


def _shaped(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return tensor.detach().to(like.device, like.dtype, copy=True).reshape(like.shape).contiguous()


def _list(modules: Mapping[str, Any]) -> str:
    return ", ".join(map(str, modules))
