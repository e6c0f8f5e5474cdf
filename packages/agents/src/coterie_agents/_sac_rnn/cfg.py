"""Settings of recurrent SAC. Free of torch."""

from __future__ import annotations

from typing import Any

from attrs import Attribute, field, frozen

from coterie import ConfigError
from coterie.config import at_least

from .._recurrent.cfg import RecurrentModelCfg
from .._sac.cfg import SACCfg


@frozen(kw_only=True)
class SACRNNCfg(SACCfg):
    """Settings of :class:`~coterie_agents.SACRNN`.

    Those of :class:`~coterie_agents.SACCfg`, but that ``memory`` stays ``"uniform"``, ``n_step``
    1 and ``mixed_precision`` off, and

    Attributes:
        batch_size: Sequences in one optimiser step.
        sequence_length: Steps of a sequence that are learned from: the time over which
            gradients go back.
        burn_in: Steps before them that the networks only go through, starting with nothing
            remembered, to have something to remember (Kapturowski et al. 2019, section 3).
        learning_starts: Timesteps before the first update, at least twice the steps of a whole
            sequence: with next-step autoreset some of them only reset instances.
        model: Sizes of the networks; actions join behind the recurrent layers of critics, so
            there is at least one dense layer after these.
    """

    batch_size: int = field(default=16, validator=at_least(1))
    sequence_length: int = field(default=16, validator=at_least(1))
    burn_in: int = field(default=8, validator=at_least(0))
    # Read by this class's learner only, which builds networks of its own.
    model: RecurrentModelCfg = field(factory=RecurrentModelCfg)  # type: ignore[assignment]

    @property
    def length(self) -> int:
        """Steps of a whole sequence."""
        return self.burn_in + self.sequence_length

    @burn_in.validator
    def _starts_late_enough(self, attribute: Attribute[Any], value: int) -> None:
        needed = 2 * self.length
        if self.learning_starts < needed:
            raise ConfigError(
                f"learning_starts = {self.learning_starts}: expected at least {needed}, twice "
                f"burn_in + sequence_length = {self.length}, so that there are whole sequences "
                "to learn from: raise it, or shorten the sequences"
            )

    @model.validator
    def _joins_actions(self, attribute: Attribute[Any], value: RecurrentModelCfg) -> None:
        if not value.sizes_after:
            raise ConfigError(
                "model.sizes_after is empty: expected at least one layer, where the critics join "
                "what they remember and the action"
            )
        if self.memory != "uniform":
            raise ConfigError(f"memory = {self.memory!r}: sequences are sampled 'uniform' only")
        if self.n_step != 1:
            raise ConfigError(f"n_step = {self.n_step}: targets of sequences look 1 step ahead")
