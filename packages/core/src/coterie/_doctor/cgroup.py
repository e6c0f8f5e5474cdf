"""What a container may use: the limits of control groups, versions 1 and 2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_SYSTEM = Path("/")
_UNLIMITED = 2**60  # version 1 writes "no limit" as a number near 2**63


def cpu_quota(root: Path = _SYSTEM) -> float | None:
    """Read how many cores' worth of time this process may use.

    Args:
        root: Where the file system starts.

    Returns:
        Number of cores, the least over the group and those around it; ``None``: no limit.
    """
    found = []
    for folder in _folders(root, "cpu"):
        words = _words(folder / "cpu.max") or [
            *_words(folder / "cpu.cfs_quota_us"),
            *_words(folder / "cpu.cfs_period_us"),
        ]
        numbers = [int(word) for word in words if word.isdigit()]
        if len(numbers) == 2 and min(numbers) > 0:
            found.append(numbers[0] / numbers[1])
    return min(found, default=None)


def memory_room(root: Path = _SYSTEM) -> tuple[int, int] | None:
    """Read how much memory this process may use.

    Args:
        root: Where the file system starts.

    Returns:
        The limit that leaves the least room, and the bytes that it leaves; ``None``: no limit.
    """
    names = (
        ("memory.max", "memory.current"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes"),
    )
    return _room(root, "memory", names)


def process_room(root: Path = _SYSTEM) -> tuple[int, int] | None:
    """Read how many processes and threads this process's group may have.

    Args:
        root: Where the file system starts.

    Returns:
        The limit that leaves the least room, and the number that it leaves; ``None``: no limit.
    """
    return _room(root, "pids", (("pids.max", "pids.current"),))


def _room(
    root: Path, controller: str, names: tuple[tuple[str, str], ...]
) -> tuple[int, int] | None:
    found = []
    for folder in _folders(root, controller):
        for limit_name, used_name in names:
            limit, used = _number(folder / limit_name), _number(folder / used_name)
            if limit is not None and limit < _UNLIMITED:
                found.append((max(0, limit - (used or 0)), limit))
    if not found:
        return None
    left, limit = min(found)
    return limit, left


def _folders(root: Path, controller: str) -> Iterator[Path]:
    """The group of this process and those around it, as far as they can be seen from here."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, place = [*line.split(":", 2), "", "", ""][:3]
        if controllers and controller not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / (controller if controllers else "")
        inner = mount / place.lstrip("/")
        # In a container the path can be one of the host, which is not there; the mount is.
        yield from dict.fromkeys(
            folder for folder in (inner, *inner.parents, mount) if folder.is_relative_to(mount)
        )


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return []


def _number(path: Path) -> int | None:
    words = _words(path)
    return int(words[0]) if words and words[0].isdigit() else None
