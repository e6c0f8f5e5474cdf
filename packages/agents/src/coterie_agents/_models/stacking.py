"""A user's modules of several members as one: ``torch.func`` and ``vmap``.

The general, slower way: a forward pass costs about as many calls as that of one module, whatever
the number of members, and each call more than a plain one.
"""

from __future__ import annotations

import copy
import pickle
import random
import types
from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from coterie.spaces import tree_map

from .user import UserNetwork

Shared = dict[tuple[int, ...], torch.Tensor]
"""Stacked tensors by the identities of the members' own: shared layers stay shared."""


class StackedUserNetwork(nn.Module):
    """Modules of one architecture, one for each of ``P`` members.

    Args:
        modules: The members' own modules; they are copied from and stay as they are.
        outputs: Number of outputs.
        shared: Tensors that were stacked for other modules of the same members.
    """

    def __init__(self, modules: Sequence[nn.Module], outputs: int, shared: Shared) -> None:
        super().__init__()
        self.outputs = outputs
        # In a tuple, so that its parameters are not found among the stacked ones.
        self._template = (copy.deepcopy(modules[0]).to("meta"),)
        named = [dict(module.state_dict(keep_vars=True)) for module in modules]
        self._by_key = {key: _stack([own[key] for own in named], shared) for key in named[0]}
        for i, (name, _) in enumerate(modules[0].named_parameters()):
            self.register_parameter(f"parameter_{i}", self._by_key[name])  # type: ignore[arg-type]

    @property
    def log_std(self) -> torch.Tensor:
        """The modules' logarithms of standard deviations, ``[P, size]``."""
        return self._by_key["log_std"].flatten(1)

    def forward(self, inputs: Any) -> torch.Tensor:
        """Map a tree of ``[P, B, ...]`` to ``[P, B, outputs]``."""
        call = torch.func.vmap(partial(_call, self._template[0]))
        result: torch.Tensor = call(self._by_key, inputs)
        return result.reshape(*result.shape[:2], self.outputs)

    def train(self, mode: bool = True) -> StackedUserNetwork:
        """Switch all of them between training and evaluation."""
        super().train(mode)
        self._template[0].train(mode)
        return self

    def tensors(self, member: int) -> dict[str, torch.Tensor]:
        """Return a member's tensors by key: views of the stacked ones."""
        return {key: tensor.detach()[member] for key, tensor in self._by_key.items()}


def user_network(modules: Sequence[nn.Module], outputs: int, shared: Shared) -> nn.Module:
    """Give modules of a user a leading population axis: one is wrapped, several are stacked."""
    if len(modules) == 1:
        return UserNetwork(modules[0], outputs)
    return StackedUserNetwork(modules, outputs, shared)


def _call(template: nn.Module, tensors: dict[str, torch.Tensor], inputs: Any) -> torch.Tensor:
    result: torch.Tensor = torch.func.functional_call(template, tensors, (inputs,))
    return result


def _stack(tensors: Sequence[torch.Tensor], shared: Shared) -> torch.Tensor:
    key = tuple(id(tensor) for tensor in tensors)
    if key not in shared:
        stacked = torch.stack([tensor.detach() for tensor in tensors])
        if isinstance(tensors[0], nn.Parameter):
            stacked = nn.Parameter(stacked, requires_grad=tensors[0].requires_grad)
        shared[key] = stacked
    return shared[key]


def architecture(models: Mapping[str, nn.Module]) -> Hashable:
    """Describe modules so that equal descriptions compute the same function of their tensors.

    That is their classes, the names, shapes, types and sharing of their tensors, and every plain
    attribute. What can't be compared makes a description that equals no other.
    """
    seen: dict[int, int] = {}
    return tuple((name, _describe(module, seen)) for name, module in models.items())


def _describe(module: nn.Module, seen: dict[int, int]) -> Hashable:
    parts = tuple(
        (path, type(part), part.training, _attributes(part))
        for path, part in module.named_modules()
    )
    tensors = tuple(
        (
            key,
            tuple(tensor.shape),
            tensor.dtype,
            tensor.requires_grad,
            seen.setdefault(id(tensor), len(seen)),
        )
        for key, tensor in module.state_dict(keep_vars=True).items()
    )
    return parts, tensors


def _attributes(module: nn.Module) -> Hashable:
    own = {k: v for k, v in vars(module).items() if not k.startswith("_") and k != "training"}
    return tuple((name, _comparable(own[name])) for name in sorted(own))


def _comparable(value: Any) -> Hashable:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
        return value
    try:
        return pickle.dumps(value)
    except Exception:
        return id(value)


def obstacle(models: Mapping[str, nn.Module], examples: Mapping[str, Any]) -> str:
    """Say why modules can't be stacked, by trying; empty: they can.

    Args:
        models: Modules by name.
        examples: What each takes in: a tree of ``[B, ...]``.
    """
    for name, module in models.items():
        if name not in examples:
            return f"models[{name!r}] can't be stacked in this algorithm"
        keys = set(module.state_dict())
        hidden = [key for key, _ in module.named_buffers() if key not in keys]
        if hidden:
            return f"models[{name!r}] has buffers that are not in its state: {', '.join(hidden)}"
        found = _fails(module, examples[name])
        if found:
            return f"models[{name!r}] {found}"
    return ""


def _fails(module: nn.Module, example: Any) -> str:
    stack = StackedUserNetwork([module, module], 1, {})
    stack.outputs = -1
    stack.train(module.training)
    twice = tree_map(lambda tensor: torch.stack([tensor, tensor]), example)
    before = _draws()
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        with torch.no_grad():
            stack(twice)
        return "" if _draws() == before else "draws from the process-wide generators"
    except Exception as error:
        return f"does not work under torch.func.vmap: {type(error).__name__}: {error}"
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])


def _draws() -> tuple[bytes, ...]:
    numpy_state: Any = np.random.get_state()
    mine = repr(random.getstate()).encode()
    return torch.get_rng_state().numpy().tobytes(), repr(numpy_state).encode(), mine
