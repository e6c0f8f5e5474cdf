"""What can be told of an experiment before anything is made: names, settings, scopes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import define, field

from .._config.convert import convert
from .._config.problems import Problem, Problems, report
from .._errors import ConfigError, PluginError, PluginNotFound
from .._factory import _split as split_spec
from .._registry.manager import registry
from .._scopes import resolve_scopes
from .spec import Experiment


@define
class Findings:
    """What is wrong with an experiment.

    Attributes:
        problems: Wrong settings.
        missing: Names that no plugin answers to: where, the name, and why.
    """

    problems: list[Problem] = field(factory=list)
    missing: list[tuple[str, Any, PluginError]] = field(factory=list)

    def raise_any(self, source: str) -> None:
        """Raise one error for everything that was found.

        Raises:
            ConfigError: Settings are wrong; names without a plugin are listed among them.
            PluginNotFound: Nothing is wrong but names that nobody offers.
            PluginError: Nothing is wrong but plugins, and some are broken.
        """
        if self.problems:
            unknown = [Problem(path, name, str(e), sentence=True) for path, name, e in self.missing]
            raise ConfigError(report(source, [*self.problems, *unknown]))
        if self.missing:
            error = self.missing[0][2]
            lines = dict.fromkeys(str(found) for _, _, found in self.missing)
            absent = all(isinstance(found, PluginNotFound) for _, _, found in self.missing)
            kind = PluginNotFound if absent else PluginError
            raise kind(f"{source}: " + "\n".join(lines)) from error.__cause__


def check_names(raw: Mapping[str, Any], findings: Findings) -> None:
    """Look up the plugins that an experiment names, and check the settings meant for them.

    Args:
        raw: The experiment as plain values, of which anything may be wrong.
        findings: Gets what is wrong.
    """
    for noun, path, name, settings in _named(raw):
        try:
            plugin = registry().find(noun, name).record
        except PluginError as error:
            findings.missing.append((f"{path[0]}.{path[1]}" if path[1] else path[0], name, error))
            continue
        if noun != "environment" and isinstance(settings, Mapping):
            try:
                convert(settings, plugin.config)
            except Problems as found:
                below = f"{path[0]}.settings"
                findings.problems += [problem.below(below) for problem in found.problems]


def _named(raw: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, str], str, Any]]:
    """Yield noun, place, name and settings of all that is named well enough to be looked up."""
    environment = raw.get("environment")
    if isinstance(environment, Mapping) and isinstance(environment.get("id"), str):
        kind, colon, _ = environment["id"].partition(":")
        if colon:
            yield "environment", ("environment", "id"), kind, None
    places = [("trainer", "trainer", "name", raw.get("trainer"))]
    places += [
        ("agent", f"members.{index}", "agent", table)
        for index, table in enumerate(_tables(raw.get("members")))
    ]
    for noun in ("logger", "controller"):
        places += [
            (noun, f"{noun}s.{index}", "name", table)
            for index, table in enumerate(_tables(raw.get(f"{noun}s")))
        ]
    for noun, place, key, table in places:
        if isinstance(table, Mapping) and isinstance(table.get(key), str):
            yield noun, (place, key), table[key], table.get("settings", {})


def _tables(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def check_environment(experiment: Experiment, findings: Findings) -> None:
    """Check that the environment is named by kind and id; suggest what could be meant.

    Args:
        experiment: The experiment.
        findings: Gets what is wrong.
    """
    try:
        split_spec(experiment.environment.id)
    except ConfigError as error:
        name = experiment.environment.id
        findings.problems.append(Problem("environment.id", name, str(error), sentence=True))


def check_population(experiment: Experiment, findings: Findings) -> None:
    """Check what concerns all members together: names, scopes, number of instances.

    Args:
        experiment: The experiment.
        findings: Gets what is wrong.
    """
    names = Counter(member.name for member in experiment.members)
    findings.problems += [
        Problem(
            "members", name, f"{count} members have this name; give each its own", sentence=True
        )
        for name, count in names.items()
        if count > 1
    ]
    scopes = [member.scope for member in experiment.members]
    without = [member.name for member in experiment.members if member.scope is None]
    if without and len(without) < len(scopes):
        text = f"give every member a scope, or none; {', '.join(map(str, without))} have none"
        findings.problems.append(Problem("members", scopes, text, sentence=True))
        return
    number = experiment.environment.num_envs
    try:
        resolve_scopes(experiment.scopes, len(scopes), number)
    except ConfigError as error:
        findings.problems.append(Problem("environment.num_envs", number, str(error), sentence=True))
