"""IPPO as a team."""

from __future__ import annotations

from typing import Any, ClassVar

from .._learning.interface import Learner
from .._teams.agent import LearnerTeam
from .cfg import IPPOCfg
from .learner import IPPOLearner


class IPPO(LearnerTeam):
    """Independent PPO (de Witt et al. 2020, arXiv:2011.09533).

    Each actor learns PPO on its own observations, actions and rewards, as if the others were part
    of the environment; actors with equal spaces may share networks (``cfg.sharing``). The rows
    of actors that are gone until the episode is over take part in nothing. A team of one actor is
    a :class:`~coterie_agents.PPO` agent, bit for bit; an environment's state is not looked at.

    Action and observation spaces of the actors are those that PPO takes.

    Args:
        observation_space: ``spaces.Dict`` with the space of one actor's observation for each.
        action_space: The same for actions.
        state_space: Not used.
        device: Where the team's tensors live.
        name: Name of the member; ``None``: the trainer gives it one.
        seed: Seed of everything random in the team.
        cfg: A :class:`~coterie_agents.IPPOCfg`, a mapping of its fields, or ``None``.
        models: Your own networks, ``{"policy": module, "value": module}``, which all actors
            share; ``None``: built from ``cfg.model``. They take in and give what
            :class:`~coterie_agents.PPO` says, for a batch of actors and instances; with
            ``cfg.actor_id`` a tuple of the observations and the actors' numbers (int64 ``[B]``).

    Raises:
        ConfigError: The settings, a space or a module can't be used.
    """

    kind: ClassVar[str] = "ippo"
    config_class: ClassVar[type[Any]] = IPPOCfg
    learner_class: ClassVar[type[Learner]] = IPPOLearner
    cfg: IPPOCfg
    _learner: IPPOLearner
