"""All checks, in order."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from .cuda import built_for_cuda, check_cuda
from .finding import Finding, Section
from .limits import (
    check_descriptors,
    check_folder,
    check_processes,
    check_shared_memory,
    check_start_methods,
)
from .machine import check_cores, check_load, check_memory, check_threads, find_cores, find_load
from .plugins import check_extras, check_plugins
from .trainers import check_trainers
from .versions import check_libraries, check_packages, check_python

Check = Callable[[], Finding | Iterable[Finding]]


def examine(runs: Path, trials: bool = True) -> Iterator[Finding]:
    """Make all checks; give each finding as soon as it is there.

    A check that fails itself is a finding too, and the others are made.

    Args:
        runs: Folder that runs are written below.
        trials: Whether to try the trainers.
    """
    for section, check in checks(runs, trials):
        yield from guarded(section, check)


def checks(runs: Path, trials: bool) -> list[tuple[Section, Check]]:
    """List the checks, with the section that each belongs to; arguments as above."""
    cores = find_cores()
    found: list[tuple[Section, Check]] = [
        ("versions", check_python),
        ("versions", check_packages),
        ("versions", check_libraries),
        ("machine", lambda: check_cores(cores)),
        ("machine", lambda: check_threads(_torch_threads(), os.environ, cores)),
        ("machine", lambda: check_load(find_load(), cores)),
        ("machine", check_memory),
        ("limits", check_shared_memory),
        ("limits", check_descriptors),
        ("limits", check_processes),
        ("limits", check_start_methods),
        ("limits", lambda: check_folder("temporary files", Path(tempfile.gettempdir()))),
        ("limits", lambda: check_folder("runs", runs)),
        ("cuda", lambda: check_cuda(os.environ, built_for_cuda())),
        ("plugins", check_plugins),
        ("plugins", check_extras),
    ]
    return [*found, ("trainers", check_trainers)] if trials else found


def guarded(section: Section, check: Check) -> Iterator[Finding]:
    """Make one check; tell of an exception in place of raising it."""
    try:
        found = check()
        yield from [found] if isinstance(found, Finding) else found
    except Exception as error:
        name = getattr(check, "__name__", "check").removeprefix("check_")
        yield Finding(
            section=section,
            name=name,
            value=f"could not be looked at: {type(error).__name__}: {error}",
            verdict="note",
        )


def _torch_threads() -> int:
    import torch

    return torch.get_num_threads()
