"""Gradients of mini-batches from compiled programs."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import torch

from .graph import Found, mini_batch
from .losses import Losses

if TYPE_CHECKING:
    from .learner import PPOLearner
    from .rollout import Samples

_log = logging.getLogger("coterie")

Key: TypeAlias = tuple[Any, ...]


class CompiledGradients:
    """Finds losses and gradients of mini-batches with :func:`torch.compile`.

    A program belongs to one size of mini-batch and to the limits that are switched on. It is made
    when it is first needed, which takes seconds (torch keeps what it compiled on disk, so the next
    process is faster). Where it can't be made, for want of a C++ compiler for example, a warning
    says so once and nothing is compiled any more. Copies and pickles start empty.

    Attributes:
        seconds: How long compiling took since :meth:`take_seconds`.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._programs: dict[Key, Callable[..., Found]] = {}
        self._broken = False

    @torch.no_grad()
    def find(self, learner: PPOLearner, batch: Samples) -> tuple[Losses, torch.Tensor] | None:
        """Compute the losses of a mini-batch and their gradient.

        Args:
            learner: The members, with built-in networks.
            batch: Samples ``[P, b, ...]``.

        Returns:
            Losses, and the gradient of each member's total, ``[P, parameters]``; ``None``:
            nothing can be compiled here.
        """
        if self._broken:
            return None
        networks = learner.networks
        both = tuple(list(n._parameters.values()) for n in (networks.policy, networks.value))
        inputs = both, networks.log_std, _fields(batch), _fields(learner.hyper)
        key = _key(batch, learner.hyper)
        program = self._programs.get(key)
        if program is not None:
            gradient, *parts = program(*inputs)
            return Losses(*parts), gradient
        activation = learner.cfg.model.activation
        try:
            gradient, *parts = self._compile(key, partial(mini_batch, networks.head, activation))(
                *inputs
            )
        except Exception as error:
            self._give_up(error)
            return None
        return Losses(*parts), gradient

    def _compile(self, key: Key, function: Callable[..., Found]) -> Callable[..., Found]:
        """Return what compiles a program, keeps it and calls it."""

        def first(*inputs: Any) -> Found:
            from torch.fx.experimental.proxy_tensor import make_fx

            start = time.perf_counter()
            graph = make_fx(function)(*inputs)
            program = torch.compile(graph, dynamic=False, fullgraph=True, options=_options())
            found: Found = program(*inputs)
            self._programs[key] = program
            seconds = time.perf_counter() - start
            self.seconds += seconds
            _log.info("compiled the update for mini-batches of %s in %.1f s", key[0], seconds)
            return found

        return first

    def _give_up(self, error: Exception) -> None:
        self._broken = True
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        warnings.warn(
            f"compile_update: torch.compile failed ({reason}); training goes on without. It needs "
            "a C++ compiler for the CPU (g++, or what CXX names) and Triton for a GPU; leave "
            "compile_update out to do without",
            RuntimeWarning,
            stacklevel=2,
        )

    def take_seconds(self) -> float:
        """Hand over how long compiling took since the last call."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__()  # type: ignore[misc]

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledGradients:
        return CompiledGradients()


def _options() -> dict[str, Any]:
    """Say how to compile.

    What torch would guard against at each call can't change: a program has its own inputs. One
    thread compiles, so that no process is left waiting for more.
    """
    return {
        "compile_threads": 1,
        "cpp.threads": torch.get_num_threads(),
        "guard_filter_fn": torch.compiler.skip_all_guards_unsafe,
    }


def _fields(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in attrs.fields(type(record))}


def _key(batch: Samples, hyper: Any) -> Key:
    limits = tuple(name for name, value in _fields(hyper).items() if value is None)
    return tuple(batch.advantages.shape), batch.weights is None, limits
