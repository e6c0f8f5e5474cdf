"""What plugins hand over: frozen records with a loader, never the heavy classes themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import attrs
from attrs import field, frozen
from attrs.validators import deep_iterable, instance_of, is_callable, optional

_NAME = re.compile(r"[a-z][a-z0-9_.-]*")


def _valid_name(instance: Any, attribute: Any, value: Any) -> None:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(
            f"a plugin's name must be lower-case letters, digits, '.', '-' and '_', and start "
            f"with a letter; got {value!r}"
        )


def _settings_class(instance: Any, attribute: Any, value: Any) -> None:
    if not (isinstance(value, type) and attrs.has(value)):
        raise TypeError(f"{attribute.name} must be an attrs class, got {value!r}")


def _trainer_settings(instance: Any, attribute: Any, value: Any) -> None:
    from .._trainers.cfg import TrainerCfg

    _settings_class(instance, attribute, value)
    if not issubclass(value, TrainerCfg):
        raise TypeError(f"{attribute.name} must be a subclass of TrainerCfg, got {value!r}")


@frozen(kw_only=True)
class TrainerPlugin:
    """A trainer that can be chosen by name.

    Attributes:
        name: The name, lower case.
        summary: One line for listings.
        config: attrs class of its settings, a subclass of :class:`~coterie.TrainerCfg`.
        loader: Imports and returns the :class:`~coterie.Trainer` subclass.
        anticipate: Called by the command line with the :class:`~coterie.Experiment` that it will
            train, before it imports torch and makes anything. It may begin what takes long, such
            as to start processes, must not wait for that, and must clear away when the program
            ends what no trainer took. ``None``: there is nothing of that kind.
    """

    name: str = field(validator=_valid_name)
    summary: str = field(validator=instance_of(str))
    config: type[Any] = field(validator=_trainer_settings)
    loader: Callable[[], type[Any]] = field(validator=is_callable())
    anticipate: Callable[[Any], None] | None = field(
        default=None, validator=optional(is_callable())
    )


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
    summary: str = field(validator=instance_of(str))
    config: type[Any] = field(validator=_settings_class)
    loader: Callable[[], type[Any]] = field(validator=is_callable())


def _texts(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(value)


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
        needs: Modules that must be installed for it to make environments; they are looked for,
            not imported.
        install: Command that installs them; empty where one command is not enough to say.
    """

    name: str = field(validator=_valid_name)
    summary: str = field(validator=instance_of(str))
    loader: Callable[[], type[Any]] = field(validator=is_callable())
    recognises: Callable[[Any], bool] = field(default=_recognises_nothing, validator=is_callable())
    needs: tuple[str, ...] = field(
        default=(), converter=_texts, validator=deep_iterable(instance_of(str))
    )
    install: str = field(default="", validator=instance_of(str))


@frozen(kw_only=True)
class _WithNeeds:
    """What can be chosen by name and has settings, and may need modules that are not there."""

    name: str = field(validator=_valid_name)
    summary: str = field(validator=instance_of(str))
    config: type[Any] = field(validator=_settings_class)
    loader: Callable[[], type[Any]] = field(validator=is_callable())
    needs: tuple[str, ...] = field(
        default=(), converter=_texts, validator=deep_iterable(instance_of(str))
    )
    install: str = field(default="", validator=instance_of(str))


@frozen(kw_only=True)
class ControllerPlugin(_WithNeeds):
    """Something that acts on members between two timesteps, by name.

    Attributes:
        name: The name, lower case.
        summary: One line for listings.
        config: attrs class of its settings.
        loader: Imports and returns the :class:`~coterie.Controller` subclass.
        needs: Modules that must be installed for it; they are looked for, not imported.
        install: Command that installs them.
    """


@frozen(kw_only=True)
class LoggerPlugin(_WithNeeds):
    """A place that metrics are written to.

    Attributes:
        name: The name, lower case.
        summary: One line for listings.
        config: attrs class of its settings.
        loader: Imports and returns the :class:`~coterie.Logger` subclass.
        needs: Modules that must be installed for it; they are looked for, not imported.
        install: Command that installs them.
    """
