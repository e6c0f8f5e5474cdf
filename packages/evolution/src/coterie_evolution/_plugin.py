"""What this distribution offers to the registry. Free of torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from coterie.plugins import ControllerPlugin, hookimpl

from ._halving.cfg import HalvingCfg
from ._pbt.cfg import PBTCfg
from ._search.cfg import SearchCfg


def _pbt() -> type[Any]:
    from ._pbt.controller import PBT

    return PBT


def _halving() -> type[Any]:
    from ._halving.controller import Halving

    return Halving


def _search() -> type[Any]:
    from ._search.controller import Search

    return Search


@hookimpl
def coterie_controllers() -> Iterable[ControllerPlugin]:
    """Offer what lets populations evolve."""
    yield ControllerPlugin(
        name="pbt",
        summary="population based training: copy the better ones, and explore from there",
        config=PBTCfg,
        loader=_pbt,
    )
    yield ControllerPlugin(
        name="halving",
        summary="successive halving: stop those that do worst at rungs ever further apart",
        config=HalvingCfg,
        loader=_halving,
    )
    yield ControllerPlugin(
        name="search",
        summary="settings from an Optuna study, each trained from scratch",
        config=SearchCfg,
        loader=_search,
        needs=("optuna",),
        install="pip install 'coterie-evolution[optuna]'",
    )
