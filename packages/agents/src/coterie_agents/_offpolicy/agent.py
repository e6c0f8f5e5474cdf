"""An off-policy agent: a learner with one member, and where its memory lies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from gymnasium import spaces
from torch import nn

from .._learning.agent import LearnerAgent
from .._memory.shared import SharedReplayPart
from .learner import OffPolicyLearner
from .sharing import check_shared


class OffPolicyAgent(LearnerAgent):
    """An agent that samples from a replay memory, its own or one that members share.

    Args:
        observation_space: Space of one instance's observation.
        action_space: Space of one instance's action.
        state_space: Space of one instance's privileged observation, or ``None``.
        device: Where the agent's tensors live.
        name: Name of the member; ``None``: the trainer gives it one.
        seed: Seed of everything random in the agent.
        cfg: An instance of the configuration class, a mapping of its fields, or ``None``.
        models: Your own modules, by name; ``None``: built from the settings.
        memory: This member's part of a :class:`~coterie_agents.SharedReplay`: it then learns
            from what all members experience; ``None``: it has a memory of its own.

    Raises:
        ConfigError: The settings, a space, a module or the memory can't be used.
    """

    _learner: OffPolicyLearner

    def __init__(
        self,
        *,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        state_space: spaces.Space[Any] | None = None,
        device: str | torch.device = "cpu",
        name: str | None = None,
        seed: int = 0,
        cfg: Any = None,
        models: Mapping[str, nn.Module] | None = None,
        memory: SharedReplayPart | None = None,
    ) -> None:
        super().__init__(
            observation_space=observation_space,
            action_space=action_space,
            state_space=state_space,
            device=device,
            name=name,
            seed=seed,
            cfg=cfg,
            models=models,
        )
        if memory is not None:
            self._learner.share(memory)

    @property
    def saves_everything(self) -> bool:
        """Whether training goes on from a saved state bit for bit: if the memory is part of it."""
        return bool(self.cfg.checkpoint_memory)

    def check_scope(self, num_envs: int) -> None:
        """Check that the agent can learn from ``num_envs`` instances.

        Raises:
            ConfigError: Its memory is too small for them, or made for another number.
        """
        memory = self._learner.memory
        if isinstance(memory, SharedReplayPart):
            check_shared(self.cfg, memory, num_envs)
        else:
            super().check_scope(num_envs)
