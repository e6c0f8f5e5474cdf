"""A pickler that sends classes and functions by value where a worker could not import them.

cloudpickle does so for ``__main__``, notebooks and lambdas. Modules that exist in this process only
(loaded from a file under a made-up name, as test runners do) need it as well.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from types import FunctionType
from typing import Any

import cloudpickle  # type: ignore[import-untyped]


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Like cloudpickle's, for objects of modules that can't be found too."""

    def reducer_override(self, obj: Any) -> Any:
        """Reduce a class or a function by value where its module can't be imported."""
        module = _only_here(obj)
        if module is None:
            return super().reducer_override(obj)
        cloudpickle.register_pickle_by_value(module)
        try:
            return super().reducer_override(obj)
        finally:
            cloudpickle.unregister_pickle_by_value(module)


def _only_here(obj: Any) -> Any:
    """The module of a class or function, if only this process has it; else ``None``."""
    if not isinstance(obj, type | FunctionType):
        return None
    name = obj.__module__
    if name in cloudpickle.list_registry_pickle_by_value() or name not in sys.modules:
        return None
    return None if name == "__main__" or importable(name) else sys.modules[name]


@lru_cache(maxsize=1024)
def importable(name: str) -> bool:
    """Whether a fresh process with the same path would find a module.

    Args:
        name: Full name of the module.
    """
    path, full = None, ""
    for part in name.split("."):
        full = f"{full}.{part}" if full else part
        spec = None
        for finder in sys.meta_path:
            spec = finder.find_spec(full, path)
            if spec is not None:
                break
        if spec is None:
            return full in sys.builtin_module_names
        path = spec.submodule_search_locations
        if path is None:
            break
    return full == name
