"""What Coterie imports: the hooks. The records are light, what they load comes when chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from coterie.plugins import AgentPlugin, EnvPlugin, TrainerPlugin, hookimpl

from ._cfg import ClimberCfg, TimedTrainerCfg

if TYPE_CHECKING:
    from coterie import MetricRow, RunInfo

coterie_api_version = 1


def _load_climber() -> type[Any]:
    from ._agent import Climber

    return Climber


def _load_timed() -> type[Any]:
    from ._trainer import TimedTrainer

    return TimedTrainer


def _load_point() -> type[Any]:
    from ._env import PointAdapter

    return PointAdapter


@hookimpl
def coterie_agents() -> Iterable[AgentPlugin]:
    """Offer the agent ``climber``."""
    yield AgentPlugin(
        name="climber",
        summary="cross-entropy search over linear policies, no gradients",
        config=ClimberCfg,
        loader=_load_climber,
    )


@hookimpl
def coterie_trainers() -> Iterable[TrainerPlugin]:
    """Offer the trainer ``timed``."""
    yield TrainerPlugin(
        name="timed",
        summary="like sequential, and tells how long each member takes",
        config=TimedTrainerCfg,
        loader=_load_timed,
    )


@hookimpl
def coterie_envs() -> Iterable[EnvPlugin]:
    """Offer the environment kind ``example``."""
    yield EnvPlugin(
        name="example",
        summary="a point that is to be moved to the middle of a square",
        loader=_load_point,
    )


@hookimpl
def coterie_metrics_ready(run: RunInfo, rows: Sequence[MetricRow]) -> None:
    """Write a line per member to ``members.log`` in the folder of a training, if it has one."""
    if run.directory is None or run.mode != "train":
        return
    from ._lines import member_lines

    with (run.directory / "members.log").open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in member_lines(rows))
