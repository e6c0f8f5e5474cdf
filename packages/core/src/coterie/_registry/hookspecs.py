"""The hooks that a plugin can implement.

An entry point in the group ``coterie`` names a module; functions in it that are marked with
:data:`coterie.plugins.hookimpl` and named like one of these are called.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

from .records import AgentPlugin, ControllerPlugin, EnvPlugin, LoggerPlugin, TrainerPlugin

if TYPE_CHECKING:
    from .._controllers.records import Change
    from .._errors import WorkerError
    from .._runs.records import MemberProgress, MetricRow, RunInfo, Summary

API_VERSION = 1
"""Version of the plugin interface. A plugin module may set ``coterie_api_version`` to the one
that it was written for; another number keeps it from being loaded, with a clear reason."""

hookspec = pluggy.HookspecMarker("coterie")
hookimpl = pluggy.HookimplMarker("coterie")


class CoterieSpecs:
    """Every hook, provider hooks first, then the events of a run."""

    @hookspec
    def coterie_trainers(self) -> Iterable[TrainerPlugin]:  # type: ignore[empty-body]
        """Offer trainers.

        .. code-block:: python

            from coterie.plugins import TrainerPlugin, hookimpl

            def _load():
                from my_package.trainer import MyTrainer
                return MyTrainer

            @hookimpl
            def coterie_trainers():
                yield TrainerPlugin(name="my-trainer", summary="…", config=MyCfg, loader=_load)

        Returns:
            Records; the loader runs only when the name is chosen.
        """

    @hookspec
    def coterie_agents(self) -> Iterable[AgentPlugin]:  # type: ignore[empty-body]
        """Offer agents.

        .. code-block:: python

            from coterie.plugins import AgentPlugin, hookimpl

            @hookimpl
            def coterie_agents():
                yield AgentPlugin(name="my-agent", summary="…", config=MyCfg, loader=_load)

        Returns:
            Records; the loader runs only when the name is chosen.
        """

    @hookspec
    def coterie_envs(self) -> Iterable[EnvPlugin]:  # type: ignore[empty-body]
        """Offer kinds of environments.

        .. code-block:: python

            from coterie.plugins import EnvPlugin, hookimpl

            @hookimpl
            def coterie_envs():
                yield EnvPlugin(name="my-sim", summary="…", loader=_load_adapter)

        Returns:
            Records; the loader runs only when ``"my-sim:…"`` is asked for.
        """

    @hookspec
    def coterie_loggers(self) -> Iterable[LoggerPlugin]:  # type: ignore[empty-body]
        """Offer loggers.

        .. code-block:: python

            from coterie.plugins import LoggerPlugin, hookimpl

            @hookimpl
            def coterie_loggers():
                yield LoggerPlugin(name="my-log", summary="…", config=MyCfg, loader=_load)

        Returns:
            Records; the loader runs only when the name is chosen.
        """

    @hookspec
    def coterie_controllers(self) -> Iterable[ControllerPlugin]:  # type: ignore[empty-body]
        """Offer controllers, which act on members between two timesteps.

        .. code-block:: python

            from coterie.plugins import ControllerPlugin, hookimpl

            @hookimpl
            def coterie_controllers():
                yield ControllerPlugin(
                    name="my-control", summary="…", config=MyCfg, loader=_load
                )

        Returns:
            Records; the loader runs only when the name is chosen.
        """

    @hookspec
    def coterie_run_started(self, run: RunInfo) -> None:
        """Learn that a run begins, before its first timestep.

        Args:
            run: Mode, members, timesteps, directory.
        """

    @hookspec
    def coterie_metrics_ready(self, run: RunInfo, rows: Sequence[MetricRow]) -> None:
        """See new metrics of the members; called every ``metrics_interval`` timesteps.

        Args:
            run: The run that they belong to.
            rows: One row per member and scalar.
        """

    @hookspec
    def coterie_checkpoint_saved(self, run: RunInfo, path: Path) -> None:
        """Learn that a checkpoint was written, and is whole.

        Args:
            run: The run that it belongs to.
            path: Folder of the checkpoint; ``members/NAME.safetensors`` in it are the agents.
        """

    @hookspec
    def coterie_member_failed(self, run: RunInfo, failure: WorkerError) -> None:
        """Learn that a member failed, whether or not the others go on.

        Args:
            run: The run that it belongs to.
            failure: What happened: member, phase, timestep and traceback.
        """

    @hookspec
    def coterie_should_stop(self, run: RunInfo, progress: MemberProgress) -> str | None:
        """Say why a member should stop before the run ends; called with each metrics.

        A stopped member keeps what it has learned, and its scope acts at random; the others do
        not change by a bit.

        .. code-block:: python

            @hookimpl
            def coterie_should_stop(progress):
                if progress.scalars.get("entropy", 1.0) < 0.01:
                    return "its policy has become deterministic"

        Args:
            run: The run.
            progress: How far an active member is, and its newest metrics.

        Returns:
            The reason, in one line; ``None``: it goes on.
        """

    @hookspec
    def coterie_population_changed(self, run: RunInfo, change: Change) -> None:
        """Learn what a controller did to a member, between two timesteps.

        Args:
            run: The run.
            change: What was done: to whom, by whom, and the settings before and after.
        """

    @hookspec
    def coterie_run_finished(self, run: RunInfo, summary: Summary) -> None:
        """See the results of a run that ended, also of one that failed.

        Args:
            run: The run.
            summary: A row per member.
        """
