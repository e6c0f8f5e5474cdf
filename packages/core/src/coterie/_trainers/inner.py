"""The trainer that works inside the processes, or on the islands, of another one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import attrs

from .._config.structure import structure
from .._errors import ConfigError
from .._registry.manager import registry
from .base import Trainer
from .cfg import TrainerCfg


def inner_trainer(
    cfg: Any, *, where: str, own: Collection[str] = (), **fixed: Any
) -> tuple[type[Trainer], TrainerCfg]:
    """Find the trainer that ``cfg.inside`` names, and configure it like the one around it.

    What all trainers have in common it takes from there, and ``cfg.inside_cfg`` may set the rest.
    A member that fails is frozen there, and reported: the trainer around it decides what follows.

    Args:
        cfg: Settings of the trainer around it, with ``inside`` and ``inside_cfg``.
        where: What it works in, for messages: "processes".
        own: Common settings that belong to the trainer around it alone.
        fixed: Settings that it has in any case.

    Returns:
        Its class, and its configuration.

    Raises:
        ConfigError: A setting is unknown or wrong, or not to be set there.
        PluginError: Nobody offers it.
    """
    kind: type[Trainer] = registry().load("trainer", cfg.inside)
    names = [field.name for field in attrs.fields(TrainerCfg)]
    common = {name: getattr(cfg, name) for name in names if name not in own}
    twice = sorted({*names, *own} & cfg.inside_cfg.keys())
    if twice:
        raise ConfigError(
            f"inside_cfg.{twice[0]}: the trainer {cfg.inside!r} takes it from the {where}' own "
            "settings; set it there"
        )
    settings = {**common, "on_member_failure": "continue", **cfg.inside_cfg, **fixed}
    made: TrainerCfg = structure(kind.config_class, settings, source="inside_cfg")
    return kind, made
