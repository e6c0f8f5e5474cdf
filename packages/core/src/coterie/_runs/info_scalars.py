"""Scalars that an environment reports in its infos, per member."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


class InfoScalars:
    """Gathers what stands under one key of the infos, and averages it between metrics.

    A value per instance is averaged over the member's scope (over the instances that the
    mask ``"_" + key`` marks, where the environment gives one); a plain scalar counts for
    every member. A dict of values by actor gives a scalar for each, ``name/ACTOR``.

    Args:
        key: Key of the infos, ``"episode"``.
        scopes: The instances of each member.
        num_envs: Number of instances.
        actors: Actors of a multi-agent environment; empty for any other.
    """

    def __init__(
        self, key: str, scopes: Sequence[slice], num_envs: int, actors: Sequence[str] = ()
    ) -> None:
        self._key = key
        self._actors = tuple(actors)
        self._scopes = scopes
        self._num_envs = num_envs
        self._sums: list[dict[str, tuple[float, int]]] = [{} for _ in scopes]

    def update(self, infos: Any) -> None:
        """Take note of the infos of one step."""
        content = infos.get(self._key)
        if not isinstance(content, dict):
            return
        present = infos.get(f"_{self._key}")
        for name, value in content.items():
            if not str(name).startswith("_"):
                own = content.get(f"_{name}")
                self._add(name, value, present if own is None else own)

    def take(self) -> list[dict[str, float]]:
        """Hand over each member's means since the last call, and forget them."""
        means = [
            {f"info/{name}": total / count for name, (total, count) in sums.items()}
            for sums in self._sums
        ]
        self._sums = [{} for _ in self._scopes]
        return means

    def _add(self, name: str, value: Any, present: Any) -> None:
        if isinstance(value, dict):
            for actor in self._actors:
                if actor in value:
                    mask = present.get(actor) if isinstance(present, dict) else present
                    self._add(f"{name}/{actor}", value[actor], mask)
            return
        try:
            tensor = torch.as_tensor(value, dtype=torch.float64, device="cpu")
        except (TypeError, ValueError, RuntimeError):
            return  # text and objects are not scalars
        if tensor.numel() == 1 and self._num_envs != 1:
            for sums in self._sums:
                _accumulate(sums, name, float(tensor), 1)
        elif tensor.shape == (self._num_envs,) or tensor.numel() == 1:
            tensor = tensor.reshape(self._num_envs)
            mask = torch.ones(self._num_envs, dtype=torch.bool)
            if present is not None and len(present) == self._num_envs:
                mask = torch.as_tensor(present, dtype=torch.bool, device="cpu").reshape(-1)
            for sums, scope in zip(self._sums, self._scopes, strict=True):
                rows = tensor[scope][mask[scope]]
                if rows.numel():
                    _accumulate(sums, name, float(rows.sum()), rows.numel())


def _accumulate(sums: dict[str, tuple[float, int]], name: str, total: float, count: int) -> None:
    old_total, old_count = sums.get(name, (0.0, 0))
    sums[name] = (old_total + total, old_count + count)
