"""Settings of the loggers that come with core. Free of torch."""

from __future__ import annotations

from typing import Literal

from attrs import frozen


@frozen(kw_only=True)
class LoggerCfg:
    """Settings of a logger that has none; the base of those that do."""


@frozen(kw_only=True)
class TensorBoardCfg(LoggerCfg):
    """Settings of the TensorBoard logger.

    Attributes:
        folder: Folder within the run's directory.
        against: What the horizontal axis counts.
    """

    folder: str = "tensorboard"
    against: Literal["timestep", "env_steps"] = "timestep"
