"""The settings of members, shortly: what they share, and what sets each apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import attrs


@runtime_checkable
class TellsSettings(Protocol):
    """A configuration whose settings are not its fields, such as another library's."""

    def changed_settings(self) -> dict[str, Any]:
        """List the settings that are not the default, by name."""

    def setting(self, name: str) -> Any:
        """Look a setting up by its name."""


def told_settings(cfgs: Sequence[Any]) -> list[dict[str, Any]]:
    """List the settings of members that are worth telling: what any of them changed.

    Args:
        cfgs: The configuration of each member.

    Returns:
        For each, the settings that are not the default in it or in another of its class.
    """
    changed = [changed_settings(cfg) for cfg in cfgs]
    told = []
    for cfg, own in zip(cfgs, changed, strict=True):
        same = [other for kind, other in zip(cfgs, changed, strict=True) if type(kind) is type(cfg)]
        keys = dict.fromkeys(key for other in same for key in other)
        told.append({key: own[key] if key in own else _value_of(cfg, key) for key in keys})
    return told


def _value_of(cfg: Any, key: str) -> Any:
    if isinstance(cfg, TellsSettings):
        return cfg.setting(key)
    for name in key.split("."):
        cfg = getattr(cfg, name, None)
    return cfg


def changed_settings(cfg: Any) -> dict[str, Any]:
    """List the fields of an attrs configuration that differ from its defaults.

    Nested configurations give dotted names; what is no attrs object has no settings.
    """
    found: dict[str, Any] = {}
    if isinstance(cfg, TellsSettings):
        return cfg.changed_settings()
    if not attrs.has(type(cfg)):
        return found
    for field in attrs.fields(type(cfg)):
        value = getattr(cfg, field.name)
        if attrs.has(type(value)):
            inner = changed_settings(value)
            found |= {f"{field.name}.{key}": part for key, part in inner.items()}
        elif value != _default(field, cfg):
            found[field.name] = value
    return found


def _default(field: attrs.Attribute[Any], cfg: Any) -> Any:
    if isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
        factory: Any = field.default
        return factory.factory(cfg) if factory.takes_self else factory.factory()
    return field.default


def split_settings(
    settings: Sequence[Mapping[str, Any]],
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Part the settings that all members share from those that they do not.

    Args:
        settings: Settings of each member that are not the default.

    Returns:
        What every member has, with the same value, and what else each has. A single member
        shares nothing.
    """
    if len(settings) < 2:
        return {}, [dict(own) for own in settings]
    first, *others = settings
    shared = {
        key: value
        for key, value in first.items()
        if all(key in other and other[key] == value for other in others)
    }
    rest = [{key: own[key] for key in own if key not in shared} for own in settings]
    return shared, rest


def settings_text(settings: Mapping[str, Any]) -> str:
    """Write settings as ``key=value``, with commas between them."""
    return ", ".join(f"{key}={_value(value)}" for key, value in settings.items())


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
