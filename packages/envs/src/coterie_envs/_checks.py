"""Checks of the arguments that both adapters take."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence

import torch

from coterie import ConfigError
from coterie.config import did_you_mean


def check_count(num_envs: object) -> int:
    """Return the number of instances as an int.

    Raises:
        ConfigError: It is no integer, or less than 1.
    """
    if isinstance(num_envs, bool) or not hasattr(num_envs, "__index__"):
        raise ConfigError(f"num_envs = {num_envs!r}: expected an integer of at least 1")
    count = operator.index(num_envs)
    if count < 1:
        raise ConfigError(f"num_envs = {count}: expected an integer of at least 1")
    return count


def check_device(device: str | torch.device) -> torch.device:
    """Return the device, with an index where it is an accelerator.

    Tensors report ``cuda:0`` where ``cuda`` was asked for; with the index both compare equal.

    Raises:
        ConfigError: There is no such device here.
    """
    try:
        found = torch.device(device)
        probe = torch.empty(0, device=found)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(f"device = {device!r} can't be used here: {reason}") from error
    if found.type == "meta":
        raise ConfigError("device = 'meta' can't be used: its tensors hold no values")
    return probe.device


def check_settings(given: Iterable[str], allowed: Iterable[str], what: str) -> None:
    """Refuse settings that do not exist.

    Raises:
        ConfigError: A name of ``given`` is not in ``allowed``; with the nearest one.
    """
    known = sorted(allowed)
    unknown = [name for name in given if name not in known]
    if unknown:
        name = unknown[0]
        listed = ", ".join(known) or "none"
        raise ConfigError(
            f"{what} has no setting {name!r}{did_you_mean(name, known)} (it has: {listed})"
        )


def spread_seeds(seeds: Sequence[int], num_envs: int) -> list[int]:
    """Return one seed per instance as plain integers.

    Raises:
        ValueError: There is another number of seeds than of instances, or one is negative.
    """
    plain = [operator.index(seed) for seed in seeds]
    if len(plain) != num_envs:
        raise ValueError(f"seed: expected {num_envs} seeds, one per instance, got {len(plain)}")
    if any(seed < 0 for seed in plain):
        raise ValueError(f"seed: expected integers from 0, got {min(plain)}")
    return plain
