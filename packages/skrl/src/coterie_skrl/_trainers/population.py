"""From what a script of skrl hands to a trainer to a population."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

from coterie import Agent, ConfigError, VectorEnv, wrap_env

from .._agents.agent import SkrlAgent
from .._agents.team import SkrlTeam
from .._envs.adapter import wrapped
from .._envs.recognise import is_wrapper

_log = logging.getLogger("coterie")


def adapt(
    agent: Any,
    *,
    name: str | None = None,
    seed: int | None = None,
    cfg: Any = None,
) -> SkrlAgent | SkrlTeam:
    """Bring an agent or a multi-agent of skrl to Coterie's contract.

    Args:
        agent: The agent; it is used itself, not a copy.
        name: Name of the member; ``None``: the trainer gives it one.
        seed: Seed of everything random in the agent, and of its scope's instances; ``None``: the
            one of skrl's ``set_seed``.
        cfg: An instance of :class:`SkrlCfg`, a mapping of its fields, or ``None``.

    Raises:
        ConfigError: It is no agent of skrl for torch, or a setting is wrong.
    """
    from skrl.agents.torch import Agent as Single
    from skrl.multi_agents.torch import MultiAgent as Team

    if isinstance(agent, Team):
        return SkrlTeam(agent, name=name, seed=seed, cfg=cfg)
    if isinstance(agent, Single):
        return SkrlAgent(agent, name=name, seed=seed, cfg=cfg)
    raise ConfigError(
        f"expected an agent of skrl.agents.torch or skrl.multi_agents.torch, got "
        f"{type(agent).__module__}.{type(agent).__qualname__}"
    )


def adapt_env(env: Any, faithful: bool) -> VectorEnv:
    """Bring an environment to Coterie's contract, wrapped by skrl or not.

    Args:
        env: The environment.
        faithful: Whether to hand on exactly what skrl's trainers see.

    Raises:
        ConfigError: Nobody recognises it.
    """
    if is_wrapper(env):
        return wrapped(env, faithful=faithful)
    return wrap_env(env)


def adapt_agents(
    agents: Sequence[Any], cfg: Any, faithful: bool, seeds: Sequence[int] | None
) -> list[Agent]:
    """Bring the agents of a script to the contract, each with a seed and files of its own.

    Args:
        agents: Agents of skrl, and of Coterie.
        cfg: skrl's configuration of the trainer.
        faithful: Whether to do exactly what skrl's trainers do; one agent then draws from the
            process-wide generators.
        seeds: A seed for each; ``None``: the one of skrl's ``set_seed``, and those after it.

    Raises:
        ConfigError: There are not as many seeds as agents, or one is no agent.
    """
    from skrl import config

    alone = len(agents) == 1
    if seeds is None:
        seeds = range(config.torch.key, config.torch.key + len(agents))
    if len(seeds) != len(agents):
        raise ConfigError(f"seeds has {len(seeds)} entries for {len(agents)} agents")
    use = {
        "faithful": faithful,
        "own_streams": not (faithful and alone),
        "environment_info": cfg.environment_info,
        "timesteps": cfg.timesteps,
    }
    _keep_files_apart(agents)
    return [
        agent if isinstance(agent, Agent) else adapt(agent, seed=seed, cfg=use)
        for agent, seed in zip(agents, seeds, strict=True)
    ]


def _keep_files_apart(agents: Sequence[Any]) -> None:
    """Give agents that would write to one folder folders of their own."""
    taken: set[str] = set()
    for index, agent in enumerate(agents):
        folder = getattr(agent, "experiment_dir", None)
        if folder is None:
            continue
        if os.path.abspath(folder) in taken:
            agent.experiment_dir = f"{folder}_{index}"
            _log.warning(
                "agents[%d] would write to %s, as another does; it writes to %s",
                index,
                folder,
                agent.experiment_dir,
            )
        taken.add(os.path.abspath(agent.experiment_dir))


def split_settings(cfg: Any, kind: type[Any]) -> tuple[Any, dict[str, Any]]:
    """Read the configuration of a script: skrl's dataclass, or a dict that may have more in it.

    Args:
        cfg: What the script gave.
        kind: skrl's dataclass.

    Returns:
        An object of skrl's dataclass, and the settings for Coterie's trainer.

    Raises:
        ConfigError: It is neither.
    """
    names = {field.name for field in dataclasses.fields(kind)}
    if isinstance(cfg, Mapping):
        return kind(**{k: v for k, v in cfg.items() if k in names}), dict(cfg)
    if isinstance(cfg, kind) or dataclasses.is_dataclass(cfg):
        return cfg, {f.name: getattr(cfg, f.name) for f in dataclasses.fields(cfg)}
    raise ConfigError(
        f"cfg must be a dict or a {kind.__name__} of skrl, got {type(cfg).__module__}."
        f"{type(cfg).__qualname__}"
    )
