"""Where the settings of members and their copies come from."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from coterie import State

from .._ranges.draws import draw_all, explore
from .._search.study import Study
from .cfg import PBTCfg


class Source:
    """Gives settings: evenly drawn and disturbed, or from a study.

    Args:
        cfg: The settings of the evolution.
        seed: Seed of the study.
    """

    def __init__(self, cfg: PBTCfg, seed: int) -> None:
        self._cfg = cfg
        self._study = None if cfg.study is None else Study(cfg.ranges, cfg.study, seed)
        self._trials: dict[str, int] = {}

    def first(self, name: str, own: Mapping[str, Any], generator: random.Random) -> dict[str, Any]:
        """Give a member its first settings.

        Args:
            name: Name of the member.
            own: Settings that it has.
            generator: Where random numbers come from.
        """
        if self._cfg.initial == "given":
            settings = {key: own[key] for key in sorted(self._cfg.ranges)}
            self._begin(name, settings)
            return settings
        return self._ask(name) if self._study else draw_all(self._cfg.ranges, generator)

    def next(
        self,
        name: str,
        fitness: float,
        settings: Mapping[str, Any],
        generator: random.Random,
    ) -> dict[str, Any]:
        """Give a member that copies another the settings that it goes on with.

        Args:
            name: Name of the member.
            fitness: How well it did until now.
            settings: Those of the member that is copied.
            generator: Where random numbers come from.
        """
        cfg = self._cfg
        if self._study is None:
            return explore(cfg.ranges, settings, generator, cfg.resample_probability)
        self._study.tell(self._trials.pop(name), fitness)
        if generator.random() < cfg.resample_probability:
            return self._ask(name)
        found = explore(cfg.ranges, settings, generator, 0.0)
        self._begin(name, found)
        return found

    def state_dict(self) -> State:
        """Return what is to be remembered."""
        study = None if self._study is None else self._study.state_dict()
        return {"study": study, "trials": dict(self._trials)}

    def load_state_dict(self, state: State) -> None:
        """Go back to what :meth:`state_dict` returned; nothing was asked yet."""
        if self._study is not None and state["study"] is not None:
            self._study.load_state_dict(state["study"])
        self._trials = {str(name): int(number) for name, number in state["trials"].items()}

    def _ask(self, name: str) -> dict[str, Any]:
        assert self._study is not None
        self._trials[name], settings = self._study.ask()
        return settings

    def _begin(self, name: str, settings: Mapping[str, Any]) -> None:
        if self._study is not None:
            self._trials[name] = self._study.take(settings)
