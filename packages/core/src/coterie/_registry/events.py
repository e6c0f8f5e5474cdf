"""Tell plugins what happens in a run, without letting one of them stop it."""

from __future__ import annotations

import logging
from typing import Any

import pluggy

_log = logging.getLogger("coterie")
_STRIKES = 3


class Events:
    """Calls the implementations of event hooks one by one.

    One that raises gives a warning that names plugin and hook; after three times it is not
    called any more.

    Args:
        manager: Where the plugins are registered.
    """

    def __init__(self, manager: pluggy.PluginManager) -> None:
        self._manager = manager
        self._strikes: dict[tuple[str, str], int] = {}

    def emit(self, hook: str, **arguments: Any) -> list[Any]:
        """Call every implementation of ``hook``, in pluggy's order (last registered first).

        Args:
            hook: Name of the hook, such as ``"coterie_run_started"``.
            arguments: Arguments of the hook; an implementation gets those that it names.

        Returns:
            What they answered.
        """
        answers = []
        for implementation in reversed(self._implementations(hook)):
            key = (implementation.plugin_name, hook)
            if self._strikes.get(key, 0) < _STRIKES:
                answers.append(self._call(implementation, key, arguments))
        return answers

    def listens(self, hook: str) -> bool:
        """Whether anybody implements ``hook``."""
        return bool(self._implementations(hook))

    def _implementations(self, hook: str) -> list[pluggy.HookImpl]:
        found: list[pluggy.HookImpl] = getattr(self._manager.hook, hook).get_hookimpls()
        return found

    def _call(
        self, implementation: pluggy.HookImpl, key: tuple[str, str], arguments: dict[str, Any]
    ) -> Any:
        try:
            return implementation.function(*(arguments[name] for name in implementation.argnames))
        except (Exception, SystemExit) as error:
            self._strikes[key] = self._strikes.get(key, 0) + 1
            last = self._strikes[key] == _STRIKES
            _log.warning(
                "plugin %s: hook %s raised %s: %s%s",
                *key,
                type(error).__name__,
                error,
                f" ({_STRIKES} times now; it is not called any more)" if last else "",
                exc_info=error if last else None,
            )
            return None
