"""Settings of recurrent networks. Free of torch."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import field, frozen

from coterie.config import at_least

from .._models.cfg import Activation

CellName: TypeAlias = Literal["gru", "lstm"]


@frozen(kw_only=True)
class RecurrentModelCfg:
    """Sizes of recurrent networks: dense layers, recurrent layers, dense layers.

    Every network (a policy, each value network or critic) is one of its own, with a memory of
    its own. Weights start orthogonal, biases at 0, but for those of an LSTM's forget gates, which
    start at 1 (Jozefowicz et al. 2015).

    Attributes:
        cell: ``"gru"`` (Cho et al. 2014, arXiv:1406.1078) or ``"lstm"`` (Hochreiter and
            Schmidhuber 1997), with the equations of torch's modules of these names.
        layers: Recurrent layers.
        hidden_size: Units of each.
        sizes_before: Units of the dense layers before them; empty: they see the observations.
        sizes_after: Units of the dense layers after them; a linear one follows.
        activation: What follows each of the dense layers.
    """

    cell: CellName = "gru"
    layers: int = field(default=1, validator=at_least(1))
    hidden_size: int = field(default=64, validator=at_least(1))
    sizes_before: tuple[int, ...] = field(default=(64,), validator=at_least(1), converter=tuple)
    sizes_after: tuple[int, ...] = field(default=(64,), validator=at_least(1), converter=tuple)
    activation: Activation = "tanh"
