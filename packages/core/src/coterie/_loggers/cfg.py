"""Settings of the loggers that come with core. Free of torch."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from .._config.validators import at_least


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


@frozen(kw_only=True)
class WandbCfg(LoggerCfg):
    """Settings of the Weights & Biases logger.

    Attributes:
        project: Project; ``None``: W&B's own choice, such as ``WANDB_PROJECT``.
        entity: User or team; ``None``: W&B's own choice.
        group: Name of the group that the members' runs are in; ``None``: that of the run's
            directory.
        tags: Tags of each run.
        mode: Whether to send everything, only write it to files, or do nothing; ``None``: W&B's
            own choice, which is ``WANDB_MODE``, or else ``"online"``.
        against: What the horizontal axis of W&B's charts counts.
    """

    project: str | None = None
    entity: str | None = None
    group: str | None = None
    tags: tuple[str, ...] = ()
    mode: Literal["online", "offline", "disabled"] | None = None
    against: Literal["timestep", "env_steps", "wall_time"] = "timestep"


@frozen(kw_only=True)
class MlflowCfg(LoggerCfg):
    """Settings of the MLflow logger.

    Attributes:
        tracking_uri: Server or database; ``None``: ``MLFLOW_TRACKING_URI``, or else the file
            ``mlflow.db`` in the run's directory.
        experiment: Experiment of MLflow that the runs are in.
        name: Name of the run of the whole; ``None``: that of the run's directory.
        tags: Tags of each run.
        flush_seconds: Metrics are gathered for so long, and then sent together; 0: at once.
    """

    tracking_uri: str | None = None
    experiment: str = "coterie"
    name: str | None = None
    tags: dict[str, str] = field(factory=dict)
    flush_seconds: float = field(default=10.0, validator=at_least(0))
