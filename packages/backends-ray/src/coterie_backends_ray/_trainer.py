"""The trainer whose islands are actors of a Ray cluster."""

from __future__ import annotations

from typing import ClassVar

from coterie import TrainerCfg
from coterie.islands import IslandHost, IslandTrainer

from ._cfg import RayTrainerCfg
from ._host import RayHost


class RayTrainer(IslandTrainer):
    """Spreads the members over a Ray cluster; see :class:`coterie.islands.IslandTrainer`.

    The cluster is found, or started on this machine, with the first run, and islands stay for
    the trainer's life. One that is lost with its process or its node is started anew on what is
    left, from its state that was kept last, and does again what it had done since.
    """

    kind: ClassVar[str] = "ray"
    config_class: ClassVar[type[TrainerCfg]] = RayTrainerCfg

    @property
    def threads(self) -> int:
        """Threads that torch uses on each island."""
        return max(1, int(self.cfg.cpus))

    def make_host(self) -> IslandHost:
        """Connect to the cluster."""
        return RayHost(self.cfg, len(self.members))
