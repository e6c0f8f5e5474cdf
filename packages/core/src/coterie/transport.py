"""For authors of trainers whose members work in other processes: objects as bytes.

What these functions read can run code, as any pickle can: give them nothing but what another
process of the same program wrote.
"""

from __future__ import annotations

from ._transport.packing import find_culprit, pack, pack_small, to_cpu, unpack, unpack_small

__all__ = ["find_culprit", "pack", "pack_small", "to_cpu", "unpack", "unpack_small"]
