"""What an agent of skrl writes: its TensorBoard events and its own checkpoints."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from skrl.utils.tensorboard import SummaryWriter

_OWN = ("Reward / ", "Episode / ")  # trainers measure these themselves


class Files:
    """Writes for an agent where it works, whichever process that is, when something is due.

    Args:
        agent: The agent of skrl.
    """

    def __init__(self, agent: Any) -> None:
        self._agent = agent
        self._seen: dict[str, int] = {}

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Keep the agent from writing and forgetting what it tracked, which :meth:`write` does.

        Some of skrl's agents track nothing with an interval of 0.
        """
        agent = self._agent
        interval, agent.write_interval = agent.write_interval, sys.maxsize
        if agent.checkpoint_interval > 0:
            os.makedirs(os.path.join(agent.experiment_dir, "checkpoints"), exist_ok=True)
        try:
            yield
        finally:
            agent.write_interval = interval

    def due(self, timestep: int) -> bool:
        """Whether to write what was tracked, after a timestep, counted from 0."""
        done, interval = timestep + 1, self._agent.write_interval
        return bool(done > 1 and interval > 0 and not done % interval)

    def write(self, *, timestep: int, timesteps: int) -> None:
        """Write what was tracked to the disk, and forget it.

        Args:
            timestep: The timestep that was done, from 0.
            timesteps: Number of timesteps in all.
        """
        self.open("")
        self._agent.write_tracking_data(timestep=timestep + 1, timesteps=timesteps)
        self._agent.writer.flush()  # skrl's would keep up to two minutes of events to itself
        self._seen.clear()

    def open(self, folder: str) -> None:
        """Open the events of a folder below the agent's own, unless some are open."""
        if getattr(self._agent, "writer", None) is None:
            log_dir = os.path.join(self._agent.experiment_dir, folder)
            self._agent.writer = SummaryWriter(log_dir=log_dir)

    def close(self) -> None:
        """Write out and close the events; they are opened anew when something is due."""
        writer = vars(self._agent).pop("writer", None)
        if writer is not None:
            writer.flush()
            writer.close()

    def take(self) -> list[tuple[str, float]]:
        """Hand over what was tracked since the last call, but for rewards and episodes."""
        found = []
        for tag, values in self._agent.tracking_data.items():
            if not tag.startswith(_OWN):
                fresh = values[self._seen.get(tag, 0) :]
                found += [(_named(tag), float(value)) for value in fresh]
            self._seen[tag] = len(values)
        if not _is_positive(self._agent.write_interval):  # nobody else would ever forget it
            self._agent.tracking_data.clear()
            self._seen.clear()
        return found

    def state_dict(self) -> dict[str, int]:
        """Return how much of each series was handed over."""
        return dict(self._seen)

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Take over what :meth:`state_dict` returned."""
        self._seen = dict(state)


def _is_positive(interval: Any) -> bool:
    return isinstance(interval, int) and interval > 0


def _named(tag: str) -> str:
    """``"Stats / Inference time (ms)"`` as a metric is named: ``"stats/inference_time_ms"``."""
    parts = (re.sub(r"[^a-z0-9]+", "_", part.lower()).strip("_") for part in tag.split("/"))
    return "/".join(part for part in parts if part)
