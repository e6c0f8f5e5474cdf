"""What reading and putting back agree on."""

from __future__ import annotations

from typing import Any, TypeAlias

from torch import nn

Node: TypeAlias = Any
"""A value as plain data: itself, or a dict with its ``"kind"`` and contents.

``"number"`` counts the nodes of objects that others may refer to: ``{"kind": "same", "as": 3}``.
"""

SKIPPED: dict[str, Any] = {"kind": "skipped"}
"""What stands for a value that is no state."""

_LAST_PASS = ("_distribution", "_distributions")
_TORCH_OWN = ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "training")


def tensors_of(module: nn.Module) -> dict[str, Any]:
    """Parameters and all buffers of a network, by name; shared ones under each of their names."""
    found: dict[str, Any] = dict(module.named_parameters(remove_duplicate=False))
    return found | dict(module.named_buffers(remove_duplicate=False))


def attributes_of(module: nn.Module) -> dict[str, Any]:
    """Attributes of a network that are its own, such as the step of a schedule.

    Those of torch are left out, and the distributions of the last pass, which skrl's models keep.
    """
    return {
        name: value
        for name, value in vars(module).items()
        if name not in _TORCH_OWN and "_hook" not in name and not name.endswith(_LAST_PASS)
    }
