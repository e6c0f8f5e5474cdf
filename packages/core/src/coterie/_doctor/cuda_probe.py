"""Look for CUDA devices. Runs in a process of its own, which pays for the device's context."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import torch

from .child import answer

_FREE = "import torch; torch.zeros(1, device='cuda:0'); print(torch.cuda.mem_get_info(0)[0])"


def main(arguments: Sequence[str]) -> int:
    """Answer with the devices, and with what one more process costs on the first."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        there = torch.cuda.is_available()
    warning = " ".join(str(caught[-1].message).split()) if caught else ""
    devices = [_device(index) for index in range(torch.cuda.device_count())] if there else []
    cost = _process_bytes() if devices else None
    answer({"devices": devices, "warning": warning, "process_bytes": cost})
    return 0


def _device(index: int) -> dict[str, Any]:
    free, total = torch.cuda.mem_get_info(index)
    return {"name": torch.cuda.get_device_name(index), "free": free, "total": total}


def _process_bytes() -> int | None:
    """Bytes that another process takes on the first device, for nothing but being there."""
    torch.zeros(1, device="cuda:0")
    before, _ = torch.cuda.mem_get_info(0)
    done = subprocess.run(
        [sys.executable, "-c", _FREE], capture_output=True, text=True, check=False
    )
    text = done.stdout.strip()
    return max(0, before - int(text)) if done.returncode == 0 and text.isdigit() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
