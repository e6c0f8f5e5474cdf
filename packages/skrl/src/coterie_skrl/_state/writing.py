"""Putting the state of an object of skrl back, *into* the objects that an equal one has.

Whoever holds one of its models, optimisers or memories holds the trained one afterwards.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from skrl.memories.torch import Memory
from torch import nn

from coterie import CheckpointMismatch

from .kinds import SKIPPED, Node, tensors_of


def apply(attributes: dict[str, Any], state: Mapping[str, Node], device: torch.device) -> None:
    """Put back what was noted of an equal object.

    Args:
        attributes: ``vars()`` of the object; changed.
        state: What was noted.
        device: Where tensors go for which nothing in the object tells a place.

    Raises:
        CheckpointMismatch: It is another object's; the message names the attribute.
    """
    _Writer(device).attributes(attributes, state, "agent")


class _Writer:
    """Walks over objects like those that were noted, and puts the notes back into them."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._made: dict[int, Any] = {}
        self._filled: dict[int, Any] = {}
        self._puts: dict[str, Callable[[Any, Any, str], Any]] = {
            "tensor": self._tensor,
            "array": self._array,
            "dict": self._dict,
            "list": self._list,
            "tuple": self._tuple,
            "deque": self._deque,
            "module": self._module,
            "memory": self._memory,
            "state_dict": self._state_dict,
            "object": self._object,
            "generator": self._generator,
            "numpy_generator": self._numpy_generator,
            "python_generator": self._python_generator,
        }

    def attributes(self, attributes: dict[str, Any], state: Mapping[str, Node], path: str) -> None:
        for name, node in state.items():
            if node != SKIPPED:
                attributes[name] = self.value(attributes.get(name), node, f"{path}.{name}")

    def value(self, current: Any, node: Node, path: str) -> Any:
        if not isinstance(node, Mapping):
            return node
        kind = node["kind"]
        if kind == "skipped":
            return current
        if kind == "same":
            return self._made[node["as"]]
        made = self._puts[kind](current, node, path)
        return self._keep(node, made)

    def _keep(self, node: Node, made: Any) -> Any:
        self._made[node["number"]] = made
        return made

    def _container(self, kind: type[Any], current: Any, node: Node) -> Any:
        """Find what to fill: what is there, unless it was filled from another place already."""
        made = current if isinstance(current, kind) and id(current) not in self._filled else kind()
        self._filled[id(made)] = made
        return self._keep(node, made)

    def _tensor(self, current: Any, node: Node, path: str) -> torch.Tensor:
        value: torch.Tensor = node["value"]
        if isinstance(current, nn.Parameter) or _is_learned(current):
            _check(current.shape == value.shape, path, tuple(value.shape), tuple(current.shape))
            with torch.no_grad():  # an optimiser holds it
                return current.copy_(value)  # type: ignore[no-any-return]
        device = current.device if isinstance(current, torch.Tensor) else self._device
        return value.to(device, copy=True)

    def _array(self, current: Any, node: Node, path: str) -> np.ndarray[Any, Any]:
        dtype = current.dtype if isinstance(current, np.ndarray) else None
        return np.array(node["value"].cpu().numpy(), dtype=dtype)

    def _dict(self, current: Any, node: Node, path: str) -> dict[Any, Any]:
        made: dict[Any, Any] = self._container(dict, current, node)
        before = dict(made)
        if isinstance(made, defaultdict) or made.keys() != set(node["keys"]):
            made.clear()
        for key, part in zip(node["keys"], node["parts"], strict=True):
            if key in before or part != SKIPPED:
                made[key] = self.value(before.get(key), part, f"{path}[{key!r}]")
        return made

    def _list(self, current: Any, node: Node, path: str) -> list[Any]:
        made: list[Any] = self._container(list, current, node)
        made[:] = self._parts(made, node, path)
        return made

    def _tuple(self, current: Any, node: Node, path: str) -> tuple[Any, ...]:
        return tuple(self._parts(current if isinstance(current, tuple) else (), node, path))

    def _deque(self, current: Any, node: Node, path: str) -> deque[Any]:
        made: deque[Any] = self._container(deque, current, node)
        parts = self._parts(made, node, path)
        made.clear()
        made.extend(parts)
        return made

    def _parts(self, current: Any, node: Node, path: str) -> list[Any]:
        if "numbers" in node:
            return node["numbers"].tolist()  # type: ignore[no-any-return]
        before = [*current, *[None] * len(node["parts"])]
        return [
            self.value(before[place], part, f"{path}[{place}]")
            for place, part in enumerate(node["parts"])
        ]

    def _module(self, current: Any, node: Node, path: str) -> nn.Module:
        _check(isinstance(current, nn.Module), path, "a network", _named(current))
        self._keep(node, current)
        own = tensors_of(current)
        _check(set(own) == set(node["names"]), path, sorted(node["names"]), sorted(own))
        with torch.no_grad():
            for name, value in zip(node["names"], node["tensors"], strict=True):
                mine = own[name]
                where = f"{path}.{name}"
                _check(mine.shape == value.shape, where, tuple(value.shape), tuple(mine.shape))
                mine.copy_(value)
        for name, number in zip(node["names"], node["numbers"], strict=True):
            self._made[number] = own[name]
        modules = dict(current.named_modules())
        for name, part in node["parts"].items():
            modules[name].training = part["training"]
            self.attributes(modules[name].__dict__, part["parts"], f"{path}.{name}".rstrip("."))
        return current  # type: ignore[no-any-return]

    def _memory(self, current: Any, node: Node, path: str) -> Memory:
        _check(isinstance(current, Memory), path, "a memory", _named(current))
        self._keep(node, current)
        for name, shape, rows in zip(node["names"], node["shapes"], node["tensors"], strict=True):
            if name not in current.tensors:
                size = shape[2:]
                current.create_tensor(name, size=size, dtype=rows.dtype, keep_dimensions=True)
            own = current.tensors[name]
            _check(list(own.shape) == shape, f"{path}.{name}", tuple(shape), tuple(own.shape))
            own[: rows.shape[0]].copy_(rows)
        self.attributes(vars(current), node["parts"], path)
        return current

    def _state_dict(self, current: Any, node: Node, path: str) -> Any:
        _check(hasattr(current, "load_state_dict"), path, "there", _named(current))
        state = _Writer(torch.device("cpu")).value(None, node["state"], path)
        for key, value in current.state_dict().items():
            state.setdefault(key, value)  # what could not be noted, such as functions
        try:
            current.load_state_dict(state)
        except (ValueError, KeyError) as error:
            raise CheckpointMismatch(f"the state does not fit {path}: {error}") from error
        return current

    def _object(self, current: Any, node: Node, path: str) -> Any:
        _check(_named(current) == node["class"], path, node["class"], _named(current))
        self._keep(node, current)
        self.attributes(current.__dict__, node["parts"], path)
        return current

    def _generator(self, current: Any, node: Node, path: str) -> torch.Generator:
        made = current if isinstance(current, torch.Generator) else torch.Generator(self._device)
        made.set_state(node["state"].cpu())
        return made

    def _numpy_generator(self, current: Any, node: Node, path: str) -> np.random.Generator:
        made = current if isinstance(current, np.random.Generator) else np.random.default_rng()
        made.bit_generator.state = _Writer(self._device).value(None, node["state"], path)
        return made

    def _python_generator(self, current: Any, node: Node, path: str) -> random.Random:
        made = current if isinstance(current, random.Random) else random.Random()
        version, numbers, gauss = node["state"]
        made.setstate((version, tuple(numbers.tolist()), gauss))
        return made


def _is_learned(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.requires_grad and value.is_leaf


def _named(value: Any) -> str:
    return type(value).__name__


def _check(fits: bool, path: str, wanted: Any, found: Any) -> None:
    if not fits:
        raise CheckpointMismatch(
            f"the state does not fit: {path} was {wanted} where it was taken, here it is {found}"
        )
