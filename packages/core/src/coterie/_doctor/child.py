"""Run a module of this package in a process of its own, with a time limit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from attrs import frozen

ANSWER = "coterie-doctor-answer: "
"""What a line with the answer begins with; other lines are what somebody printed."""

_AFTER_KILL = 5.0


@frozen(kw_only=True)
class Outcome:
    """How such a process ended.

    Attributes:
        answer: What it answered; ``None``: nothing.
        failure: Why there is no answer, in a few words; empty where there is one.
        output: The last of what it wrote to stderr.
    """

    answer: dict[str, Any] | None
    failure: str = ""
    output: str = ""


def run_child(module: str, arguments: Sequence[str], seconds: float) -> Outcome:
    """Run a module below :mod:`coterie._doctor` and read its answer.

    Whatever it started is killed with it when the time is over.

    Args:
        module: Name of the module.
        arguments: Arguments of its ``main``.
        seconds: How long it may take.
    """
    command = [sys.executable, "-P", "-m", f"{__package__}.{module}", *arguments]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
        errors="replace",
    ) as process:
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            ended = process.poll() is not None
            _kill(process)
            _, err = _rest(process)
            word = "left a process behind" if ended else "hung"
            return Outcome(
                answer=None, failure=f"{word}: not over after {seconds:g} s", output=_last(err)
            )
        except BaseException:
            _kill(process)
            raise
    return _outcome(out, err, process.returncode)


def answer(content: dict[str, Any]) -> None:
    """Give the answer, from within such a process."""
    print(f"\n{ANSWER}{json.dumps(content)}", flush=True)


def _outcome(out: str, err: str, code: int) -> Outcome:
    lines = [line for line in out.splitlines() if line.startswith(ANSWER)]
    if lines and code == 0:
        return Outcome(answer=json.loads(lines[-1][len(ANSWER) :]), output=_last(err))
    if code < 0:
        with suppress(ValueError):
            return Outcome(
                answer=None, failure=f"was ended by {signal.Signals(-code).name}", output=_last(err)
            )
    return Outcome(answer=None, failure=f"ended with exit code {code}", output=_last(err))


def _kill(process: subprocess.Popen[str]) -> None:
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(OSError):
        process.kill()


def _rest(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What it had written; somebody whom the signal did not reach may keep the pipes open."""
    try:
        return process.communicate(timeout=_AFTER_KILL)
    except subprocess.TimeoutExpired as error:
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        return "", _text(error.stderr)


def _text(written: Any) -> str:
    return written.decode(errors="replace") if isinstance(written, bytes) else written or ""


def _last(text: str, lines: int = 40) -> str:
    return "\n".join(text.rstrip().splitlines()[-lines:])
