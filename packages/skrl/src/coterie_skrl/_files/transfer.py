"""skrl's checkpoints into agents, and agents into skrl's checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from coterie import Agent, ConfigError

from .._agents.adapted import Adapted
from .convert import to_coterie, to_skrl_modules
from .disk import read_modules, write_modules
from .modules import load_modules, modules_of


def from_skrl(path: str | Path, agent: Any) -> None:
    """Read a checkpoint that skrl wrote, ``agent_1000.pt`` or ``best_agent.pt``, into an agent.

    Nothing in the file is executed: it is read with ``weights_only=True``. Either all of it is
    taken over or, with an error, nothing.

    Args:
        path: The file.
        agent: An agent of skrl, adapted or not, which takes over every module; or one of
            Coterie's ``ppo``, ``a2c``, ``rpo`` and ``dqn`` with the same layers and activations,
            which takes over networks and normalisation.

    Raises:
        CheckpointNotFound: There is no such file.
        CheckpointUnsafe: There are objects in it that only running code could make.
        CheckpointCorrupt: It is damaged, or no checkpoint.
        CheckpointMismatch: It is another agent's; the message names the module.
        ConfigError: Agents of this kind can't be converted.
    """
    path = Path(path)
    modules = read_modules(path, torch.device(getattr(agent, "device", "cpu")))
    theirs = _skrl_agent(agent)
    if theirs is not None:
        load_modules(theirs, modules, path)
    else:
        to_coterie(_own_agent(agent), modules, path)


def to_skrl(agent: Any, path: str | Path, *, like: Any = None) -> None:
    """Write an agent to a checkpoint that skrl's ``agent.load(path)`` reads.

    Args:
        agent: An agent of skrl, adapted or not; or one of Coterie's ``ppo``, ``a2c``, ``rpo``
            and ``dqn``.
        path: The file; an older one stays until the new one is whole.
        like: For an agent of Coterie: the agent of skrl that will read the file, whose layers
            tell what skrl calls them. It is not changed; its optimiser is written as it is.

    Raises:
        CheckpointWriteError: It could not be written.
        CheckpointMismatch: ``like`` has other layers, or only one of the two normalises.
        ConfigError: ``like`` is missing, or agents of this kind can't be converted.
    """
    theirs = _skrl_agent(agent)
    if theirs is not None:
        write_modules(Path(path), modules_of(theirs))
        return
    own = _own_agent(agent)
    model = _skrl_agent(like)
    if model is None:
        raise ConfigError(
            "like= must be the agent of skrl that will read the file: a checkpoint of skrl stores "
            "layers by the names that its model gives them"
        )
    write_modules(Path(path), to_skrl_modules(own, model))


def _skrl_agent(agent: Any) -> Any:
    """The agent of skrl that something is or holds; ``None``: it is none."""
    if isinstance(agent, Adapted):
        return agent.agent
    return agent if hasattr(agent, "checkpoint_modules") else None


def _own_agent(agent: Any) -> Agent:
    if not isinstance(agent, Agent):
        raise ConfigError(
            f"expected an agent of skrl or of Coterie, got {type(agent).__module__}."
            f"{type(agent).__qualname__}"
        )
    return agent
