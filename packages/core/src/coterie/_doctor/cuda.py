"""CUDA: what torch finds, in a process of its own, and settings that stand in the way."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from .child import Outcome, run_child
from .finding import Finding, size_text

_cuda = partial(Finding, "cuda")

_DRIVER = Path("/proc/driver/nvidia/version")
_SETTINGS = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
_LIMIT = 120.0


def check_cuda(
    environment: Mapping[str, str],
    built_for: str | None,
    driver: str | None = None,
    run: Callable[..., Outcome] = run_child,
) -> Iterator[Finding]:
    """Judge CUDA: the devices, what a process costs on them, the allocator's settings.

    Args:
        environment: Environment variables.
        built_for: Version of CUDA that torch was built for; ``None``: for none.
        driver: Version of the driver; ``None``: it is looked up.
        run: What runs the probe.
    """
    driver = driver or find_driver()
    if built_for is None:
        yield judge_without(driver)
        return
    found = judge_devices(run("cuda_probe", [], _LIMIT), built_for, driver)
    yield found
    yield judge_allocator(environment, bool(found.facts.get("devices")))


def find_driver(path: Path = _DRIVER) -> str | None:
    """Read the version of the NVIDIA driver; ``None``: there is none to be seen."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r"\s(\d{3,}(?:\.\d+)+)\s", text.replace("\n", " "))
    return found[1] if found else "of unknown version"


def judge_without(driver: str | None) -> Finding:
    """Judge a torch that was built without CUDA."""
    if driver is None:
        value = "none: torch was built without it, and there is no driver"
        return _cuda("devices", value, facts={"devices": [], "driver": None})
    return _cuda(
        "devices",
        f"driver {driver}, but torch was built without CUDA",
        "note",
        "to train on the GPU, install a torch with CUDA: https://pytorch.org/get-started",
        {"devices": [], "driver": driver},
    )


def judge_devices(outcome: Outcome, built_for: str, driver: str | None) -> Finding:
    """Judge what the probe found.

    Args:
        outcome: How it ended.
        built_for: Version of CUDA that torch was built for.
        driver: Version of the driver; ``None``: there is none to be seen.
    """
    facts: dict[str, Any] = {"devices": [], "built_for": built_for, "driver": driver}
    found = outcome.answer
    if found is None:
        facts |= {"failure": outcome.failure, "output": outcome.output}
        value, advice = f"the probe {outcome.failure}", "the driver may be broken: try nvidia-smi"
        return _cuda("devices", value, "problem", advice, facts)
    devices = found["devices"]
    facts |= found
    if not devices:
        value = f"none found (torch is built for CUDA {built_for})"
        if driver is None:
            return _cuda("devices", value, facts=facts)
        why = f" ({found['warning']})" if found["warning"] else ""
        advice = f"there is a driver ({driver}), but torch finds no device{why}"
        return _cuda("devices", value, "note", advice, facts)
    names = [
        f"{device['name']} ({size_text(device['free'])} free of {size_text(device['total'])})"
        for device in devices
    ]
    value = f"{', '.join(names)}; CUDA {built_for}, driver {driver or 'unknown'}"
    if found["process_bytes"]:
        value += f"; each process takes {size_text(found['process_bytes'])}"
    return _cuda("devices", value, facts=facts)


def judge_allocator(environment: Mapping[str, str], devices: bool) -> Finding:
    """Judge the settings of torch's CUDA memory.

    Args:
        environment: Environment variables.
        devices: Whether there are devices.
    """
    said = {name: environment[name] for name in _SETTINGS if environment.get(name)}
    expandable = [
        name
        for name, value in said.items()
        if "expandable_segments:true" in value.lower().replace(" ", "")
    ]
    value = ", ".join(f"{name}={text}" for name, text in said.items()) or "default"
    if not expandable:
        return _cuda("memory settings", value, facts=said)
    return _cuda(
        "memory settings",
        value,
        "problem" if devices else "note",
        f"{expandable[0]}: processes can't share expandable segments, so the trainer parallel "
        "can't use an environment on the GPU: leave expandable_segments out",
        said,
    )


def built_for_cuda() -> str | None:
    """Version of CUDA that torch was built for; ``None``: for none."""
    from torch import version

    return None if sys.platform == "darwin" else version.cuda
