"""Programs on a CUDA device that are recorded once as a CUDA graph and then replayed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch

_log = logging.getLogger("coterie")

Call: TypeAlias = Callable[..., Sequence[torch.Tensor]]
Replay: TypeAlias = Callable[[], object]
Record: TypeAlias = Callable[[Call, Sequence[torch.Tensor]], tuple[Replay, Sequence[torch.Tensor]]]

_Stream: Any = torch.cuda.Stream  # torch gives it no types
_WARM_UPS = 3  # as PyTorch's notes on CUDA graphs do before a recording


class Captured:
    """A program that is replayed as one launch instead of one per kernel.

    A recording reads and writes where it did when it was made: what a call gives is copied there
    before, and what it finds is copied away after, so that nothing that a caller keeps is ever
    overwritten.

    Args:
        call: The program. It must not wait for the device, draw random numbers or read anything
            but its inputs.
        inputs: Tensors to record it with, on one CUDA device; later ones have their shapes.
        record: Makes the recording.
    """

    def __init__(self, call: Call, inputs: Sequence[torch.Tensor], record: Record) -> None:
        self._inputs = [_copy_of(tensor) for tensor in inputs]
        self._replay, self._results = record(call, self._inputs)
        self._in, self._out = _by_dtype(self._inputs), _by_dtype(self._results)

    @torch.no_grad()
    def __call__(self, *inputs: torch.Tensor) -> Sequence[torch.Tensor]:
        """Do what the program does."""
        _copy(self._in, inputs, self._inputs)
        self._replay()
        found = [torch.empty_like(tensor) for tensor in self._results]
        _copy(self._out, self._results, found)
        return found


def _copy_of(tensor: torch.Tensor) -> torch.Tensor:
    """Copy a tensor with its strides, which a compiled program relies on."""
    size, stride = tensor.size(), tensor.stride()
    place = torch.empty_strided(size, stride, dtype=tensor.dtype, device=tensor.device)
    return place.copy_(tensor)


def _by_dtype(tensors: Sequence[torch.Tensor]) -> list[list[int]]:
    """Where the tensors of each dtype are: those of one are copied with one launch."""
    places: dict[torch.dtype, list[int]] = {}
    for place, tensor in enumerate(tensors):
        places.setdefault(tensor.dtype, []).append(place)
    return list(places.values())


def _copy(
    groups: list[list[int]], source: Sequence[torch.Tensor], target: Sequence[torch.Tensor]
) -> None:
    for places in groups:
        torch._foreach_copy_([target[i] for i in places], [source[i] for i in places])


def captured(call: Call, inputs: Sequence[torch.Tensor]) -> Call:
    """Record a program where that is possible: all of its inputs lie on one CUDA device.

    Args:
        call: The program.
        inputs: Its inputs.

    Returns:
        The recorded program, or the program itself.
    """
    record = recorder(inputs)
    if record is None:
        return call
    try:
        return Captured(call, inputs, record)
    except RuntimeError as error:
        _log.warning("a program could not be recorded as a CUDA graph and runs without: %s", error)
        return call


def recorder(inputs: Sequence[torch.Tensor]) -> Record | None:
    """Say how programs with such inputs are recorded; ``None``: they can't be."""
    devices = {tensor.device for tensor in inputs}
    on_one = len(devices) == 1 and devices.pop().type == "cuda"
    return record_graph if on_one else None


def record_graph(
    call: Call, inputs: Sequence[torch.Tensor]
) -> tuple[Replay, Sequence[torch.Tensor]]:
    """Record a program as a CUDA graph.

    Args:
        call: The program.
        inputs: What it reads at each replay; they must stay where they are.

    Returns:
        What replays it, and the tensors that hold its results then.

    Raises:
        RuntimeError: It does something that can't be recorded.
    """
    with torch.cuda.device(inputs[0].device):
        current, beside = torch.cuda.current_stream(), _Stream()
        beside.wait_stream(current)
        with torch.cuda.stream(beside):
            for _ in range(_WARM_UPS):
                call(*inputs)
        current.wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            results = call(*inputs)
    return graph.replay, results
