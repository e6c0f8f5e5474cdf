"""Trained state on disk: one safetensors file with a digest, and nothing that can run.

A state is nested dicts and lists of tensors and plain values. Its tensors are stored as they
are; the structure around them is JSON in the file's header, with a SHA-256 digest of both.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ._errors import (
    CheckpointCorrupt,
    CheckpointNotFound,
    CheckpointUnsafe,
    CheckpointVersion,
    CheckpointWriteError,
)
from ._types import State

FORMAT = 1
_TENSOR = "$tensor"
_FLOAT = "$float"


def flatten_state(state: Any) -> tuple[Any, dict[str, torch.Tensor]]:
    """Split a state into JSON and tensors.

    Args:
        state: Nested dicts (with str keys), lists, tuples, tensors and plain values.

    Returns:
        The structure as JSON values, with ``{"$tensor": key}`` in place of each tensor, and the
        tensors by key. Tuples become lists.

    Raises:
        TypeError: Something else is in it; the message names the place.
    """
    tensors: dict[str, torch.Tensor] = {}

    def walk(value: Any, path: str) -> Any:
        if isinstance(value, torch.Tensor):
            tensors[path] = value.detach().cpu().contiguous().clone()
            return {_TENSOR: path}
        if isinstance(value, Mapping):
            wrong = [key for key in value if not isinstance(key, str) or key.startswith("$")]
            if wrong:
                raise TypeError(
                    f"{path or 'state'}: keys must be str without '$', got {wrong[0]!r}"
                )
            return {
                key: walk(part, f"{path}/{key}" if path else key) for key, part in value.items()
            }
        if isinstance(value, list | tuple):
            return [walk(part, f"{path}/{index}") for index, part in enumerate(value)]
        if isinstance(value, float) and (value != value or value in (float("inf"), -float("inf"))):
            return {_FLOAT: repr(value)}
        if value is None or type(value) in (bool, int, float, str):
            return value
        raise TypeError(
            f"{path or 'state'}: state must be tensors and plain values "
            f"(None, bool, int, float, str), got {type(value).__name__}"
        )

    return walk(state, ""), tensors


def unflatten_state(structure: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    """Undo :func:`flatten_state`."""
    if isinstance(structure, dict):
        if set(structure) == {_TENSOR}:
            return tensors[structure[_TENSOR]]
        if set(structure) == {_FLOAT}:
            return float(structure[_FLOAT])
        return {key: unflatten_state(part, tensors) for key, part in structure.items()}
    if isinstance(structure, list):
        return [unflatten_state(part, tensors) for part in structure]
    return structure


def _digest(header: str, tensors: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.sha256(header.encode())
    for key in sorted(tensors):
        tensor = tensors[key]
        digest.update(f"{key}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def write_state(path: str | Path, state: State, about: Mapping[str, str]) -> None:
    """Write a state to ``path``, atomically: the old file stays until the new one is whole.

    Args:
        path: The file to write; its folder is made if there is none.
        state: Nested dicts and lists of tensors and plain values.
        about: Facts to store beside it.

    Raises:
        CheckpointWriteError: It could not be written.
    """
    path = Path(path)
    structure, tensors = flatten_state(state)
    header = json.dumps({"state": structure, "about": dict(about)}, sort_keys=True)
    metadata = {"coterie": str(FORMAT), "header": header, "sha256": _digest(header, tensors)}
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        save_file(tensors, temporary, metadata=metadata)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except (OSError, SafetensorError) as error:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        raise CheckpointWriteError(f"could not write {path}: {error}") from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_state(path: str | Path) -> tuple[State, dict[str, str]]:
    """Read a file that :func:`write_state` wrote; nothing in it is executed.

    Returns:
        The state, with tensors on the CPU, and the facts beside it.

    Raises:
        CheckpointNotFound: There is no such file.
        CheckpointUnsafe: It is a pickle or an archive, which could run code.
        CheckpointVersion: Its format is newer than this version reads.
        CheckpointCorrupt: It is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointNotFound(f"there is no file {path}")
    with path.open("rb") as file:
        if file.read(2) in (b"PK", b"\x80\x02", b"\x80\x04", b"\x80\x05"):
            raise CheckpointUnsafe(f"{path} is a pickle or an archive and was not read")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise CheckpointCorrupt(f"{path} can't be read: {error}") from error
    if metadata.get("coterie") != str(FORMAT):
        raise CheckpointVersion(
            f"{path} has format {metadata.get('coterie')!r}, this version reads {FORMAT}"
        )
    header = metadata.get("header", "")
    found = _digest(header, tensors)
    if found != metadata.get("sha256"):
        raise CheckpointCorrupt(
            f"{path} is damaged: expected digest {metadata.get('sha256')}, found {found}"
        )
    content = json.loads(header)
    return unflatten_state(content["state"], tensors), content["about"]
