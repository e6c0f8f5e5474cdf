"""How a member's state differs from the one that fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from coterie import CheckpointMismatch


def differences(wanted: Any, given: Any, path: str = "") -> list[str]:
    """List how a state differs in structure, shapes and types from the one that is wanted."""
    if isinstance(wanted, Mapping):
        if not isinstance(given, Mapping):
            return [f"{path} should be a table, is {_kind(given)}"]
        found = [f"{_join(path, key)} is missing" for key in wanted if key not in given]
        found += [f"{_join(path, key)} is not known" for key in given if key not in wanted]
        for key in wanted:
            if key in given:
                found += differences(wanted[key], given[key], _join(path, key))
        return found
    if isinstance(wanted, torch.Tensor) or isinstance(given, torch.Tensor | Mapping):
        return (
            []
            if _kind(wanted) == _kind(given)
            else [f"{path} should be {_kind(wanted)}, is {_kind(given)}"]
        )
    if (wanted is None) != (given is None):
        return [f"{path} should be {_kind(wanted)}, is {_kind(given)}"]
    return []


def require_fit(
    wanted: Mapping[str, Any], given: Mapping[str, Any], what: str, free: tuple[str, ...] = ()
) -> None:
    """Refuse a state that is not built like the one that is wanted.

    Args:
        wanted: A state of the member as it is.
        given: The state to be taken over.
        what: Kind of the agent, for the message.
        free: Keys that must be there, but may hold anything (memories, whose size can differ).

    Raises:
        CheckpointMismatch: They differ; every difference is listed.
    """
    found = differences(
        {key: value for key, value in wanted.items() if key not in free},
        {key: value for key, value in given.items() if key not in free},
    )
    found += [f"{key} is missing" for key in free if key in wanted and key not in given]
    if found:
        raise CheckpointMismatch(
            f"this state belongs to another {what} agent:\n" + "\n".join(f"  - {d}" for d in found)
        )


@contextmanager
def taking_over(generator: torch.Generator, state: Mapping[str, Any]) -> Iterator[None]:
    """Give a generator the state that it has in ``state``, unless what is done meanwhile fails.

    Raises:
        CheckpointMismatch: There is none, or it is another kind of generator's.
    """
    before = generator.get_state()
    try:
        generator.set_state(state["generator"].cpu())
    except Exception as error:
        raise CheckpointMismatch(
            f"the state of the random generator does not fit: {type(error).__name__}: {error}"
        ) from error
    try:
        yield
    except BaseException:
        generator.set_state(before)
        raise


def _join(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def _kind(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor {list(value.shape)} of {value.dtype}"
    if isinstance(value, Mapping):
        return "a table"
    return "none" if value is None else type(value).__name__
