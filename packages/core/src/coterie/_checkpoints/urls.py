"""Folders that are named by a URL, and the file systems of fsspec that they are in."""

from __future__ import annotations

import os
import re
from typing import Any, TypeGuard

from .._errors import ConfigError, PluginError
from .._nearest import did_you_mean
from .._registry.needs import missing_modules

_SECRET = re.compile(r"(?<=://)[^/@]*@")
_INSTALL = 'pip install "coterie-core[remote]"'


def is_url(where: object) -> TypeGuard[str]:
    """Whether something names a folder by a URL: it is a text with ``://`` in it."""
    return isinstance(where, str) and "://" in where


def shown(url: str) -> str:
    """Write a URL for messages: without the name and password of a user, or a ``/`` at its end."""
    return _SECRET.sub("", url).rstrip("/")


def last_part(url: str) -> str:
    """Return what stands behind the last ``/`` of a URL; empty if that is a host or a bucket."""
    return shown(url).partition("://")[2].rpartition("/")[2]


def connect(url: str) -> tuple[Any, str]:
    """Find the file system that a URL names. Nothing is read or written.

    Args:
        url: The URL of a folder, or a path.

    Returns:
        The file system, an object of fsspec, and the folder's path in it.

    Raises:
        ConfigError: There is no such protocol, or the URL names no folder.
        PluginError: fsspec, or what the protocol needs, is not installed.
    """
    if missing_modules(["fsspec"]):
        raise PluginError(f"{shown(url)} needs fsspec, which can't be found: {_INSTALL}")
    full = url if is_url(url) else f"file://{os.path.abspath(url)}"
    _check(full)
    from fsspec.core import url_to_fs

    try:
        system, root = url_to_fs(full)
    except Exception as error:  # each file system has errors of its own
        raise ConfigError(
            f"{shown(url)} can't be opened: {type(error).__name__}: {error}"
        ) from error
    if not root.strip("/"):
        raise ConfigError(f"{shown(url)} names no folder; give one, such as {shown(url)}/runs/a")
    return system, root.rstrip("/")


def _check(url: str) -> None:
    from fsspec.registry import get_filesystem_class, known_implementations, registry

    protocol = url.partition("://")[0]
    if "::" in url:
        raise ConfigError(f"{shown(url)} is a chain of URLs (::), which is not supported; give one")
    known = {*known_implementations, *registry}
    if protocol not in known:
        raise ConfigError(
            f"{shown(url)}: there is no protocol {protocol!r}{did_you_mean(protocol, known)} "
            f"(known: {', '.join(sorted(known))})"
        )
    try:
        get_filesystem_class(protocol)
    except ImportError as error:
        module = str(known_implementations.get(protocol, {}).get("class", "")).partition(".")[0]
        how = f"; pip install {module}" if module not in ("", "fsspec") else ""
        raise PluginError(
            f"{shown(url)} needs a package that can't be found: {error}{how}"
        ) from error
