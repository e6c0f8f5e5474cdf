"""Small populations that evolve."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coterie import SequentialTrainer
from coterie.testing import CountingEnv, SumAgent, agents_for

RANGES = {"scale": {"type": "log", "low": 0.1, "high": 10.0}}


class Evolving:
    """What the tests share."""

    ranges = RANGES

    @staticmethod
    def trainer(
        controller: Any, *, members: int = 4, steps: int = 60, run: Path | None = None, **more: Any
    ) -> SequentialTrainer:
        """Make a trainer of small agents in an environment with short episodes."""
        env = CountingEnv(2 * members, seed=more.pop("env_seed", 0))
        cfg = {"timesteps": steps, "disable_progressbar": True, **more.pop("cfg", {})}
        agents = more.pop("agents", None) or agents_for(env, *[SumAgent] * members)
        return SequentialTrainer(
            env=env, agents=agents, cfg=cfg, run_dir=run, controllers=[controller], **more
        )

    @staticmethod
    def lineage(trainer: SequentialTrainer) -> list[dict[str, Any]]:
        """Return what was done, with nothing left out."""
        empty = {"member": "", "donor": "", "before": {}, "after": {}, "fitness": None, "note": ""}
        lines = trainer._controllers.journal.lines
        return [{**empty, **json.loads(line)} for line in lines]


@pytest.fixture(scope="session")
def evolving() -> type[Evolving]:
    """Give the tests what they share."""
    return Evolving
