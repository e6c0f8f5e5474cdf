"""DQN as an agent."""

from __future__ import annotations

from typing import Any, ClassVar

from .._learning.interface import Learner
from .._offpolicy.agent import OffPolicyAgent
from .cfg import DQNCfg
from .learner import DQNLearner


class DQN(OffPolicyAgent):
    """Deep Q-learning (Mnih et al. 2015), by default with double Q-learning.

    Action spaces: Discrete. Images go through convolutions of the built-in network, other
    observations are flattened. Settings make it double DQN (``double``, the default), dueling
    DQN (``dueling``), with n-step targets (``n_step``) and prioritised replay
    (``memory="prioritized"``).

    Args:
        observation_space: Space of one instance's observation.
        action_space: Space of one instance's action.
        state_space: Not used.
        device: Where the agent's tensors live.
        name: Name of the member; ``None``: the trainer gives it one.
        seed: Seed of everything random in the agent.
        cfg: A :class:`~coterie_agents.DQNCfg`, a mapping of its fields, or ``None``.
        models: Your own network, ``{"q": module}``; ``None``: built from ``cfg.model``. It is
            trained where it is; the target network is a copy. It takes the observations as the
            environment gives them, tensors ``[B, *shape]`` (a dict or tuple of them for Dict
            and Tuple spaces), and returns values ``[B, actions]``.
        memory: This member's part of a :class:`~coterie_agents.SharedReplay`: it then learns
            from what all members experience; ``None``: it has a memory of its own.

    Raises:
        ConfigError: The settings, a space, a module or the memory can't be used.
    """

    kind: ClassVar[str] = "dqn"
    config_class: ClassVar[type[Any]] = DQNCfg
    learner_class: ClassVar[type[Learner]] = DQNLearner
    cfg: DQNCfg
    _learner: DQNLearner

    @property
    def learning_rate(self) -> float:
        """The learning rate now; a scheduler may have changed it."""
        return float(self._learner.optimizer.learning_rate[0])

    @property
    def epsilon(self) -> float:
        """The probability of a random action now."""
        return float(self._learner.epsilon[0])
