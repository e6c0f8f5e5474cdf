"""Noting the state of an object of skrl.

skrl's agents have no ``state_dict``: what they learn lies in models, optimisers, schedulers,
preprocessors, memories, noises, counters and deques, to which attributes of the agent refer, to
some of them several times. :func:`capture` walks over them and notes what it finds. What is
neither learned nor plain (configuration, spaces, functions, writers) is passed over.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from skrl.memories.torch import Memory
from torch import nn
from torch.distributions import Distribution

from .kinds import SKIPPED, Node, attributes_of, tensors_of

_PLAIN = (bool, int, float, str)
_PASSED_OVER = (spaces.Space, Distribution, torch.device, torch.dtype, type)
_MEMORY_OWN = ("tensors", "tensors_view", "sampling_indexes", "all_sequence_indexes", "device")


def capture(attributes: Mapping[str, Any], homes: Collection[str], *, light: bool = False) -> Node:
    """Note the state of an object's attributes.

    Args:
        attributes: The attributes, by name.
        homes: Packages whose objects are looked into, attribute by attribute.
        light: Whether to leave out networks, optimisers and memories, and to copy the rest.

    Returns:
        Nested dicts and lists of plain values and tensors, which are the object's own unless
        ``light``.
    """
    return _Reader(homes, light).attributes(attributes)


class _Reader:
    """Walks over objects and notes each once; where one comes again, it notes which it is."""

    def __init__(self, homes: Collection[str], light: bool = False) -> None:
        self._homes, self._light = homes, light
        self._numbers: dict[int, int] = {}
        self._alive: list[Any] = []  # an id is an object's only as long as it lives

    def attributes(self, attributes: Mapping[str, Any]) -> dict[str, Node]:
        # Sorted, as files have them: what is "the same" must come after what it is the same as.
        return {name: self.value(attributes[name]) for name in sorted(attributes)}

    def value(self, value: Any) -> Node:
        if value is None or type(value) in _PLAIN:
            return value
        if isinstance(value, np.generic):
            plain = value.item()
            return plain if type(plain) in _PLAIN else SKIPPED
        if id(value) in self._numbers:
            return {"kind": "same", "as": self._numbers[id(value)]}
        for fits, read in self._readers():
            if fits(value):
                return read(value)
        return SKIPPED

    def _readers(self) -> tuple[tuple[Callable[[Any], bool], Callable[[Any], Node]], ...]:
        return (
            (_is_no_state, lambda _: SKIPPED),
            (_is(torch.Tensor), self._tensor),
            (_is(np.ndarray), self._array),
            (_is(dict), self._dict),
            (_is(list, tuple, deque), self._items),
            (self._left_out, lambda _: SKIPPED),
            (_is(nn.Module), self._module),
            (_is(Memory), self._memory),
            (_is(torch.Generator), self._generator),
            (_is(np.random.Generator), self._numpy_generator),
            (_is(random.Random), self._python_generator),
            (_has_state_dict, self._with_state_dict),
            (self._is_at_home, self._object),
        )

    def _left_out(self, value: Any) -> bool:
        heavy = isinstance(value, nn.Module | Memory) or _has_state_dict(value)
        return self._light and heavy

    def _is_at_home(self, value: Any) -> bool:
        return type(value).__module__.partition(".")[0] in self._homes and hasattr(
            value, "__dict__"
        )

    def _new(self, kind: str, value: Any) -> dict[str, Any]:
        return {"kind": kind, "number": self._number_of(value)}  # before that of its parts

    def _number_of(self, value: Any) -> int:
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self._alive)
            self._alive.append(value)
        return self._numbers[id(value)]

    def _tensor(self, value: torch.Tensor) -> Node:
        tensor = value.detach()
        return {**self._new("tensor", value), "value": tensor.clone() if self._light else tensor}

    def _array(self, value: np.ndarray[Any, Any]) -> Node:
        if value.dtype.kind not in "biuf":
            return SKIPPED
        return {**self._new("array", value), "value": torch.from_numpy(np.array(value))}

    def _dict(self, value: dict[Any, Any]) -> Node:
        if not all(type(key) in _PLAIN for key in value):
            return SKIPPED
        node = self._new("dict", value)
        return {**node, "keys": list(value), "parts": [self.value(p) for p in value.values()]}

    def _items(self, value: list[Any] | tuple[Any, ...] | deque[Any]) -> Node:
        kind = next(kind for kind in (list, tuple, deque) if isinstance(value, kind))
        node = self._new(kind.__name__, value)
        if value and all(isinstance(part, float | np.floating) for part in value):
            numbers = torch.tensor([float(part) for part in value], dtype=torch.float64)
            return {**node, "numbers": numbers}  # tracked data: there can be thousands
        parts = [self.value(part) for part in value]
        if parts and all(part is SKIPPED for part in parts):
            del self._numbers[id(value)]
            return SKIPPED
        return {**node, "parts": parts}

    def _module(self, value: nn.Module) -> Node:
        node = self._new("module", value)
        tensors = tensors_of(value)
        # Attributes may hold parameters too, as torch's recurrent networks have theirs in a list.
        numbers = [self._number_of(tensor) for tensor in tensors.values()]
        parts = {
            name: {"training": part.training, "parts": self.attributes(attributes_of(part))}
            for name, part in sorted(value.named_modules())
        }
        return {
            **node,
            "names": list(tensors),
            "numbers": numbers,
            "tensors": [tensor.detach() for tensor in tensors.values()],
            "parts": parts,
        }

    def _memory(self, value: Memory) -> Node:
        node = self._new("memory", value)
        whole = value.filled or value.env_index
        rows = value.memory_size if whole else value.memory_index
        own = {
            name: part
            for name, part in vars(value).items()
            if name not in _MEMORY_OWN and not name.startswith("_tensor_")
        }
        return {
            **node,
            "names": list(value.tensors),
            "shapes": [list(tensor.shape) for tensor in value.tensors.values()],
            "tensors": [tensor[:rows] for tensor in value.tensors.values()],
            "parts": self.attributes(own),
        }

    def _with_state_dict(self, value: Any) -> Node:
        node = self._new("state_dict", value)
        return {**node, "state": _Reader(self._homes).value(dict(value.state_dict()))}

    def _object(self, value: Any) -> Node:
        node = self._new("object", value)
        return {**node, "class": type(value).__name__, "parts": self.attributes(vars(value))}

    def _generator(self, value: torch.Generator) -> Node:
        return {**self._new("generator", value), "state": value.get_state()}

    def _numpy_generator(self, value: np.random.Generator) -> Node:
        state = _Reader(self._homes).value(dict(value.bit_generator.state))
        return {**self._new("numpy_generator", value), "state": state}

    def _python_generator(self, value: random.Random) -> Node:
        version, numbers, gauss = value.getstate()
        kept = torch.tensor(numbers, dtype=torch.int64)
        return {**self._new("python_generator", value), "state": [version, kept, gauss]}


def _is(*kinds: type[Any]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kinds)


def _is_no_state(value: Any) -> bool:
    return isinstance(value, _PASSED_OVER) or (callable(value) and not isinstance(value, nn.Module))


def _has_state_dict(value: Any) -> bool:
    return hasattr(value, "state_dict") and hasattr(value, "load_state_dict")
