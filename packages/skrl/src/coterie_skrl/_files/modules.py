"""skrl's checkpoints in skrl's agents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coterie import CheckpointMismatch
from coterie.config import did_you_mean


def modules_of(agent: Any) -> dict[str, Any]:
    """The state of every module that skrl writes to a checkpoint; by actor for a team."""
    if hasattr(agent, "possible_agents"):
        return {uid: _states(agent.checkpoint_modules[uid]) for uid in agent.possible_agents}
    return _states(agent.checkpoint_modules)


def load_modules(agent: Any, modules: Mapping[str, Any], path: Path) -> None:
    """Put a checkpoint into an agent of skrl, all of it or nothing.

    Args:
        agent: The agent, or multi-agent.
        modules: What the checkpoint holds.
        path: Where it came from, for messages.

    Raises:
        CheckpointMismatch: A module is missing or unknown, or another one's.
    """
    own: Mapping[str, Any] = agent.checkpoint_modules
    if hasattr(agent, "possible_agents"):
        own = {uid: agent.checkpoint_modules[uid] for uid in agent.possible_agents}
        _check_names(own, modules, path, "actor")
        pairs = [(f"{uid}: ", own[uid], modules[uid]) for uid in own]
    else:
        pairs = [("", own, modules)]
    for where, mine, given in pairs:
        _check_names(mine, given, path, f"{where}module")
    before = modules_of(agent)
    try:
        for where, mine, given in pairs:
            for name, module in mine.items():
                _load(module, given[name], f"{path}: {where}{name}")
    except CheckpointMismatch:
        _restore(own, before, hasattr(agent, "possible_agents"))
        raise


def _states(modules: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _copied(module.state_dict())
        for name, module in modules.items()
        if hasattr(module, "state_dict")
    }


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_copied(part) for part in value)
    return value.detach().clone() if hasattr(value, "detach") else value


def _check_names(own: Mapping[str, Any], given: Mapping[str, Any], path: Path, what: str) -> None:
    wanted = [name for name, module in own.items() if module is not None]
    unknown = [name for name in given if name not in own]
    missing = [name for name in wanted if name not in given]
    if unknown:
        near = did_you_mean(str(unknown[0]), wanted)
        raise CheckpointMismatch(
            f"{path} has a {what} {unknown[0]!r}, which this agent has not{near}; it has "
            f"{', '.join(wanted)}"
        )
    if missing:
        raise CheckpointMismatch(f"{path} lacks the {what} {missing[0]!r}, which this agent has")


def _load(module: Any, state: Any, where: str) -> None:
    try:
        module.load_state_dict(state)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointMismatch(f"{where} does not fit: {error}") from error
    if hasattr(module, "eval"):
        module.eval()


def _restore(own: Mapping[str, Any], before: Mapping[str, Any], team: bool) -> None:
    for name, state in before.items():
        if team:
            _restore(own[name], state, False)
        else:
            own[name].load_state_dict(state)
