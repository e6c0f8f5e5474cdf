"""What is exchanged, in the memory of a CUDA device: shared once, ordered by events.

The trainer's process owns the memory; workers map it through CUDA's inter-process handles. Nobody
waits for the device at a step: what the trainer writes is followed by an event that each worker's
stream waits for, what a worker writes by one that the trainer's stream waits for. An event that
was not recorded yet is waited for in vain, so the wake-up that says that it was comes after it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import torch
from attrs import frozen

from coterie import SharedMemoryError

_Event: Any = torch.cuda.Event
_SETTINGS = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")


@frozen(kw_only=True)
class Ticket:
    """What one worker needs to map the memory.

    Attributes:
        rebuild: Function that maps the memory.
        arguments: Its arguments.
        written: Handle of the event that follows what the trainer writes.
        device: Index of the device.
    """

    rebuild: Any
    arguments: tuple[Any, ...]
    written: bytes
    device: int


class DeviceMemory:
    """The trainer's side.

    Args:
        size: Bytes.
        device: The CUDA device of the environment.

    Raises:
        SharedMemoryError: The device has too little memory, or torch is set up in a way that
            can't share it.
    """

    def __init__(self, size: int, device: torch.device) -> None:
        check_allocator(os.environ)
        self._device = torch.device("cuda", device.index or 0)
        try:
            self.memory = torch.empty(size, dtype=torch.uint8, device=self._device)
        except torch.cuda.OutOfMemoryError as error:
            free, _ = torch.cuda.mem_get_info(self._device)
            raise SharedMemoryError(
                f"the members share {size:,} bytes on {self._device}, {free:,} bytes are free: "
                "use fewer instances or smaller observations"
            ) from error
        self._written: Any = _Event(interprocess=True)
        self._written.record(torch.cuda.current_stream(self._device))
        self._done: dict[int, Any] = {}

    def ticket(self) -> Ticket:
        """Make a ticket for one worker; each needs one of its own."""
        from torch.multiprocessing import reductions

        share: Any = reductions.reduce_tensor
        rebuild, arguments = share(self.memory)
        return Ticket(
            rebuild=rebuild,
            arguments=arguments,
            written=self._written.ipc_handle(),
            device=self._device.index,
        )

    def admit(self, worker: int, done: bytes) -> None:
        """Take the handle of the event that follows what a worker writes."""
        self._done[worker] = _Event.from_ipc_handle(self._device, done)

    def mark_written(self) -> None:
        """Note that all that the workers shall read was put on its way."""
        self._written.record(torch.cuda.current_stream(self._device))

    def follow(self, workers: Iterable[int]) -> None:
        """Let what comes next on this stream wait for what workers put on their way."""
        stream = torch.cuda.current_stream(self._device)
        for worker in workers:
            if worker in self._done:
                stream.wait_event(self._done[worker])


class DeviceShare:
    """A worker's side.

    Args:
        ticket: From the trainer.
    """

    def __init__(self, ticket: Ticket) -> None:
        self._device = torch.device("cuda", ticket.device)
        self.memory: torch.Tensor = ticket.rebuild(*ticket.arguments)
        self._written: Any = _Event.from_ipc_handle(self._device, ticket.written)
        self._done: Any = _Event(interprocess=True)
        self._done.record(torch.cuda.current_stream(self._device))

    def handle(self) -> bytes:
        """Handle of the event that follows what this worker writes."""
        handle: bytes = self._done.ipc_handle()
        return handle

    def follow(self) -> None:
        """Let what comes next on this stream wait for what the trainer put on its way."""
        torch.cuda.current_stream(self._device).wait_event(self._written)

    def mark_done(self) -> None:
        """Note that all that the trainer shall read was put on its way."""
        self._done.record(torch.cuda.current_stream(self._device))


def check_allocator(environment: Any) -> None:
    """Check that torch's memory can be shared with other processes.

    Args:
        environment: Environment variables.

    Raises:
        SharedMemoryError: Its segments are expandable.
    """
    for name in _SETTINGS:
        wanted = environment.get(name, "").lower().replace(" ", "")
        if "expandable_segments:true" in wanted:
            raise SharedMemoryError(
                f"{name}={environment[name]}: expandable segments of CUDA memory can't be shared "
                "between processes; leave expandable_segments out of it, or use a trainer without "
                "processes of its own"
            )
