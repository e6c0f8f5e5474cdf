"""Gradients of mini-batches from compiled programs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import torch

from .graph import Found, mini_batch
from .losses import Losses
from .programs import Program, warn_of_compiler

if TYPE_CHECKING:
    from .learner import PPOLearner
    from .rollout import Samples

_log = logging.getLogger("coterie")

Key: TypeAlias = tuple[Any, ...]


class CompiledGradients:
    """Finds losses and gradients of mini-batches with :func:`torch.compile`.

    A program belongs to one architecture, one size of mini-batch and the limits that are switched
    on; all learners of a process share it. It is made when it is first needed, which takes seconds
    (torch keeps what it compiled on disk, so the next process is faster). Where it can't be made,
    for want of a C++ compiler for example, a warning says so once and nothing is compiled any
    more. Copies and pickles start empty.

    Attributes:
        seconds: How long compiling took since :meth:`take_seconds`.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._broken = False
        self._own: dict[Key, Callable[..., Found]] = {}

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
        key = (tuple(batch.advantages.shape), batch.weights is None, _limits(learner.hyper))
        try:
            program = self._own.get(key)
            if program is None:
                program = self._program(key, learner, inputs)
        except Exception as error:
            self._give_up(error)
            return None
        gradient, *parts = program(*inputs)
        return Losses(*parts), gradient

    def _program(self, key: Key, learner: PPOLearner, inputs: Any) -> Callable[..., Found]:
        """Find the program for such inputs, or make it."""
        whole = (*key, *_architecture(learner, inputs[2]))
        if whole not in _programs:
            start = time.perf_counter()
            function = partial(mini_batch, learner.networks.head, learner.cfg.model.activation)
            _programs[whole] = Program(function, inputs)
            seconds = time.perf_counter() - start
            self.seconds += seconds
            _log.info("compiled the update for mini-batches of %s in %.1f s", key[0], seconds)
        self._own[key] = _programs[whole]
        return self._own[key]

    def _give_up(self, error: Exception) -> None:
        self._broken = True
        warn_of_compiler("compile_update", error)

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


def _fields(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in attrs.fields(type(record))}


def _limits(hyper: Any) -> tuple[str, ...]:
    return tuple(name for name, value in _fields(hyper).items() if value is None)


def _architecture(learner: PPOLearner, batch: dict[str, Any]) -> Key:
    head = learner.networks.head
    tensors = [*learner.networks.parameters, *(batch[name] for name in _INPUTS)]
    return (
        learner.cfg.model.activation,
        type(head),
        repr(sorted(vars(head).items())),
        tuple((tuple(tensor.shape), tensor.dtype, tensor.device) for tensor in tensors),
        batch["value_inputs"] is batch["policy_inputs"],
        torch.get_num_threads(),
    )


_INPUTS = ("policy_inputs", "value_inputs", "actions")
_programs: dict[Key, Callable[..., Found]] = {}
