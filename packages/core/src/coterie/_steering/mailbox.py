"""The folder of a run in which commands are left, and answered. Free of torch."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import attrs

from .._errors import ConfigError
from .commands import Answer, Command, make_command

FOLDER = "steer"
_ANSWER = ".answer.json"
_COMMAND = ".json"
_LARGEST = 64 * 1024
_FRESH = 2.0
_ANYWAY = 5.0
_numbers = count()


def post(run: Path, command: Command) -> str:
    """Leave a command for a run; return its name there.

    Raises:
        OSError: It can't be written.
    """
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    name = f"{time.time_ns():020d}-{os.getpid()}-{next(_numbers)}"
    _write(folder / f"{name}{_COMMAND}", attrs.asdict(command))
    return name


def wait(run: Path, name: str, seconds: float) -> Answer | None:
    """Wait for the answer to a command; one that nobody has taken by then is withdrawn.

    Args:
        run: The run's folder.
        name: Name of the command.
        seconds: How long to wait.

    Returns:
        The answer; ``None``: there is none.
    """
    folder, end = run / FOLDER, time.monotonic() + seconds
    while True:
        found = _take_answer(folder / f"{name}{_ANSWER}")
        if found is not None:
            return found
        if time.monotonic() >= end:
            break
        time.sleep(0.02)
    try:
        (folder / f"{name}{_COMMAND}").unlink()
    except FileNotFoundError:  # it is being done at this moment
        time.sleep(1.0)
        return _take_answer(folder / f"{name}{_ANSWER}")
    return None


def _take_answer(path: Path) -> Answer | None:
    try:
        answer = Answer(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    path.unlink(missing_ok=True)
    return answer


def _write(path: Path, content: dict[str, Any]) -> None:
    new = path.with_name(f".{path.name}.new")
    new.write_text(json.dumps(content, default=str), encoding="utf-8")
    os.replace(new, path)


class Mailbox:
    """The trainer's side: it looks for commands, rarely enough to cost nothing.

    Args:
        run: The run's folder.
    """

    def __init__(self, run: Path) -> None:
        self._folder = run / FOLDER
        self._seen = 0
        self._changed = self._listed = time.monotonic()

    def looks_changed(self) -> bool:
        """Whether there may be new commands: one look at the time of the folder's last change."""
        try:
            changed = os.stat(self._folder).st_mtime_ns
        except OSError:
            return False
        now = time.monotonic()
        if changed != self._seen:
            self._seen, self._changed = changed, now
        # What comes within the grain of the file system's clock does not change the time again.
        if now - self._changed >= _FRESH and now - self._listed < _ANYWAY:
            return False
        self._listed = now
        return bool(self._names())

    def take(self) -> list[tuple[str, Command]]:
        """Take the commands that are there, oldest first; answer those that are none."""
        found = []
        for name in self._names():
            path = self._folder / f"{name}{_COMMAND}"
            try:
                found.append((name, _read(path)))
            except ConfigError as error:
                self.answer(name, Answer(done=False, text=str(error)))
            with suppress(OSError):
                path.unlink()
        return found

    def answer(self, name: str, answer: Answer) -> None:
        """Answer a command, if that can be written."""
        with suppress(OSError):
            _write(self._folder / f"{name}{_ANSWER}", attrs.asdict(answer))

    def clear(self, why: str) -> None:
        """Answer whatever is there, as nobody will do it any more."""
        for name, _ in self.take():
            self.answer(name, Answer(done=False, text=why))

    def _names(self) -> list[str]:
        try:
            files = sorted(path.name for path in self._folder.iterdir())
        except OSError:
            return []
        return [
            file.removesuffix(_COMMAND)
            for file in files
            if file.endswith(_COMMAND) and not file.endswith(_ANSWER) and file[0] != "."
        ]


def _read(path: Path) -> Command:
    try:
        if path.stat().st_size > _LARGEST:
            raise ConfigError("the command is too long")
        content = json.loads(path.read_bytes())
        found = {key: content[key] for key in ("name", "member", "settings") if key in content}
        return make_command(**{"name": None, **found, "settings": found.get("settings") or None})
    except ConfigError:
        raise
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"the command can't be read: {error}") from error
