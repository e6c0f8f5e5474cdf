"""How a command ends: exit codes, and messages without a traceback."""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from .._errors import (
    CheckpointError,
    ConfigError,
    EnvContractError,
    PluginError,
    SharedMemoryError,
    TrainingInterrupted,
    WorkerError,
)

FINE, BUG, CONFIGURATION, PLUGIN, CHECKPOINT, MEMBER, ENVIRONMENT = range(7)

_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (ConfigError, CONFIGURATION),
    (PluginError, PLUGIN),
    (CheckpointError, CHECKPOINT),
    (WorkerError, MEMBER),
    (SharedMemoryError, MEMBER),
    (EnvContractError, ENVIRONMENT),
)
_SIMULATOR = {("coterie._envs.boundary", None), ("coterie._factory", "make_env")}


def exit_code(error: BaseException) -> int:
    """Say which exit code an error ends the program with.

    Args:
        error: What a command raised.

    Returns:
        1 for a bug, 2 configuration, 3 plugin, 4 trained state, 5 member or worker,
        6 environment, 130 and 143 for SIGINT and SIGTERM.
    """
    if isinstance(error, TrainingInterrupted):
        return 128 + int(signal.Signals[error.signal])
    if isinstance(error, KeyboardInterrupt):
        return 128 + int(signal.SIGINT)
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return ENVIRONMENT if _from_simulator(error.__traceback__) else BUG


def _from_simulator(trace: TracebackType | None) -> bool:
    """Whether an exception came out of a call of the environment."""
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__")
        if {(module, None), (module, trace.tb_frame.f_code.co_name)} & _SIMULATOR:
            return True
        trace = trace.tb_next
    return False


def debugging(option: bool) -> bool:
    """Whether tracebacks are wanted: ``--debug``, or ``COTERIE_DEBUG`` in the environment."""
    return option or os.environ.get("COTERIE_DEBUG", "") not in ("", "0")


def tell(error: BaseException, debug: bool) -> int:
    """Print what went wrong on stderr; return the exit code.

    Args:
        error: What a command raised.
        debug: Whether to print the traceback in place of the message.
    """
    code = exit_code(error)
    if debug:
        traceback.print_exception(error)
    elif not isinstance(error, TrainingInterrupted):  # the trainer has told of it already
        print("\n".join([_headline(error, code), *_notes(error)]), file=sys.stderr)
        if code == BUG:
            print(
                "this looks like a bug in Coterie or in a plugin; run it again with --debug "
                "(or COTERIE_DEBUG=1)\nfor the traceback, and please report it with that on the "
                "project's issue tracker",
                file=sys.stderr,
            )
    return code


@contextmanager
def plain_warnings(debug: bool) -> Iterator[None]:
    """Write warnings for users as their text alone, unless debugging; put it back afterwards."""
    usual = warnings.formatwarning

    def plain(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        line: str | None = None,
    ) -> str:
        if category in (UserWarning, RuntimeWarning):
            return f"warning: {message}\n"
        return usual(message, category, filename, lineno, line)

    warnings.formatwarning = usual if debug else plain
    try:
        yield
    finally:
        warnings.formatwarning = usual


def keep_traceback(error: BaseException, run: Path) -> None:
    """Write the traceback of a failed training into its run, and note on the error where.

    A training that took hours need not be repeated with ``--debug`` to see what went wrong.
    """
    if not run.is_dir() or isinstance(error, ConfigError | PluginError | KeyboardInterrupt):
        return
    path = run / "traceback.txt"
    try:
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError:
        return
    error.add_note(f"traceback: {path}")


def _headline(error: BaseException, code: int) -> str:
    if isinstance(error, KeyboardInterrupt):
        return str(error) or "interrupted"
    text = str(error.args[0]) if isinstance(error, WorkerError) else str(error)
    named = any(isinstance(error, kind) for kind, _ in _CODES)
    if not named:
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if code == ENVIRONMENT and not named:
        text = f"the environment raised {text}"
    return f"error: {text}"


def _notes(error: BaseException) -> list[str]:
    return [str(note) for note in getattr(error, "__notes__", ())]
