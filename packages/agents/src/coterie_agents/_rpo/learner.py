"""RPO for a stack of members."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from attrs import evolve
from gymnasium import spaces

from coterie import ConfigError

from .._learning.settings import stack_field
from .._ppo.hyper import Hyper
from .._ppo.learner import PPOLearner
from .._ppo.rollout import Samples
from .cfg import RPOCfg


class RPOLearner(PPOLearner):
    """``P`` RPO members: PPO whose means are disturbed when it learns.

    The arguments are those of :class:`~coterie_agents.Learner`.

    Raises:
        ConfigError: The action space is no Box, or a space or a module can't be used.
        ValueError: Settings differ that may not.

    Attributes:
        alpha: Half-width of each member's noise, ``[P]``.
    """

    kind: ClassVar[str] = "RPO"
    per_member: ClassVar[tuple[str, ...]] = (*PPOLearner.per_member, "alpha")
    cfg: RPOCfg
    cfgs: tuple[RPOCfg, ...]

    def __init__(self, **arguments: Any) -> None:
        space = arguments["action_space"]
        if not isinstance(space, spaces.Box):
            raise ConfigError(
                f"RPO disturbs the means of real actions, so it needs a Box action space, not "
                f"{space}: take PPO, which knows other spaces too"
            )
        super().__init__(**arguments)

    def stack_settings(self) -> Hyper:
        """Lay the settings that may differ side by side, ``[P]`` each."""
        self.alpha = stack_field(self.cfgs, "alpha", self.dtype, self.device)
        return super().stack_settings()

    def batches(self, samples: Samples) -> Iterable[Samples]:
        """Cut one epoch's samples into mini-batches and disturb each (algorithm 1 of the paper).

        A normal density depends on the difference of action and mean only: adding noise to the
        means is taking it from the actions.

        Args:
            samples: All of them, ``[P, B, ...]``.

        Yields:
            Mini-batches ``[P, b, ...]``.
        """
        disturbed = any(cfg.alpha > 0 for cfg in self.cfgs)
        for batch in super().batches(samples):
            actions = batch.actions - self._disturbance(batch.actions) if disturbed else None
            yield batch if actions is None else evolve(batch, actions=actions)

    def _disturbance(self, actions: torch.Tensor) -> torch.Tensor:
        """Draw noise from -alpha to alpha like ``actions``; a member without alpha draws none."""
        noise = torch.zeros_like(actions)
        for own, cfg, generator in zip(noise, self.cfgs, self.generators, strict=True):
            if cfg.alpha > 0:
                drawn = torch.rand(own.shape, generator=generator, device=generator.device)
                own.copy_(2 * drawn - 1)
        return noise * self.alpha.view(-1, 1, 1)
