"""PPO as an agent."""

from __future__ import annotations

from typing import Any, ClassVar

from .._learning.agent import LearnerAgent
from .._learning.interface import Learner
from .cfg import PPOCfg
from .learner import PPOLearner


class PPO(LearnerAgent):
    """Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347).

    Action spaces: Discrete, MultiDiscrete, MultiBinary, and Box of floating-point numbers
    (normally distributed; clipped to the bounds on the way to the environment). Observations of
    any kind are taken: images go through convolutions, the rest is flattened. With a
    ``state_space`` the value network sees the privileged observations instead.

    Args:
        observation_space: Space of one instance's observation.
        action_space: Space of one instance's action.
        state_space: Space of one instance's privileged observation, or ``None``.
        device: Where the agent's tensors live.
        name: Name of the member; ``None``: the trainer gives it one.
        seed: Seed of everything random in the agent.
        cfg: A :class:`~coterie_agents.PPOCfg`, a mapping of its fields, or ``None``.
        models: Your own networks, ``{"policy": module, "value": module}``; ``None``: built from
            ``cfg.model``. They are trained where they are and never copied. Each takes the
            observations as the environment gives them, tensors ``[B, *shape]`` (a dict or tuple
            of them for Dict and Tuple spaces; the privileged ones for ``value`` where there is
            a ``state_space``). ``policy`` returns ``[B, n]``: logits of a Discrete space's
            actions, logits of all choices of a MultiDiscrete one side by side, a logit per bit
            of a MultiBinary one, or means of a Box, flattened. The standard deviations of a Box
            are the module's parameter ``log_std`` of shape ``[n]`` if it has one, otherwise the
            agent's own. ``value`` returns ``[B, 1]``.

    Raises:
        ConfigError: The settings, a space or a module can't be used.
    """

    kind: ClassVar[str] = "ppo"
    config_class: ClassVar[type[Any]] = PPOCfg
    learner_class: ClassVar[type[Learner]] = PPOLearner
    cfg: PPOCfg
    _learner: PPOLearner

    @property
    def learning_rate(self) -> float:
        """The learning rate now; a scheduler may have changed it."""
        return float(self._learner.optimizer.learning_rate[0])
