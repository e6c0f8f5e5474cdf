"""Recurrent networks of a stack of members, as batched matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from .._models.initialise import HIDDEN_GAIN, orthogonal
from .cells import CELLS
from .cfg import RecurrentModelCfg
from .sequences import Sequences, parted

_ACTIVATIONS = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "elu": nn.functional.elu,
    "silu": nn.functional.silu,
}


class StackedRecurrent(nn.Module):
    """``P`` recurrent networks of one architecture; member ``p`` has the weights ``...[p]``.

    Dense layers, recurrent ones, and dense ones again, the last of them linear. What is
    remembered, the *state*, is one vector per instance: the layers side by side, of an LSTM each
    layer's outputs and then its cells. All parameters are the module's own, with a leading
    population axis.

    Args:
        features: Numbers in one observation.
        outputs: Numbers in one output.
        cfg: Sizes.
        generators: One per member, which its initial weights are drawn from.
        head_gain: Gain of the last layer's orthogonal weights.
        extra: Numbers that are put beside what the recurrent layers give.
        dtype: Type of the weights.
        device: Where they live.

    Attributes:
        features: Numbers in one observation.
        state_size: Numbers in one state.
        backward_by_hand: Whether there is a backward pass that needs no autograd: there is none.
    """

    backward_by_hand = False

    def __init__(
        self,
        features: int,
        outputs: int,
        cfg: RecurrentModelCfg,
        generators: Sequence[torch.Generator],
        head_gain: float,
        *,
        extra: int = 0,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__()
        self.features, self.cell, self.layers = features, CELLS[cfg.cell], cfg.layers
        self.hidden_size, self.activation = cfg.hidden_size, cfg.activation
        self.state_size = cfg.layers * cfg.hidden_size * self.cell.parts
        self._generators = generators
        self._place: Any = {"dtype": dtype, "device": device}
        before = (features, *cfg.sizes_before)
        self._before = self._add_dense("before", before, HIDDEN_GAIN)
        widths = (before[-1], *[cfg.hidden_size] * (cfg.layers - 1))
        for layer, width in enumerate(widths):
            self._add_recurrent(layer, width, forget=cfg.cell == "lstm")
        after = (cfg.hidden_size + extra, *cfg.sizes_after, outputs)
        self._after = self._add_dense("after", after, head_gain)
        del self._generators, self._place

    def _add_dense(self, name: str, sizes: Sequence[int], gain: float) -> list[tuple[str, str]]:
        names = []
        for i, (inputs, outputs) in enumerate(pairwise(sizes)):
            own = gain if i == len(sizes) - 2 else HIDDEN_GAIN
            drawn = [orthogonal(inputs, outputs, own, g) for g in self._generators]
            names.append((f"{name}_weight_{i}", f"{name}_bias_{i}"))
            self._add(names[-1][0], drawn)
            self._add(names[-1][1], [torch.zeros(1, outputs)] * len(drawn))
        return names

    def _add_recurrent(self, layer: int, inputs: int, *, forget: bool) -> None:
        size, gates = self.hidden_size, self.cell.gates
        bias = torch.zeros(1, gates * size)
        for name, width in (("ih", inputs), ("hh", size)):
            drawn = [
                torch.cat([orthogonal(width, size, 1.0, g) for _ in range(gates)], 1)
                for g in self._generators
            ]
            self._add(f"weight_{name}_{layer}", drawn)
        first = bias.clone()
        if forget:
            first[:, size : 2 * size] = 1.0
        self._add(f"bias_ih_{layer}", [first] * len(self._generators))
        self._add(f"bias_hh_{layer}", [bias] * len(self._generators))

    def _add(self, name: str, drawn: Sequence[torch.Tensor]) -> None:
        self.register_parameter(name, nn.Parameter(torch.stack(list(drawn)).to(**self._place)))

    def forward(self, sequences: Sequences) -> torch.Tensor:
        """Map sequences ``[P, B, L, ...]`` to outputs ``[P, B * L, outputs]``."""
        return self.decode(self.encode(sequences)[0].flatten(1, 2))

    def step(self, inputs: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Go on by one step.

        Args:
            inputs: ``[P, B, features]``.
            state: What is remembered, ``[P, B, state_size]``.

        Returns:
            Outputs ``[P, B, outputs]``, and the state afterwards.
        """
        seen, states = self.encode(Sequences.one_step(inputs, state))
        return self.decode(seen.squeeze(2)), states.squeeze(2)

    def encode(self, sequences: Sequences) -> tuple[torch.Tensor, torch.Tensor]:
        """Run the network up to its recurrent layers.

        Returns:
            What the last of them gives, ``[P, B, L, hidden_size]``, and the states after each
            step, ``[P, B, L, state_size]``; L does not count what is burnt in.
        """
        if sequences.burn_in:
            early, features, starts = sequences.split()
            with torch.no_grad():
                warm = self.encode(early)[1][:, :, -1]
            sequences = Sequences(features, warm, starts)
        x = sequences.features
        batch = (x.shape[1], x.shape[2])
        state = sequences.state
        if state is None:
            state = x.new_zeros(len(x), batch[0], self.state_size)
        rows = x.flatten(1, 2)
        for names in self._before:
            rows = self._activate(self._linear(rows, *names))
        sizes = [self.hidden_size * self.cell.parts] * self.layers
        kept = []
        for layer, own in enumerate(state.split_with_sizes(sizes, -1)):
            projected = self._linear(rows, f"weight_ih_{layer}", f"bias_ih_{layer}")
            weight, bias = self._get(f"weight_hh_{layer}"), self._get(f"bias_hh_{layer}")
            x, states = self.cell.unroll(
                parted(projected, 1, batch), own, weight, bias, sequences.starts
            )
            kept.append(states)
            rows = x.flatten(1, 2)
        return x, kept[0] if self.layers == 1 else torch.cat(kept, -1)

    def decode(self, seen: torch.Tensor) -> torch.Tensor:
        """Map what recurrent layers gave, and what is put beside it, to outputs.

        Args:
            seen: ``[P, B, hidden_size + extra]``.

        Returns:
            ``[P, B, outputs]``.
        """
        for weight, bias in self._after[:-1]:
            seen = self._activate(self._linear(seen, weight, bias))
        return self._linear(seen, *self._after[-1])

    def _get(self, name: str) -> torch.Tensor:
        # Not getattr: that of a module looks in three places.
        found = self._parameters[name]
        assert found is not None
        return found

    def _linear(self, x: torch.Tensor, weight: str, bias: str) -> torch.Tensor:
        return torch.baddbmm(self._get(bias), x, self._get(weight))

    def _activate(self, x: torch.Tensor) -> torch.Tensor:
        return _ACTIVATIONS[self.activation](x)
