"""One job: a process on its cores, its memory looked at, ended when its time is over."""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import psutil

from ._contenders import FOLDER

GRACE = 10.0
INTERVAL = 1.0
MOST_MEMORY = 0.8
KINDS = ("OMP", "MKL", "OPENBLAS", "NUMEXPR")
MIB = 2**20


class _Job:
    """A running job.

    Attributes:
        process: The process; it leads a session of its own.
        memory: Most MiB that it and its descendants have held together, as far as was looked.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.memory = 0.0
        self.warm = False
        self._text = b""

    def look(self) -> None:
        """Look at the memory; what several processes share counts once."""
        self.memory = max(self.memory, sum(map(weight, self.family())) / MIB)

    def family(self) -> list[psutil.Process]:
        """List the process and its descendants."""
        try:
            top = psutil.Process(self.process.pid)
            return [top, *top.children(recursive=True)]
        except psutil.Error:
            return []

    def read(self, deadline: float, most: float) -> dict[str, Any]:
        """Read what it tells until the result, its end, or a limit.

        Args:
            deadline: Second of the monotonic clock at which it is given up.
            most: MiB that it may hold.
        """
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while True:
                if selector.select(INTERVAL):
                    data = os.read(descriptor, 1 << 16)
                    if not data:
                        return {"outcome": "failed"}
                    told = self._take(data)
                    if told is not None:
                        self.look()
                        return told
                if not self.warm:  # looking would disturb what is measured
                    self.look()
                if self.memory > most:
                    return {"outcome": "memory", "reason": f"more than {most / 1024:.0f} GiB"}
                if time.monotonic() > deadline:
                    return {"outcome": "limit"}

    def _take(self, data: bytes) -> dict[str, Any] | None:
        """Cut what came into lines; returns the result once it is there."""
        *lines, self._text = (self._text + data).split(b"\n")
        for line in lines:
            if line.startswith(b'{"'):
                with contextlib.suppress(json.JSONDecodeError):
                    told: dict[str, Any] = json.loads(line)
                    if "mark" not in told:
                        return told
                    self.look()
                    self.warm = True
        return None

    def end(self) -> None:
        """End it and all that it started."""
        family = self.family()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, 9)
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.process.wait()


def weight(process: psutil.Process) -> int:
    """Bytes of a process, its part of what it shares with others; 0 if it is gone."""
    try:
        full = process.memory_full_info()
    except psutil.Error:
        return 0
    return int(getattr(full, "pss", full.rss))


def run_job(python: Path, job: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Run a job.

    Args:
        python: Interpreter of its environment.
        job: Name of the script.
        told: What it is told; ``limit``, ``cores``, ``device`` and ``threads`` count here too.

    Returns:
        What it told, ``"memory"`` in MiB, and ``"whole"``, the seconds from the start of its
        process to its result. ``"outcome"`` is ``"done"``, ``"limit"``, ``"memory"`` or
        ``"failed"``, and ``"reason"`` says why it failed.
    """
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as errors:
        started = time.monotonic()
        command = [str(python), str(FOLDER / "jobs" / f"{job}_job.py")]
        command.append(json.dumps({**told, "started": started}))
        process = subprocess.Popen(
            command,
            cwd=scratch,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=surroundings(told, scratch),
            start_new_session=True,
        )
        keep_to_cores(process.pid, told["cores"])
        running = _Job(process)
        try:
            most = MOST_MEMORY * psutil.virtual_memory().total / MIB
            result = running.read(started + told["limit"] + GRACE, most)
        finally:
            whole = time.monotonic() - started
            running.end()
        if result["outcome"] == "failed":
            result["reason"] = what_failed(errors)
        return {**result, "memory": round(running.memory, 1), "whole": round(whole, 3)}


def keep_to_cores(pid: int, cores: int) -> None:
    """Let a process use some cores only, the last ones, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        usable = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(pid, usable[-cores:])


def surroundings(told: Mapping[str, Any], scratch: str) -> dict[str, str]:
    """Make the environment variables of a job: threads, devices, and where code is compiled to."""
    kept = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    if told["threads"]:
        kept |= {f"{kind}_NUM_THREADS": str(told["threads"]) for kind in KINDS}
    if told["device"] == "cpu":
        kept |= {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    if told["measure"] != "steady":  # otherwise compiled code of the last time would be found
        kept["TORCHINDUCTOR_CACHE_DIR"] = scratch
    return kept


def what_failed(file: IO[bytes]) -> str:
    """Find the last line of a file that names an error, or else the last one."""
    file.seek(0)
    lines = [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    found = (errors or lines or ["it said nothing"])[-1]
    return found.replace("|", "/")[:200]
