"""Read experiments from files and mappings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._config.convert import convert
from .._config.files import read_mapping
from .._config.problems import Problems
from .._config.structure import structure, unstructure
from .._errors import ConfigError
from .checks import Findings, check_environment, check_names, check_population
from .spec import Experiment
from .tables import ExperimentTable


def load_experiment(
    source: str | Path | Mapping[str, Any] | Experiment, *, label: str | None = None
) -> Experiment:
    """Read an experiment and check all of it that can be checked before anything is made.

    In a file, a ``[[members]]`` table may give ``seeds = [0, 1, 2]`` in place of ``seed``: it
    then stands for one member per seed, named ``NAME-sSEED``.

    Args:
        source: A ``.toml``, ``.yaml`` or ``.json`` file, a mapping of the same form, or an
            experiment.
        label: What is being read, for the message; ``None``: the file's name, ``"experiment"``.

    Returns:
        The experiment, with a name and a seed for each member.

    Raises:
        ConfigError: Something is wrong; the message lists every problem with its path, the
            value, what is expected and the nearest known name.
        PluginNotFound: All is well but that nobody offers something that it names.
        PluginError: A plugin that it names is broken.
    """
    if isinstance(source, str | Path):
        raw: Any = read_mapping(source)
        label = label or str(source)
    elif isinstance(source, Experiment):
        raw = unstructure(structure(Experiment, source, source="experiment"))
    else:
        raw = source
    label = label or "experiment"
    if not isinstance(raw, Mapping):
        raise ConfigError(
            f"an experiment is a file, a mapping or an Experiment, got {type(raw).__name__}"
        )
    findings, experiment = Findings(), None
    try:
        table: ExperimentTable = convert(raw, ExperimentTable)
        experiment = table.experiment()
    except Problems as found:
        findings.problems += found.problems
    check_names(raw, findings)
    if experiment is not None:
        check_environment(experiment, findings)
        check_population(experiment, findings)
    findings.raise_any(label)
    assert experiment is not None
    return experiment
