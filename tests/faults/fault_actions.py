"""What can happen in a worker, by name."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

import torch


class TwoArgumentsError(Exception):
    """Can be pickled, but not rebuilt."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


class LockError(Exception):
    """Can't be pickled."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


def _raise(error: BaseException) -> None:
    raise error


def _loop() -> None:
    while True:
        pass


ACTIONS = {
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "term": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "segv": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "bus": lambda: os.kill(os.getpid(), signal.SIGBUS),
    "exit": lambda: os._exit(3),
    "sys-exit": lambda: sys.exit(4),
    "raise": lambda: _raise(ValueError("no such luck")),
    "raise-two": lambda: _raise(TwoArgumentsError("no such", "luck")),
    "raise-lock": lambda: _raise(LockError("no such luck")),
    "raise-long": lambda: _raise(ValueError("no such luck " + "x" * 200_000)),
    "interrupt": lambda: _raise(KeyboardInterrupt("no such luck")),
    "memory": lambda: torch.empty(2**60, dtype=torch.uint8),
    "memory-python": lambda: bytearray(2**62),
    "hang-sleep": lambda: time.sleep(1000),
    "hang-loop": _loop,
    "hang-lock": lambda: [lock := threading.Lock(), lock.acquire(), lock.acquire()],
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "unpicklable-state": lambda: None,
}
