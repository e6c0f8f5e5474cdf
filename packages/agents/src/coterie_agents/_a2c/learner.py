"""A2C for a stack of members."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from .._learning.settings import stack_field, stack_limit
from .._optim.adam import PopulationAdam, clip_by_norm
from .._optim.flat import FlatOptimizer
from .._optim.rmsprop import PopulationRMSProp
from .._ppo.gradients import descend
from .._ppo.hyper import Hyper
from .._ppo.learner import PPOLearner
from .._ppo.losses import Losses
from .._ppo.rollout import Samples
from .._ppo.update import Step, guard
from .cfg import PER_MEMBER, A2CCfg
from .losses import a2c_losses, a2c_slopes


class A2CLearner(PPOLearner):
    """``P`` A2C members with stacked networks, one optimiser and one memory.

    A2C acts, remembers and values as PPO does, and makes one step per rollout, on all of it: it
    is PPO with one epoch of one mini-batch (Huang et al. 2022, arXiv:2205.09123), where ratios
    are 1 and no clip is active.

    The arguments are those of :class:`~coterie_agents.Learner`; with a ``state_space`` the value
    network sees the privileged observations. Models are a ``policy`` and a ``value`` module.

    Raises:
        ConfigError: A space or a module can't be used.
        ValueError: Settings differ that may not.
    """

    kind: ClassVar[str] = "A2C"
    per_member: ClassVar[tuple[str, ...]] = PER_MEMBER
    diagnostics: ClassVar[tuple[str, ...]] = ()

    # What is inherited reads only settings that both have; the others are read in what is
    # overridden here.
    cfg: A2CCfg  # type: ignore[assignment]
    cfgs: tuple[A2CCfg, ...]  # type: ignore[assignment]

    def stack_settings(self) -> Hyper:
        """Lay the settings that may differ side by side, ``[P]`` each; clips are switched off."""

        def stack(name: str) -> torch.Tensor:
            return stack_field(self.cfgs, name, self.dtype, self.device)

        gamma = stack("discount_factor")
        none = torch.full_like(gamma, torch.inf)
        return Hyper(
            discount_factor=gamma,
            gae_lambda=stack("gae_lambda"),
            ratio_clip=none,
            value_clip=None,
            entropy_loss_scale=stack("entropy_loss_scale"),
            value_loss_scale=stack("value_loss_scale"),
            grad_norm_clip=stack_limit(self.cfgs, "grad_norm_clip", self.dtype, self.device),
            kl_target=none,
            kl_threshold=None,
        )

    def make_optimizer(self, rates: torch.Tensor) -> FlatOptimizer:
        """Make the optimiser of all parameters.

        Args:
            rates: Learning rates, float64 ``[P]``.
        """
        cfg, parameters = self.cfg, self.networks.parameters
        epsilon = cfg.optimizer_epsilon
        if cfg.optimizer == "adam":
            return PopulationAdam(parameters, self.population, rates, epsilon=epsilon)
        decay = cfg.rmsprop_decay
        return PopulationRMSProp(parameters, self.population, rates, decay=decay, epsilon=epsilon)

    def descend(self, samples: Samples) -> list[Step]:
        """Make the one step of an update.

        Args:
            samples: What is learned from, ``[P, B, ...]``.

        Returns:
            What happened in it.
        """
        losses, gradient = descend(self, samples)
        norm = self.scaler.check(clip_by_norm(gradient, self.hyper.grad_norm_clip))
        active = guard(self, losses, norm)
        if active is None or bool(active.any()):
            self.optimizer.step(gradient, self.scaler.allowed(active))
        return [(losses, norm, None)]

    def losses(
        self,
        batch: Samples,
        log_prob: torch.Tensor,
        entropy: torch.Tensor,
        values: torch.Tensor,
    ) -> Losses:
        """Compute the losses of a rollout.

        Args:
            batch: Its samples ``[P, B, ...]``.
            log_prob: Log-probabilities of its actions, ``[P, B]``.
            entropy: Entropies of the policy, ``[P, B]``.
            values: What the value network gives, ``[P, B]``.
        """
        return a2c_losses(log_prob=log_prob, entropy=entropy, values=values, **self._known(batch))

    def slopes(
        self, batch: Samples, log_prob: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Differentiate the total of :meth:`losses`.

        Returns:
            Gradients of log-probabilities, values and entropies, ``[P, B]`` each.
        """
        return a2c_slopes(values=values, **self._known(batch))

    def _known(self, batch: Samples) -> dict[str, Any]:
        return {
            "advantages": batch.advantages,
            "returns": batch.returns,
            "value_loss_scale": self.hyper.value_loss_scale,
            "entropy_loss_scale": self.hyper.entropy_loss_scale,
            "weights": batch.weights,
        }

    @classmethod
    def check_scope(cls, cfg: A2CCfg, num_envs: int) -> None:  # type: ignore[override]
        """Do nothing: one step learns from any number of instances."""
