"""Configuration of the fused trainer. Free of torch."""

from __future__ import annotations

from attrs import field, frozen

from coterie.config import TrainerCfg, at_least


@frozen(kw_only=True)
class FusedTrainerCfg(TrainerCfg):
    """What the fused trainer can be told, beside what every trainer can.

    Attributes:
        smallest_stack: How many agents of one kind it takes to stack them; fewer run one after
            the other, as in ``sequential``, with its bits.
    """

    smallest_stack: int = field(default=2, validator=at_least(2))
