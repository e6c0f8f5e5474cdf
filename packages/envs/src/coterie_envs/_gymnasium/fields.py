"""What is saved of an object of gymnasium: its attributes, each read back with suspicion."""

from __future__ import annotations

import abc
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from attrs import frozen
from gymnasium import spaces

from coterie import EnvContractError

from .._states import count_of, parts_of, tensor_of

_FLOATS = (torch.float32, torch.float64)


@frozen
class Field(abc.ABC):
    """One thing that is saved of an environment or a wrapper, the *layer*.

    Attributes:
        name: What it is called in a state; mostly the attribute, with dots for one of an
            attribute.
    """

    name: str

    def fits(self, layer: Any) -> bool:
        """Whether it can be saved of this one."""
        return True

    @abc.abstractmethod
    def save(self, layer: Any) -> Any:
        """Return it, in tensors and plain values of their own."""

    @abc.abstractmethod
    def read(self, layer: Any, value: Any, where: str) -> Callable[[], None]:
        """Check what was saved, and return what puts it back.

        Raises:
            EnvContractError: It does not fit.
        """


@frozen
class Array(Field):
    """An array, or numbers in a tuple.

    Attributes:
        shape: Its shape, of the object.
        dtypes: What its elements may be; their type is kept.
    """

    shape: Callable[[Any], tuple[int, ...]]
    dtypes: tuple[torch.dtype, ...] = _FLOATS

    def save(self, layer: Any) -> torch.Tensor:
        """Return a copy."""
        return torch.from_numpy(np.array(_find(layer, self.name), order="C"))

    def read(self, layer: Any, value: Any, where: str) -> Callable[[], None]:
        """Check shape and dtype."""
        tensor = tensor_of(value, self.shape(layer), self.dtypes, where)
        return lambda: _assign(layer, self.name, tensor.numpy(force=True).copy())


@frozen
class Count(Field):
    """An integer from 0.

    Attributes:
        optional: Whether it may be ``None``.
    """

    optional: bool = False

    def save(self, layer: Any) -> int | None:
        """Return it."""
        value = _find(layer, self.name)
        return None if value is None and self.optional else int(value)

    def read(self, layer: Any, value: Any, where: str) -> Callable[[], None]:
        """Check its type and range."""
        if not (self.optional and value is None):
            count_of(value, where)
        return lambda: _assign(layer, self.name, value)


@frozen
class Real(Field):
    """A number.

    Attributes:
        optional: Whether it may be ``None``.
    """

    optional: bool = False

    def save(self, layer: Any) -> float | None:
        """Return it, in double precision."""
        value = _find(layer, self.name)
        return None if value is None and self.optional else float(value)

    def read(self, layer: Any, value: Any, where: str) -> Callable[[], None]:
        """Check its type."""
        if not (self.optional and value is None):
            _float_of(value, where)
        return lambda: _assign(layer, self.name, value)


@frozen
class Flag(Field):
    """Yes or no."""

    def save(self, layer: Any) -> bool:
        """Return it."""
        return bool(_find(layer, self.name))

    def read(self, layer: Any, value: Any, where: str) -> Callable[[], None]:
        """Check its type."""
        if type(value) is not bool:
            raise EnvContractError(f"{where}: expected a bool, got {value!r}")
        return lambda: _assign(layer, self.name, value)


@frozen
class Queue(Field):
    """A deque of numbers.

    Attributes:
        kind: ``int`` or ``float``.
    """

    kind: type[int] | type[float]

    def save(self, layer: Any) -> list[int] | list[float]:
        """Return the numbers, the oldest first."""
        return [self.kind(value) for value in _find(layer, self.name)]

    def read(self, layer: Any, value: Any, where: str) -> Callable[[], None]:
        """Check that they are numbers, and no more than there is room for."""
        longest = _find(layer, self.name).maxlen
        if not isinstance(value, list | tuple) or (longest is not None and len(value) > longest):
            raise EnvContractError(f"{where}: expected a list of {longest} numbers at most")
        check = count_of if self.kind is int else _float_of
        for one in value:
            check(one, where)
        return lambda: _assign(layer, self.name, deque(value, longest))


