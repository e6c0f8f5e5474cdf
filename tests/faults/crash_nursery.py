"""Forks victims that have imported everything already: each line of the input is a request.

It is started as a script. ``{"start": plan, "errors": file}`` is answered with the victim's
process id, which is the id of its session too; ``{"poll": pid}`` with its exit code, or null.
``{"script": [path, argument, ...], "output": file, "errors": file}`` starts a script, which ends
as scripts do, with the interpreter's own traceback, exit code and clearing up.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import traceback
import warnings
from typing import Any

import crash_victim
import torch

import coterie_backends_mp._launcher as launcher
from coterie import make_agent, make_env
from coterie_backends_mp._server import be_server


class ForkedServer:
    """Stands in for the new interpreter that the server of workers is, which imports for long."""

    def __init__(self, command: list[str], *, pass_fds: tuple[int], **_: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        self._code: int | None = None
        if self.pid == 0:
            os.setpgid(0, 0)
            for descriptor in os.listdir("/proc/self/fd"):
                if int(descriptor) > 2 and int(descriptor) not in pass_fds:
                    _close(int(descriptor))
            be_server(*pass_fds)

    def poll(self) -> int | None:
        """Exit code, if it has ended."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def wait(self, seconds: float | None = None) -> int:
        """Wait for the end."""
        while self.poll() is None:
            crash_victim.time.sleep(0.005)
        assert self._code is not None
        return self._code

    def kill(self) -> None:
        """Kill it."""
        os.kill(self.pid, 9)


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        return


def start(plan: dict[str, Any], errors: str) -> int:
    """Fork a victim, in a session of its own; return its process id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _settle(os.devnull, errors)
        if plan["warm"]:
            launcher.subprocess = _Substitute  # type: ignore[assignment]
        crash_victim.train(plan)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def start_script(request: dict[str, Any]) -> int:
    """Fork a victim that is to run a script; return its process id, in the victim itself 0."""
    pid = os.fork()
    if pid == 0:
        _settle(request["output"], request["errors"])
        launcher.subprocess = _Substitute  # type: ignore[assignment]
        sys.argv[:] = request["script"]
    return pid


def _settle(output: str, errors: str) -> None:
    """Have a session and standard streams of one's own."""
    os.setsid()
    write = os.O_CREAT | os.O_WRONLY
    targets = os.open(os.devnull, os.O_RDWR), os.open(output, write), os.open(errors, write)
    for number, target in enumerate(targets):
        os.dup2(target, number)
        os.close(target)


class _Substitute:
    """The part of the module ``subprocess`` that starts the server."""

    Popen, DEVNULL, TimeoutExpired = ForkedServer, subprocess.DEVNULL, subprocess.TimeoutExpired


def poll(pid: int) -> int | None:
    """Exit code of a victim; ``None`` while it runs."""
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def serve() -> bool:
    """Answer requests until there are no more; tell whether this is a victim, with a script."""
    torch.set_num_threads(1)
    make_agent("ppo", env=make_env("torch:CartPole-v1", num_envs=1))  # imports the rest
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "poll" in request:
            answer = poll(request["poll"])
        elif "script" in request:
            answer = start_script(request)
            if answer == 0:
                return True
        else:
            answer = start(request["start"], request["errors"])
        print(json.dumps(answer), flush=True)
    return False


if __name__ == "__main__" and serve():
    runpy.run_path(sys.argv[0], run_name="__main__")
