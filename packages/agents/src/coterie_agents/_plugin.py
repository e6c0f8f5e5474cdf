"""What this package offers; torch is not imported here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from coterie.plugins import AgentPlugin, hookimpl

from ._a2c.cfg import A2CCfg
from ._ddpg.cfg import DDPGCfg
from ._dqn.cfg import DQNCfg
from ._ippo.cfg import IPPOCfg
from ._mappo.cfg import MAPPOCfg
from ._ppo.cfg import PPOCfg
from ._ppo_rnn.cfg import PPORNNCfg
from ._rpo.cfg import RPOCfg
from ._sac.cfg import SACCfg
from ._sac_rnn.cfg import SACRNNCfg
from ._td3.cfg import TD3Cfg


def _a2c() -> type[Any]:
    from ._a2c.agent import A2C

    return A2C


def _ddpg() -> type[Any]:
    from ._ddpg.agent import DDPG

    return DDPG


def _dqn() -> type[Any]:
    from ._dqn.agent import DQN

    return DQN


def _ippo() -> type[Any]:
    from ._ippo.agent import IPPO

    return IPPO


def _mappo() -> type[Any]:
    from ._mappo.agent import MAPPO

    return MAPPO


def _ppo() -> type[Any]:
    from ._ppo.agent import PPO

    return PPO


def _ppo_rnn() -> type[Any]:
    from ._ppo_rnn.agent import PPORNN

    return PPORNN


def _rpo() -> type[Any]:
    from ._rpo.agent import RPO

    return RPO


def _sac() -> type[Any]:
    from ._sac.agent import SAC

    return SAC


def _sac_rnn() -> type[Any]:
    from ._sac_rnn.agent import SACRNN

    return SACRNN


def _td3() -> type[Any]:
    from ._td3.agent import TD3

    return TD3


@hookimpl
def coterie_agents() -> Iterable[AgentPlugin]:
    """Offer the agents of this package."""
    yield AgentPlugin(
        name="a2c",
        summary="advantage actor-critic, discrete and continuous actions",
        config=A2CCfg,
        loader=_a2c,
    )
    yield AgentPlugin(
        name="ddpg",
        summary="deep deterministic policy gradient, bounded continuous actions",
        config=DDPGCfg,
        loader=_ddpg,
    )
    yield AgentPlugin(
        name="dqn",
        summary="deep Q-learning, double and dueling, discrete actions",
        config=DQNCfg,
        loader=_dqn,
    )
    yield AgentPlugin(
        name="ippo",
        summary="independent PPO for teams, shared or separate networks",
        config=IPPOCfg,
        loader=_ippo,
    )
    yield AgentPlugin(
        name="mappo",
        summary="PPO for teams with a central critic on the shared state",
        config=MAPPOCfg,
        loader=_mappo,
    )
    yield AgentPlugin(
        name="ppo",
        summary="proximal policy optimisation, discrete and continuous actions",
        config=PPOCfg,
        loader=_ppo,
    )
    yield AgentPlugin(
        name="ppo_rnn",
        summary="PPO with memory (GRU or LSTM), discrete and continuous actions",
        config=PPORNNCfg,
        loader=_ppo_rnn,
    )
    yield AgentPlugin(
        name="rpo",
        summary="robust policy optimisation, continuous actions",
        config=RPOCfg,
        loader=_rpo,
    )
    yield AgentPlugin(
        name="sac",
        summary="soft actor-critic with a learned temperature, bounded continuous actions",
        config=SACCfg,
        loader=_sac,
    )
    yield AgentPlugin(
        name="sac_rnn",
        summary="soft actor-critic with memory (GRU or LSTM), bounded continuous actions",
        config=SACRNNCfg,
        loader=_sac_rnn,
    )
    yield AgentPlugin(
        name="td3",
        summary="twin delayed deep deterministic policy gradient, bounded continuous actions",
        config=TD3Cfg,
        loader=_td3,
    )
