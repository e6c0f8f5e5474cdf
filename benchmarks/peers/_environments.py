"""Environments of packages: one per peer, made when its first job comes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

from ._contenders import FOLDER, ROOT

PLACE = ROOT / ".nox" / "bench-peers"
CONSTRAINTS = ROOT / "constraints.txt"
BESIDE = {"coterie-skrl": ("skrl", ("core", "backends-mp", "skrl"))}
"""Environments with packages of this workspace: whose requirements, and which folders."""


class EnvironmentFailedError(RuntimeError):
    """An environment could not be made; the message is what pip said last."""


def find_python(name: str, given: Mapping[str, Path]) -> Path:
    """Find the interpreter of an environment, and make the environment if it is not there.

    Args:
        name: Name of the environment; ``"coterie"`` is the one that this runs in.
        given: Interpreters of environments that exist already.

    Raises:
        EnvironmentFailedError: pip could not install it.
    """
    if name in given:
        return given[name]
    if name == "coterie":
        return Path(sys.executable)
    folder = PLACE / name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "installed"
    wanted = fingerprint(name)
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        print(f"installing {name} into {folder}", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        install(python, arguments(name))
        stamp.write_text(wanted, encoding="utf-8")
    return python


def arguments(name: str) -> list[str]:
    """List what pip is told to install."""
    base, folders = BESIDE.get(name, (name, ()))
    editable = [f"-e{ROOT / 'packages' / folder}" for folder in folders]
    return ["-r", str(FOLDER / "requirements" / f"{base}.txt"), *editable]


def fingerprint(name: str) -> str:
    """Sum up what an environment is made from, so that a change makes it anew."""
    told = arguments(name)
    read = [Path(told[1]).read_text(encoding="utf-8"), CONSTRAINTS.read_text(encoding="utf-8")]
    return hashlib.sha256("\n".join([*read, *told[2:]]).encode()).hexdigest()


def install(python: Path, what: list[str]) -> None:
    """Let pip install; the workspace's constraints hold.

    Raises:
        EnvironmentFailedError: It could not.
    """
    environment = {**os.environ, "PIP_CONSTRAINT": CONSTRAINTS.as_uri()}
    command = [str(python), "-m", "pip", "install", "-q", *what]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EnvironmentFailedError((done.stderr.strip().splitlines() or ["pip failed"])[-1])
