"""Populations that evolve: population based training, successive halving, search.

Names are imported when they are first used: listing plugins costs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._fitness import FitnessFunction
    from ._halving.cfg import HalvingCfg
    from ._halving.controller import Halving
    from ._pbt.cfg import Group, PBTCfg
    from ._pbt.controller import PBT
    from ._ranges.cfg import Range
    from ._search.cfg import SearchCfg, StudyCfg
    from ._search.controller import Search

_HOME_OF = {
    "FitnessFunction": "_fitness",
    "Group": "_pbt.cfg",
    "Halving": "_halving.controller",
    "HalvingCfg": "_halving.cfg",
    "PBT": "_pbt.controller",
    "PBTCfg": "_pbt.cfg",
    "Range": "_ranges.cfg",
    "Search": "_search.controller",
    "SearchCfg": "_search.cfg",
    "StudyCfg": "_search.cfg",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("coterie-evolution")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'coterie_evolution' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


__all__ = [
    "PBT",
    "FitnessFunction",
    "Group",
    "Halving",
    "HalvingCfg",
    "PBTCfg",
    "Range",
    "Search",
    "SearchCfg",
    "StudyCfg",
]
