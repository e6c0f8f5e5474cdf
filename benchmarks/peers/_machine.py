"""What is measured on, and by what."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psutil

from ._contenders import ROOT, usable_cores


def describe_machine() -> dict[str, Any]:
    """Describe this machine: processor, cores, memory, system, and GPU if there is one."""
    return {
        "processor": processor(),
        "cores": usable_cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "gpu": gpu(),
    }


def name_of(machine: dict[str, Any]) -> str:
    """Make a short name, which can be part of a file's."""
    words = [machine["processor"], f"{machine['cores']} cores", machine["gpu"] or ""]
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")


def processor() -> str:
    """Name the processor."""
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def gpu() -> str | None:
    """Name the first CUDA device; ``None``: there is none."""
    return first_line("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")


def commit() -> str | None:
    """Name the commit that is checked out; ``+`` says that files differ from it."""
    found = first_line("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
    files = (str(path) for path in sorted(ROOT.glob("packages/*/src")))
    changed = first_line("git", "-C", str(ROOT), "status", "--porcelain", "--", *files)
    return found and found + ("+" if changed else "")


def first_line(*command: str) -> str | None:
    """Return the first line that a program prints; ``None``: it fails, or is not there."""
    if not shutil.which(command[0]):
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    return lines[0].strip() if done.returncode == 0 and lines else None
