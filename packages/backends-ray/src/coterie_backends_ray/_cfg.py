"""Configuration of the trainer for Ray clusters. Free of torch and Ray."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from coterie.config import at_least
from coterie.islands import IslandTrainerCfg


@frozen(kw_only=True)
class RayTrainerCfg(IslandTrainerCfg):
    """What the trainer ``ray`` can be told, beside what every trainer with islands can.

    Attributes:
        address: Address of the cluster, ``"auto"``, ``"ray://head:10001"`` or ``"local"`` for one
            of its own on this machine; ``None``: the one that ``RAY_ADDRESS`` names or that runs
            here, and if there is none, one of its own.
        cpus: CPUs of each island, also the number of torch's threads on it, at least 1; a
            fraction shares a CPU.
        gpus: GPUs of each island; a fraction shares one.
        resources: Other resources of each island, as the cluster's nodes name theirs.
        placement: How islands are placed: ``"spread"`` over nodes as far as possible, or packed
            onto few of them; ``"strict_spread"``: no two on one node; ``"strict_pack"``: all on
            one. An island that was lost is placed wherever there is room.
        runtime_env: Ray's runtime environment of the islands: packages, files, variables.
    """

    address: str | None = None
    cpus: float = field(default=1.0, validator=at_least(0))
    gpus: float = field(default=0.0, validator=at_least(0))
    resources: Mapping[str, float] = field(factory=dict)
    placement: Literal["spread", "pack", "strict_spread", "strict_pack"] = "spread"
    runtime_env: Mapping[str, Any] = field(factory=dict)
