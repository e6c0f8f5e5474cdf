"""Settings of an adapted agent."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen


@frozen(kw_only=True)
class SkrlCfg:
    """How one of skrl's agents is used.

    Attributes:
        faithful: Whether to do exactly what skrl's own trainers do, with what is wrong in it:
            random actions repeat, timesteps count from 0 in each run, and evaluation explores.
        own_streams: Whether random numbers come from streams of the member's own, instead of the
            process-wide generators as they are.
        environment_info: Key of the infos whose scalars the agent tracks.
        timesteps: Number of timesteps of a run, for what skrl derives from it; ``None``: what
            the first run has.
        settings: What the agent itself is configured with, for records of the run.
        changed: Names of those settings that are not the default.
    """

    faithful: bool = False
    own_streams: bool = True
    environment_info: str = "episode"
    timesteps: int | None = None
    settings: Mapping[str, Any] = field(factory=dict, repr=False)
    changed: tuple[str, ...] = field(default=(), repr=False)

    def changed_settings(self) -> dict[str, Any]:
        """List the agent's settings that are not the default, for tables of results."""
        own = {"faithful": True} if self.faithful else {}
        return own | {name: self.settings[name] for name in self.changed}

    def setting(self, name: str) -> Any:
        """Look one of the agent's settings up by its name."""
        return self.faithful if name == "faithful" else self.settings.get(name)


def described(cfg: SkrlCfg, agent: Any) -> SkrlCfg:
    """Add to the settings what an agent of skrl is configured with, in plain values."""
    actors = set(getattr(agent, "possible_agents", ()))
    settings = _settings(agent.cfg, actors)
    try:
        default = _settings(_default(type(agent.cfg), sorted(actors)), actors)
    except TypeError:  # it has fields without defaults
        default = {}
    changed = (name for name, value in settings.items() if default.get(name, _NONE) != value)
    return evolve(cfg, settings=settings, changed=tuple(changed))


_NONE = object()


def _default(kind: type[Any], actors: list[str]) -> Any:
    """What skrl makes of a configuration of which nothing is given."""
    cfg = kind()
    if actors:
        names = [field.name for field in dataclasses.fields(cfg) if field.name.endswith("_kwargs")]
        for name in names:
            setattr(cfg, name, {actor: {} for actor in actors})
        cfg.expand(possible_agents=actors)
    else:
        cfg.expand()
    return cfg


def _settings(cfg: Any, actors: set[str]) -> dict[str, Any]:
    """Describe a dataclass of skrl but for where it writes, and for arguments of constructors.

    What is the same for all actors is told once.
    """
    found = {field.name: getattr(cfg, field.name) for field in dataclasses.fields(cfg)}
    return {
        name: _plain(_shared(value, actors))
        for name, value in found.items()
        if name != "experiment" and not name.endswith("_kwargs")
    }


def _shared(value: Any, actors: set[str]) -> Any:
    if not isinstance(value, Mapping) or not actors or set(value) != actors:
        return value
    first, *others = value.values()
    return first if all(other == first for other in others) else value


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return getattr(value, "__qualname__", None) or str(value)
