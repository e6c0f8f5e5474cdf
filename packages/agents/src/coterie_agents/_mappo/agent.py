"""MAPPO as a team."""

from __future__ import annotations

from typing import Any, ClassVar

from .._learning.interface import Learner
from .._teams.agent import LearnerTeam
from .cfg import MAPPOCfg
from .learner import MAPPOLearner


class MAPPO(LearnerTeam):
    """PPO with a central critic (Yu et al. 2022, arXiv:2103.01955).

    Policies see the observations of their actors; value networks, which are needed in training
    only, see more: the environment's state where it has one (each actor's own where there are
    several), otherwise the observations of all actors side by side, with zeros for those that are
    gone. The rows of actors that are gone until the episode is over take part in nothing.

    Action and observation spaces of the actors are those that PPO takes.

    Args:
        observation_space: ``spaces.Dict`` with the space of one actor's observation for each.
        action_space: The same for actions.
        state_space: Space of the state that the actors share, or a ``spaces.Dict`` keyed by the
            actors where each has one of its own; ``None``: there is none.
        device: Where the team's tensors live.
        name: Name of the member; ``None``: the trainer gives it one.
        seed: Seed of everything random in the team.
        cfg: A :class:`~coterie_agents.MAPPOCfg`, a mapping of its fields, or ``None``.
        models: Your own networks, ``{"policy": module, "value": module}``, which all actors
            share; ``None``: built from ``cfg.model``. They take in and give what
            :class:`~coterie_agents.PPO` says, for a batch of actors and instances; ``value`` takes
            in states, or a tuple of all actors' observations; with ``cfg.actor_id`` both take a
            tuple of that and the actors' numbers (int64 ``[B]``).

    Raises:
        ConfigError: The settings, a space or a module can't be used.
    """

    kind: ClassVar[str] = "mappo"
    config_class: ClassVar[type[Any]] = MAPPOCfg
    learner_class: ClassVar[type[Learner]] = MAPPOLearner
    cfg: MAPPOCfg
    _learner: MAPPOLearner
