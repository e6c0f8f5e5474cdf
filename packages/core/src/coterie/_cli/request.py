"""From the options of ``coterie train`` to an experiment in plain values."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._config.files import read_mapping
from .._errors import ConfigError
from .options import progress_settings
from .values import parse_assignments, parse_single, put, split_values

if TYPE_CHECKING:
    from .train import Train

_INSTANCES_PER_MEMBER = 16
_ONLY_WITHOUT_FILE = ("environment", "agent", "members", "seed")


def experiment_of(options: Train) -> tuple[dict[str, Any], str]:
    """Write the options down as an experiment.

    Args:
        options: The options.

    Returns:
        The experiment in the form of a file, with anything in it still to be checked, and what
        to call it in messages.

    Raises:
        ConfigError: Options contradict each other, or the file can't be read.
    """
    _check(options)
    spread = parse_assignments("--set", options.agent_settings)
    if options.experiment is None:
        raw, label = _from_options(options, spread), "the command line"
    else:
        raw, label = copy.deepcopy(read_mapping(options.experiment)), options.experiment
        if isinstance(raw.get("members"), list):
            _deal(raw["members"], spread)
    _override(raw, options)
    return raw, label


def _check(options: Train) -> None:
    if options.experiment is None:
        if options.environment is None:
            raise ConfigError(
                "what to train in? Give an environment, such as gymnasium:CartPole-v1, or "
                "--experiment FILE"
            )
    else:
        given = [name for name in _ONLY_WITHOUT_FILE if getattr(options, name) is not None]
        if given:
            names = " and ".join(n if n == "environment" else f"--{n}" for n in given)
            raise ConfigError(f"{names}: the file {options.experiment} says that; change it there")
    if options.render and options.headless:
        raise ConfigError("give --render or --headless, not both")
    for name, low in (
        ("members", 1),
        ("num_envs", 1),
        ("islands", 1),
        ("timesteps", 1),
        ("threads", 1),
        ("seed", 0),
    ):
        value = getattr(options, name)
        if value is not None and value < low:
            raise ConfigError(f"--{name.replace('_', '-')} must be at least {low}, got {value}")


def _from_options(options: Train, spread: dict[str, list[Any]]) -> dict[str, Any]:
    agents = split_values(options.agent or "ppo")
    longest = max(len(values) for values in (agents, *spread.values()))
    count = longest if options.members is None else options.members
    seed = options.seed or 0
    if longest == 1:
        # One table, so that what is wrong with it is told once.
        members: list[dict[str, Any]] = [
            {"agent": agents[0], "seeds": list(range(seed, seed + count))}
        ]
    else:
        members = [{"seed": seed + index} for index in range(count)]
        _deal(members, {"agent": agents}, "--agent", into=None)
        for member in members:
            member["name"] = f"{member['agent']}-s{member['seed']}"
    _deal(members, spread)
    num_envs = _INSTANCES_PER_MEMBER * count if options.num_envs is None else options.num_envs
    return {
        "environment": {"id": options.environment, "num_envs": num_envs, "seed": seed},
        "members": members,
    }


def _deal(
    members: Sequence[Any],
    spread: dict[str, list[Any]],
    option: str = "--set",
    into: str | None = "settings",
) -> None:
    """Deal values out to the tables of members, in turn.

    Raises:
        ConfigError: The members are no multiple of the values.
    """
    for key, values in spread.items():
        if len(members) % len(values):
            raise ConfigError(
                f"{option} {'' if into is None else key + '='}{','.join(map(str, values))}: "
                f"{len(values)} values can't be dealt out evenly to {len(members)} members"
            )
        for index, member in enumerate(members):
            if isinstance(member, dict):
                table = member if into is None else member.setdefault(into, {})
                if isinstance(table, dict):
                    put(table, key, values[index % len(values)])


def _override(raw: dict[str, Any], options: Train) -> None:
    environment, trainer = _table(raw, "environment"), _table(raw, "trainer")
    settings = _table(trainer, "settings")
    if options.num_envs is not None:
        environment["num_envs"] = options.num_envs
    if options.device is not None:
        environment["device"] = options.device
    if options.trainer is not None:
        trainer["name"] = options.trainer
    for key, value in parse_single("--env-set", options.environment_settings).items():
        put(_table(environment, "settings"), key, value)
    for key, value in parse_single("--trainer-set", options.trainer_settings).items():
        put(settings, key, value)
    for name in ("timesteps", "islands"):
        if getattr(options, name) is not None:
            settings[name] = getattr(options, name)
    settings.setdefault("headless", True)
    settings.setdefault("disable_progressbar", None)
    if options.render or options.headless:
        settings["headless"] = options.headless
    settings |= progress_settings(options.progress, options.no_progress)
    for name in options.logger:
        _list(raw, "loggers").append({"name": name})
    if options.evolve is not None:
        settings = dict(read_mapping(options.evolve))
        method = settings.pop("method", "pbt")
        _list(raw, "controllers").append({"name": method, "settings": settings})


def _table(raw: dict[str, Any], key: str) -> dict[str, Any]:
    """Return a table of ``raw``, made if it is missing; a stand-in where it is no table."""
    found = raw.setdefault(key, {})
    return found if isinstance(found, dict) else {}


def _list(raw: dict[str, Any], key: str) -> list[Any]:
    """Return a list of ``raw``, made if it is missing; a stand-in where it is no list."""
    found = raw.setdefault(key, [])
    return found if isinstance(found, list) else []
