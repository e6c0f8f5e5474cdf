"""SAC for a stack of members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from .._continuous.learner import ContinuousLearner, outputs_of
from .._continuous.losses import soft_values, temperature_losses, temperature_slopes
from .._heads.squashed import SquashedGaussian
from .._offpolicy.samples import Samples
from .cfg import SACCfg
from .gradients import descend_policy


class SACLearner(ContinuousLearner):
    """``P`` SAC members: a squashed normal policy, twin critics, a temperature each.

    Args:
        arguments: Those of :class:`~coterie_agents.Learner`.

    Attributes:
        head: The policy's distribution.
        log_temperature: Logarithm of alpha, ``[P, 1]``.
        target_entropy: ``[P]``.
    """

    kind: ClassVar[str] = "sac"
    per_member: ClassVar[tuple[str, ...]] = (
        *ContinuousLearner.per_member,
        "temperature",
        "temperature_learning_rate",
        "target_entropy",
    )
    target_actor: ClassVar[bool] = False
    update_draws: ClassVar[int] = 2

    cfg: SACCfg

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.head = SquashedGaussian(self.unit.size)
        self.log_temperature = self.stacked("temperature").log().unsqueeze(1)
        if self.cfg.automatic_temperature:
            self.optimizers["temperature"] = self.make_optimizer(
                self.log_temperature, "temperature_learning_rate"
            )

    def stack_settings(self) -> None:
        """Lay the settings that can change side by side."""
        super().stack_settings()
        wanted = [cfg.target_entropy for cfg in self.cfgs]
        numbers = [-float(self.unit.size) if value is None else value for value in wanted]
        self.target_entropy = torch.tensor(numbers, dtype=self.dtype, device=self.device)

    @property
    def temperature(self) -> torch.Tensor:
        """Alpha of each member, ``[P]``."""
        return self.log_temperature.exp().squeeze(1)

    def actor_outputs(self, action_size: int) -> int:
        """Return how many outputs the actor has: means and spreads."""
        return SquashedGaussian(action_size).size

    def best(self, inputs: Any) -> torch.Tensor:
        """Choose the squashed means, ``[P, N, action_size]``."""
        return self.head.mode(outputs_of(self.networks.actor, inputs))

    def explore(self, inputs: Any, noise: torch.Tensor) -> torch.Tensor:
        """Sample actions.

        Args:
            inputs: Inputs ``[P, N, features]``.
            noise: Normal numbers ``[P, N, action_size]``.
        """
        outputs = outputs_of(self.networks.actor, inputs)
        return self.head.sample(outputs, noise.to(self.dtype))

    def next_values(self, samples: Samples, noise: torch.Tensor | None) -> torch.Tensor:
        """Value the policy's actions softly, by the smaller of the target critics, ``[P, B]``."""
        assert noise is not None
        outputs = outputs_of(self.networks.actor, samples.next_observations)
        actions, log_prob = self.head.sample_with_log_prob(outputs, noise[:, 0])
        values = self.networks.target_critics.values(samples.next_states, actions)
        return soft_values(values, log_prob, self.temperature)

    def improve(self, samples: Samples, noise: torch.Tensor | None) -> dict[str, torch.Tensor]:
        """Improve the policy, then the temperature, and let the target critics follow."""
        assert noise is not None
        temperature = self.temperature
        loss, gradient, log_prob = descend_policy(
            self.networks,
            self.head,
            samples.observations,
            samples.states,
            noise[:, 1],
            temperature,
            self.scalers["actor"],
        )
        scalars = {
            "loss/actor": loss,
            "gradient_norm/actor": self.descend("actor", gradient, loss),
            "entropy": -log_prob.mean(-1),
            "temperature": temperature,
        }
        if "temperature" in self.optimizers:
            scalars["loss/temperature"] = self._adjust(log_prob)
        self.follow()
        return scalars

    def _adjust(self, log_prob: torch.Tensor) -> torch.Tensor:
        """Learn the temperatures; return their losses ``[P]``."""
        own = self.log_temperature.squeeze(1)
        loss = temperature_losses(own, log_prob, self.target_entropy)
        slope = temperature_slopes(log_prob, self.target_entropy)
        self.optimizers["temperature"].step(slope.unsqueeze(1), self.alive)
        return loss

    def rates(self) -> dict[str, str]:
        """Return which setting each optimiser's learning rate is."""
        found = super().rates()
        if self.cfg.automatic_temperature:
            found["temperature"] = "temperature_learning_rate"
        return found

    def settings_changed(self, member: int, before: Any) -> None:
        """Take new settings over; a new temperature counts from now on."""
        super().settings_changed(member, before)
        temperature = self.cfgs[member].temperature
        if temperature != before.temperature:
            self.log_temperature[member] = torch.tensor(temperature, dtype=self.dtype).log()

    def own_state(self, member: int) -> dict[str, Any]:
        """Return a member's weights, moments and temperature, as copies."""
        own = {"log_temperature": self.log_temperature[member].clone()}
        return super().own_state(member) | own

    def load_own_state(self, state: Mapping[str, Any], member: int) -> None:
        """Take over what :meth:`own_state` returned."""
        super().load_own_state(state, member)
        self.log_temperature[member].copy_(state["log_temperature"])
