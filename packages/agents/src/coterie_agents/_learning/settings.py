"""Settings of several members: what may differ, and what must not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from attrs import asdict, evolve


def common_settings(cfgs: Sequence[Any], per_member: Sequence[str]) -> Any:
    """Return the first member's settings, after a look at what the others differ in.

    Args:
        cfgs: Settings of each member, attrs instances of one class.
        per_member: Names of the fields that may differ.

    Raises:
        ValueError: Other fields differ; the message lists them.
    """
    first = cfgs[0]
    same = {name: getattr(first, name) for name in per_member}
    for cfg in cfgs[1:]:
        if evolve(cfg, **same) != first:
            one, other = asdict(first), asdict(cfg)
            names = [n for n in one if one[n] != other[n] and n not in per_member]
            raise ValueError(f"stacked members may not differ in {', '.join(names)}")
    return first


def stack_field(
    cfgs: Sequence[Any], name: str, dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """Lay one setting of all members side by side, ``[P]``."""
    return torch.tensor([getattr(cfg, name) for cfg in cfgs], dtype=dtype, device=device)


def stack_limit(
    cfgs: Sequence[Any], name: str, dtype: torch.dtype, device: torch.device
) -> torch.Tensor | None:
    """Lay a limit, of which 0 means none, side by side.

    Returns:
        ``[P]``, infinite where there is no limit; ``None``: nobody has one.
    """
    values = stack_field(cfgs, name, dtype, device)
    return values.masked_fill(values == 0, torch.inf) if bool((values > 0).any()) else None
