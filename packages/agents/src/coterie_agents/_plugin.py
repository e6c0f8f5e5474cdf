"""What this package offers; torch is not imported here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from coterie.plugins import AgentPlugin, hookimpl

from ._ppo.cfg import PPOCfg


def _ppo() -> type[Any]:
    from ._ppo.agent import PPO

    return PPO


@hookimpl
def coterie_agents() -> Iterable[AgentPlugin]:
    """Offer the agents of this package."""
    yield AgentPlugin(
        name="ppo",
        summary="proximal policy optimisation, discrete and continuous actions",
        config=PPOCfg,
        loader=_ppo,
    )
