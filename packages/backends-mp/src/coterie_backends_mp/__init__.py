"""The trainer ``parallel``: a process per agent, one round trip per environment step.

Names are imported when they are first used: listing plugins costs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._cfg import ParallelTrainerCfg
    from ._executor import ProcessExecutor
    from ._trainer import ParallelTrainer
    from ._warm import WorkerServer

_HOME_OF = {
    "ParallelTrainer": "_trainer",
    "ParallelTrainerCfg": "_cfg",
    "ProcessExecutor": "_executor",
    "WorkerServer": "_warm",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("coterie-backends-mp")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'coterie_backends_mp' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


__all__ = ["ParallelTrainer", "ParallelTrainerCfg", "ProcessExecutor", "WorkerServer"]
