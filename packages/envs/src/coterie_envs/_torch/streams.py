"""Random numbers as a pure function of a seed and a position in its stream.

The generator is splitmix64: output ``i`` is ``mix(start + (i + 1) * GOLDEN)``. Where a
stream stands is one word, and what it gives there depends on nothing else. Source: G. L. Steele,
D. Lea and C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, with the
constants of S. Vigna's ``splitmix64.c`` (D. Stafford's variant 13 of the mixing function).

Words of 64 bits are held in int64 tensors: sums and products keep their lowest 64 bits, in two's
complement, and only the shift to the right needs care, since torch's copies the sign.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch


def _signed(word: int) -> int:
    """The int64 with the bits of a word from 0 to 2**64 - 1."""
    return word - 2**64 if word >= 2**63 else word


_GOLDEN = 0x9E3779B97F4A7C15
_FIRST = _signed(0xBF58476D1CE4E5B9)
_SECOND = _signed(0x94D049BB133111EB)


def mix(words: torch.Tensor) -> torch.Tensor:
    """Scramble 64-bit words: the output function of splitmix64, one to one.

    Args:
        words: int64 of any shape, read as 64 bits.
    """
    words = (words ^ _shifted(words, 30)) * _FIRST
    words = (words ^ _shifted(words, 27)) * _SECOND
    return words ^ _shifted(words, 31)


def _shifted(words: torch.Tensor, by: int) -> torch.Tensor:
    """Shift to the right, with zeros coming in."""
    return torch.bitwise_right_shift(words, by) & ((1 << (64 - by)) - 1)


def stream_starts(seeds: Sequence[int], device: torch.device) -> torch.Tensor:
    """Find where the streams of some seeds start.

    Args:
        seeds: Integers; of larger ones the lowest 64 bits count.
        device: Where the result lives.

    Returns:
        Positions, int64 ``[N]``: the mixed seeds, so that neighbouring seeds have unrelated
        streams.
    """
    words = [_signed((seed + _GOLDEN) % 2**64) for seed in seeds]
    return mix(torch.tensor(words, dtype=torch.int64, device=device))


def advance(count: int) -> int:
    """What to add to a position so that ``count`` outputs are behind it (it wraps around)."""
    return _signed(count * _GOLDEN % 2**64)


def offsets(count: int, device: torch.device) -> torch.Tensor:
    """What to add to a position for each of the next ``count`` outputs: int64 ``[count, 1]``."""
    steps = [advance(index) for index in range(1, count + 1)]
    return torch.tensor(steps, dtype=torch.int64, device=device)[:, None]


def uniform(positions: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """Draw the numbers that come next in some streams.

    Args:
        positions: Where the streams stand, int64 ``[N]``.
        offsets: Which of the next outputs to take, int64 ``[count, 1]``.

    Returns:
        float64 ``[count, N]``, uniform from 0 (included) to 1 (excluded): the highest 53 bits
        of each output.
    """
    return _shifted(mix(positions + offsets), 11).double() * 2.0**-53
