"""Finding a Ray cluster, or starting one on this machine."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray

from coterie import ConfigError

_log = logging.getLogger("coterie")


def connect(address: str | None, cpus: float) -> bool:
    """Connect to a cluster, unless this process is connected to one already.

    Args:
        address: Its address, as in :class:`RayTrainerCfg`.
        cpus: CPUs that one of its own claims to have, at least those of this machine.

    Returns:
        Whether it is one of its own, to be shut down again.

    Raises:
        ConfigError: There is no cluster at the address.
    """
    if ray.is_initialized():
        return False
    settings: dict[str, Any] = {"logging_level": logging.WARNING, "configure_logging": False}
    with _signals_kept():
        if address not in (None, "local"):
            _join(str(address), settings)
            return False
        if address is None and _found(settings):
            return False
        count = max(int(cpus + 0.999), os.cpu_count() or 1)
        ray.init(address="local", num_cpus=count, include_dashboard=False, **settings)
        _log.info("started a Ray cluster on this machine, with %d CPUs", count)
        return True


def disconnect() -> None:
    """Shut a cluster of one's own down."""
    with _signals_kept():
        ray.shutdown()


def _join(address: str, settings: dict[str, Any]) -> None:
    try:
        ray.init(address=address, **settings)
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        raise ConfigError(
            f"address: there is no Ray cluster at {address!r} ({type(error).__name__}: {error}); "
            "start one with 'ray start --head', give the address of another, or leave the "
            "setting out for one of its own on this machine"
        ) from error


def _found(settings: dict[str, Any]) -> bool:
    """Join the cluster that the environment names, or that runs on this machine."""
    named = os.environ.get("RAY_ADDRESS")
    if named:
        _join(named, settings)
        return True
    try:
        ray.init(address="auto", **settings)
    except ConnectionError:
        return False
    return True


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Undo what Ray does to the handlers of signals: a trainer has its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)