@frozen
class Since(Field):
    """A reading of :func:`time.perf_counter`, or an array of them; the time since then is saved.

    Attributes:
        shape: Its shape, of the object; ``()``: it is one number.
    """

    shape: Callable[[Any], tuple[int, ...]]

    def save(self, layer: Any) -> torch.Tensor:
        """Return the seconds since then, float64."""
        return torch.from_numpy(np.array(time.perf_counter() - _find(layer, self.name)))

    def read(self, layer: Any, value: Any, where: str) -> Callable[[], None]:
        """Check the shape."""
        seconds = tensor_of(value, self.shape(layer), [torch.float64], where)

        def put() -> None:
            began = time.perf_counter() - seconds.numpy(force=True)
            _assign(layer, self.name, began if self.shape(layer) else float(began))

        return put


@frozen
class Frames(Field):
    """A deque of observations, all of one Box."""

    def fits(self, layer: Any) -> bool:
        """Whether observations are arrays."""
        return type(layer.env.observation_space) is spaces.Box

    def save(self, layer: Any) -> torch.Tensor:
        """Return them stacked, the oldest first."""
        frames = np.stack(_find(layer, self.name)).astype(layer.env.observation_space.dtype)
        return torch.from_numpy(frames)

    def read(self, layer: Any, value: Any, where: str) -> Callable[[], None]:
        """Check their number, shape and dtype."""
        space, kept = layer.env.observation_space, _find(layer, self.name)
        dtype = torch.from_numpy(np.empty(0, space.dtype)).dtype
        frames = tensor_of(value, (kept.maxlen, *space.shape), [dtype], where)
        return lambda: _assign(
            layer, self.name, deque(frames.numpy(force=True).copy(), kept.maxlen)
        )


@frozen
class Stream(Field):
    """The random generator that gymnasium gives to environments, a PCG64.

    Attributes:
        name: What it is called in a state.
    """

    name: str = "stream"

    def fits(self, layer: Any) -> bool:
        """Whether it is one of the kind that gymnasium makes."""
        return layer._np_random is None or type(layer.np_random.bit_generator) is np.random.PCG64

    def save(self, layer: Any) -> dict[str, Any]:
        """Return the generator's four integers, and the seed that it was made with."""
        found: Any = layer.np_random.bit_generator.state
        return {
            "state": int(found["state"]["state"]),
            "inc": int(found["state"]["inc"]),
            "has_uint32": int(found["has_uint32"]),
            "uinteger": int(found["uinteger"]),
            "seed": str(int(layer.np_random_seed)),
        }

    def read(self, layer: Any, value: Any, where: str) -> Callable[[], None]:
        """Check the integers' ranges."""
        parts = parts_of(value, ("state", "inc", "has_uint32", "uinteger", "seed"), where)
        ranges = {"state": 2**128, "inc": 2**128, "has_uint32": 2, "uinteger": 2**32}
        found = {key: count_of(parts[key], f"{where}.{key}", top) for key, top in ranges.items()}
        seed = parts["seed"]
        digits = seed.removeprefix("-") if isinstance(seed, str) else ""
        if not (found["inc"] % 2 and digits.isascii() and digits.isdigit() and len(digits) < 1000):
            raise EnvContractError(f"{where}: it is not the state of a PCG64 generator")

        def put() -> None:
            generator = np.random.PCG64(0)
            generator.state = {
                "bit_generator": "PCG64",
                "state": {"state": found["state"], "inc": found["inc"]},
                "has_uint32": found["has_uint32"],
                "uinteger": found["uinteger"],
            }
            layer._np_random, layer._np_random_seed = np.random.Generator(generator), int(seed)

        return put


def _float_of(value: object, where: str) -> float:
    if type(value) is not float:
        raise EnvContractError(f"{where}: expected a float, got {value!r}")
    return value


def _find(layer: Any, name: str) -> Any:
    for part in name.split("."):
        layer = getattr(layer, part)
    return layer


def _assign(layer: Any, name: str, value: Any) -> None:
    *path, last = name.split(".")
    setattr(_find(layer, ".".join(path)) if path else layer, last, value)
