"""Settings of recurrent PPO. Free of torch."""

from __future__ import annotations

from typing import Any

from attrs import Attribute, field, frozen

from coterie import ConfigError
from coterie.config import at_least, between

from .._ppo.cfg import PPOCfg
from .._recurrent.cfg import RecurrentModelCfg


@frozen(kw_only=True)
class PPORNNModelCfg(RecurrentModelCfg):
    """Sizes of the recurrent policy and value network of :class:`~coterie_agents.PPORNN`.

    Those of :class:`~coterie_agents.RecurrentModelCfg`, and

    Attributes:
        sizes_after: Units of the dense layers after the recurrent ones; a linear one follows.
        initial_log_std: Logarithm of the standard deviation that a Gaussian policy starts with.
    """

    sizes_after: tuple[int, ...] = field(default=(), validator=at_least(1), converter=tuple)
    initial_log_std: float = field(default=0.0, validator=between(-20, 5))


@frozen(kw_only=True)
class PPORNNCfg(PPOCfg):
    """Settings of :class:`~coterie_agents.PPORNN`.

    Those of :class:`~coterie_agents.PPOCfg` (``mini_batches`` counts parts of whole sequences,
    and ``mixed_precision`` stays off), and

    Attributes:
        sequence_length: Timesteps that gradients go back in time, at most: rollouts are cut
            into sequences of so many, which start with what the policy remembered then. It
            divides ``rollouts``; ``None``: whole rollouts.
        model: Sizes of the networks.
    """

    sequence_length: int | None = field(default=16, validator=at_least(1))
    # Read by this class's learner only, which builds networks of its own.
    model: PPORNNModelCfg = field(factory=PPORNNModelCfg)  # type: ignore[assignment]

    @sequence_length.validator
    def _divides(self, attribute: Attribute[Any], value: int | None) -> None:
        if value is not None and self.rollouts % value:
            raise ConfigError(
                f"sequence_length = {value}: expected a divisor of rollouts = {self.rollouts}, "
                f"for example {_nearest_divisor(self.rollouts, value)}, or none for whole rollouts"
            )

    @property
    def length(self) -> int:
        """Timesteps of a sequence."""
        return self.rollouts if self.sequence_length is None else self.sequence_length


def _nearest_divisor(number: int, wanted: int) -> int:
    divisors = [d for d in range(1, number + 1) if number % d == 0]
    return min(divisors, key=lambda d: abs(d - wanted))
