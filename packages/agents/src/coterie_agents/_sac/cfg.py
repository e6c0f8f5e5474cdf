"""Settings of SAC. Free of torch."""

from __future__ import annotations

from attrs import field, frozen

from coterie.config import more_than

from .._continuous.cfg import ContinuousCfg


@frozen(kw_only=True)
class SACCfg(ContinuousCfg):
    """Settings of :class:`~coterie_agents.SAC` (Haarnoja et al. 2018, arXiv:1812.05905).

    Defaults are those of the paper's appendix D.

    Attributes:
        automatic_temperature: Whether the temperature is learned (section 5 of the paper).
        temperature: Weight of the entropy, alpha; what it starts with where it is learned.
        temperature_learning_rate: Step size of the temperature's Adam.
        target_entropy: Entropy that the temperature is learned to keep, of actions from -1 to 1;
            ``None``: minus the number of actions.
    """

    automatic_temperature: bool = True
    temperature: float = field(default=1.0, validator=more_than(0))
    temperature_learning_rate: float = field(default=3e-4, validator=more_than(0))
    target_entropy: float | None = None
