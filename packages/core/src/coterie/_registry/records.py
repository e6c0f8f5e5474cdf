"""What plugins hand over: frozen records with a loader, never the heavy classes themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from attrs import field, frozen

_NAME = re.compile(r"[a-z][a-z0-9_.-]*")


def _valid_name(instance: Any, attribute: Any, value: Any) -> None:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(
            f"a plugin's name must be lower-case letters, digits, '.', '-' and '_', and start "
            f"with a letter; got {value!r}"
        )


@frozen(kw_only=True)
class TrainerPlugin:
    """A trainer that can be chosen by name.

    Attributes:
        name: The name, lower case.
        summary: One line for listings.
        config: attrs class of its settings, a subclass of :class:`~coterie.TrainerCfg`.
        loader: Imports and returns the :class:`~coterie.Trainer` subclass.
    """

    name: str = field(validator=_valid_name)
    summary: str
    config: type[Any]
    loader: Callable[[], type[Any]]


@frozen(kw_only=True)
class AgentPlugin:
    """An agent that can be chosen by name.

    Attributes:
        name: The name, lower case.
        summary: One line for listings.
        config: attrs class of its settings.
        loader: Imports and returns the :class:`~coterie.Agent` subclass.
    """

    name: str = field(validator=_valid_name)
    summary: str
    config: type[Any]
    loader: Callable[[], type[Any]]


def _recognises_nothing(env: Any) -> bool:
    return False


@frozen(kw_only=True)
class EnvPlugin:
    """A kind of environment: what stands before the colon of ``"gymnasium:CartPole-v1"``.

    Attributes:
        name: The name, lower case.
        summary: One line for listings.
        loader: Imports and returns the :class:`~coterie.EnvAdapter` subclass.
        recognises: Whether an object is of this kind, for ``wrap_env``. It must not import the
            simulator: look at ``type(env).__mro__`` and module names.
    """

    name: str = field(validator=_valid_name)
    summary: str
    loader: Callable[[], type[Any]]
    recognises: Callable[[Any], bool] = _recognises_nothing


@frozen(kw_only=True)
class LoggerPlugin:
    """A place that metrics are written to.

    Attributes:
        name: The name, lower case.
        summary: One line for listings.
        config: attrs class of its settings.
        loader: Imports and returns the :class:`~coterie.Logger` subclass.
    """

    name: str = field(validator=_valid_name)
    summary: str
    config: type[Any]
    loader: Callable[[], type[Any]]
