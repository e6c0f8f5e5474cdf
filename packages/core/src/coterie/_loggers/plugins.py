"""The loggers that come with core, as plugin records. Free of torch."""

from __future__ import annotations

from typing import Any

from .._registry.records import LoggerPlugin
from .cfg import LoggerCfg, MlflowCfg, TensorBoardCfg, WandbCfg


def _csv() -> type[Any]:
    from .csv import CsvLogger

    return CsvLogger


def _jsonl() -> type[Any]:
    from .jsonl import JsonlLogger

    return JsonlLogger


def _tensorboard() -> type[Any]:
    from .tensorboard import TensorBoardLogger

    return TensorBoardLogger


def _wandb() -> type[Any]:
    from .wandb import WandbLogger

    return WandbLogger


def _mlflow() -> type[Any]:
    from .mlflow import MlflowLogger

    return MlflowLogger


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
        needs=("tensorboard",),
        install='pip install "coterie-core[tensorboard]"',
    ),
    LoggerPlugin(
        name="wandb",
        summary="Weights & Biases, a run per member in one group",
        config=WandbCfg,
        loader=_wandb,
        needs=("wandb",),
        install='pip install "coterie-core[wandb]"',
    ),
    LoggerPlugin(
        name="mlflow",
        summary="MLflow, a run per member within one for the whole",
        config=MlflowCfg,
        loader=_mlflow,
        needs=("mlflow",),
        install='pip install "coterie-core[mlflow]"',
    ),
)
