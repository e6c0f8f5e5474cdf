"""The loggers that come with core, as plugin records. Free of torch."""

from __future__ import annotations

from typing import Any

from .._registry.records import LoggerPlugin
from .cfg import LoggerCfg, TensorBoardCfg


def _csv() -> type[Any]:
    from .csv import CsvLogger

    return CsvLogger


def _jsonl() -> type[Any]:
    from .jsonl import JsonlLogger

    return JsonlLogger


def _tensorboard() -> type[Any]:
    from .tensorboard import TensorBoardLogger

    return TensorBoardLogger


PLUGINS = (
    LoggerPlugin(
        name="csv",
        summary="metrics.csv in the run's directory (always on where there is one)",
        config=LoggerCfg,
        loader=_csv,
    ),
    LoggerPlugin(
        name="jsonl",
        summary="metrics.jsonl in the run's directory",
        config=LoggerCfg,
        loader=_jsonl,
    ),
    LoggerPlugin(
        name="tensorboard",
        summary="TensorBoard event files, a folder per member",
        config=TensorBoardCfg,
        loader=_tensorboard,
    ),
)
