"""Trainers with the arguments of skrl's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from skrl.trainers.torch import ParallelTrainerCfg, SequentialTrainerCfg
from skrl.trainers.torch import Trainer as SkrlTrainer

from coterie import ConfigError, Summary, Trainer, make_trainer

from .population import adapt_agents, adapt_env, split_settings


class DropIn(SkrlTrainer):  # type: ignore[misc]
    """A trainer with the arguments and the effects of skrl's, and one of Coterie's at work.

    Args:
        env: The environment, in skrl's wrapper or not.
        agents: An agent or multi-agent of skrl, or a list of them.
        scopes: Number of instances of each agent; ``None``: equal ones. The list is not changed.
        cfg: skrl's configuration, or a dict of its fields and those of Coterie's trainer.
        faithful: Whether to do exactly what skrl's sequential trainer does, to the bit, for one
            agent. For several, each still has random streams of its own.
        seeds: A seed for each agent and its instances; ``None``: the one of skrl's ``set_seed``,
            and those after it.
        run_dir: Folder that Coterie's own metrics and checkpoints go to; ``None``: none.
        loggers: Loggers beside those that every run has.

    Attributes:
        trainer: Coterie's trainer.
        agents: The agents of skrl; a single one not in a list, as in skrl.
        scopes: First and last instance of each agent, as in skrl.

    Raises:
        ConfigError: Something does not fit; nothing was started.
    """

    kind: ClassVar[str] = "sequential"
    settings_class: ClassVar[type[Any]] = SequentialTrainerCfg

    def __init__(
        self,
        *,
        env: Any,
        agents: Any,
        scopes: Sequence[int] | None = None,
        cfg: Any = None,
        faithful: bool = False,
        seeds: Sequence[int] | None = None,
        run_dir: str | Path | None = None,
        loggers: Sequence[Any] = (),
    ) -> None:
        listed = list(agents) if isinstance(agents, list | tuple) else [agents]
        if not listed:
            raise ConfigError("agents is empty: give at least one agent")
        self.cfg, settings = split_settings({} if cfg is None else cfg, self.settings_class)
        self.env = env
        self.trainer: Trainer = make_trainer(
            self._place(len(listed)),
            env=adapt_env(env, faithful),
            agents=adapt_agents(listed, self.cfg, faithful, seeds),
            scopes=list(scopes) if scopes else None,
            cfg=settings,
            run_dir=run_dir,
            loggers=loggers,
        )
        if faithful and len(listed) == 1:  # skrl does so before the environment's first reset
            for member in self.trainer.agents:
                member.prepare(self.cfg.timesteps)  # type: ignore[attr-defined]
        self.agents = listed[0] if len(listed) == 1 else listed
        self.num_simultaneous_agents = len(listed)
        self.scopes = [(m.scope.start, m.scope.stop) for m in self.trainer.members]

    def _place(self, agents: int) -> str:
        """Name of Coterie's trainer for so many agents."""
        return self.kind

    def train(self) -> Summary:
        """Train; returns how it ended, a row per member, and raises as Coterie's trainers do."""
        return self.trainer.train()

    def eval(self) -> Summary:
        """Evaluate; returns how it ended, a row per member. No checkpoint is written."""
        return self.trainer.eval()

    def close(self) -> None:
        """Give back what the trainer holds; agents and environment stay."""
        self.trainer.close()


class SequentialTrainer(DropIn):
    """skrl's ``SequentialTrainer``, with Coterie's ``sequential`` at work; see :class:`DropIn`."""


class ParallelTrainer(DropIn):
    """skrl's ``ParallelTrainer``, with Coterie's ``parallel`` at work; see :class:`DropIn`.

    A single agent works in the caller's process, as it does in skrl.
    """

    kind: ClassVar[str] = "parallel"
    settings_class: ClassVar[type[Any]] = ParallelTrainerCfg

    def _place(self, agents: int) -> str:
        return self.kind if agents > 1 else "sequential"
