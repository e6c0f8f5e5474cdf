"""The trainer whose islands are actors of a Ray cluster."""

from __future__ import annotations

from typing import ClassVar

from coterie import ConfigError, TrainerCfg
from coterie.islands import IslandHost, IslandTrainer

from ._address import describe_unreachable
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

    def check_settings(self) -> None:
        """Check the settings, and that somebody listens at the cluster's address."""
        super().check_settings()
        problem = describe_unreachable(self.cfg.address)
        if problem:
            raise ConfigError(problem)

    @property
    def threads(self) -> int:
        """Threads that torch uses on each island."""
        return max(1, int(self.cfg.cpus))

    def make_host(self) -> IslandHost:
        """Connect to the cluster."""
        return RayHost(self.cfg, len(self.members))
