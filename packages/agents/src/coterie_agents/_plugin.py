"""What this package offers; torch is not imported here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from coterie.plugins import AgentPlugin, hookimpl

from ._dqn.cfg import DQNCfg
from ._ppo.cfg import PPOCfg


def _dqn() -> type[Any]:
    from ._dqn.agent import DQN

    return DQN


def _ppo() -> type[Any]:
    from ._ppo.agent import PPO

    return PPO


@hookimpl
def coterie_agents() -> Iterable[AgentPlugin]:
    """Offer the agents of this package."""
    yield AgentPlugin(
        name="dqn",
        summary="deep Q-learning, double and dueling, discrete actions",
        config=DQNCfg,
        loader=_dqn,
    )
    yield AgentPlugin(
        name="ppo",
        summary="proximal policy optimisation, discrete and continuous actions",
        config=PPOCfg,
        loader=_ppo,
    )
