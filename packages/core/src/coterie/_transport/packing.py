"""Objects as bytes: agents with lambdas and classes of ``__main__``, tensors that share storage.

``torch.save`` keeps tensors that are views of one storage views of one storage; a plain pickle
would give each a storage of its own, and an optimiser that works on a flat buffer would go on
changing what no network reads any more.
"""

from __future__ import annotations

import io
import pickle
from types import SimpleNamespace
from typing import Any

import torch

from .pickling import Pickler

_PICKLE_MODULE = SimpleNamespace(__name__="coterie", Pickler=Pickler)


def pack(value: Any) -> bytes:
    """Turn an object into bytes; classes and functions that can't be imported go by value."""
    buffer = io.BytesIO()
    torch.save(value, buffer, pickle_module=_PICKLE_MODULE, pickle_protocol=5)
    return buffer.getvalue()


def unpack(data: bytes) -> Any:
    """Undo :func:`pack`, for bytes that a process of the same trainer made."""
    return torch.load(io.BytesIO(data), weights_only=False)


def pack_small(value: Any) -> bytes:
    """Turn an object without large or shared tensors into bytes; quicker than :func:`pack`."""
    buffer = io.BytesIO()
    Pickler(buffer, protocol=5).dump(value)
    return buffer.getvalue()


def unpack_small(data: bytes) -> Any:
    """Undo :func:`pack_small`."""
    return pickle.loads(data)


def to_cpu(value: Any) -> Any:
    """Copy nested dicts, lists and tuples with their tensors in the main memory."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, dict):
        return {key: to_cpu(part) for key, part in value.items()}
    if isinstance(value, list):
        return [to_cpu(part) for part in value]
    return tuple(to_cpu(part) for part in value) if isinstance(value, tuple) else value


def find_culprit(value: Any, name: str = "agent", depth: int = 6) -> str:
    """Find what keeps an object from being packed.

    Args:
        value: Something that :func:`pack` fails for.
        name: How to call it.
        depth: How many levels to look into.

    Returns:
        The way to the smallest part that can't be packed: ``"agent.memory.lock"``.
    """
    for label, part in _parts(value):
        try:
            pack(part)
        except Exception:
            return find_culprit(part, name + label, depth - 1) if depth else name + label
    return name


def _parts(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(f"[{key!r}]", part) for key, part in value.items()]
    if isinstance(value, list | tuple):
        return [(f"[{index}]", part) for index, part in enumerate(value)]
    return [(f".{key}", part) for key, part in getattr(value, "__dict__", {}).items()]
