"""Trained state on disk: one safetensors file with a digest, and nothing that can run.

A state is nested dicts and lists of tensors and plain values. Its tensors are stored as they
are; the structure around them is JSON in the file's header, with a SHA-256 digest of both.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ._checkpoints.disk import sync
from ._errors import (
    CheckpointCorrupt,
    CheckpointError,
    CheckpointNotFound,
    CheckpointUnsafe,
    CheckpointVersion,
    CheckpointWriteError,
)
from ._types import State

FORMAT = 1
_LONGEST = 32 * 1024 * 1024  # of a header; as JSON it may take fifty times that of memory
_TENSOR = "$tensor"
_FLOAT = "$float"
_PICKLED = (b"PK", *(bytes((0x80, protocol)) for protocol in range(2, 6)))


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
            key = _free_key(path, tensors)
            tensors[key] = _plain(value, path)
            return {_TENSOR: key}
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
        if type(value) is float and not math.isfinite(value):
            return {_FLOAT: repr(value)}
        if value is None or type(value) in (bool, int, float, str):
            return value
        raise TypeError(
            f"{path or 'state'}: state must be tensors and plain values "
            f"(None, bool, int, float, str), got {type(value).__name__}"
        )

    return walk(state, ""), tensors


def _free_key(path: str, taken: Mapping[str, Any]) -> str:
    """Name a tensor by its path; two paths can read the same where keys have a slash in them."""
    key = path or "state"
    while key in taken or key == "__metadata__":  # the latter is safetensors' own
        key += "'"
    return key


def _plain(tensor: torch.Tensor, path: str) -> torch.Tensor:
    wide = tensor.is_complex() and tensor.dtype != torch.complex64
    if tensor.layout != torch.strided or tensor.is_quantized or wide:
        raise TypeError(
            f"{path or 'state'}: a tensor of {tensor.dtype} in layout {tensor.layout} can't be "
            "stored; make it a dense one of real numbers or complex64"
        )
    return tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().clone()


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
        TypeError: Something in the state can't be stored; the message names the place.
    """
    path = Path(path)
    structure, tensors = flatten_state(dict(state))
    header = json.dumps({"state": structure, "about": dict(about)}, sort_keys=True)
    metadata = {"coterie": str(FORMAT), "header": header, "sha256": _digest(header, tensors)}
    if len(header) > _LONGEST // 2:  # the rest is for quoting it, and for the tensors
        raise CheckpointWriteError(
            f"could not write {path}: its plain values take {len(header):,} bytes, which is more "
            "than is read; keep numbers in tensors"
        )
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        save_file(tensors, temporary, metadata=metadata)
        with open(temporary, "rb+") as file:
            _sort_header(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync(path.parent)
    except (OSError, SafetensorError) as error:
        failure = CheckpointWriteError(f"could not write {path}: {error}")
        failure.errno = _errno(error)
        failure.filename = str(path)
        raise failure from error
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)


def _sort_header(file: BinaryIO) -> None:
    """Put the facts in a file's header in order, so that equal states are equal files.

    safetensors writes them in an order of its own, another one each time.
    """
    length = int.from_bytes(file.read(8), "little")
    header = json.loads(file.read(length))
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    if len(text) <= length:
        file.seek(8)
        file.write(text.ljust(length))


def _errno(error: Exception) -> int | None:
    """Number of what the system said; safetensors has it in its text only."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found[1]) if found else None


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
    metadata, tensors = _read_file(path)
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
    try:
        content = json.loads(header)
        state, about = unflatten_state(content["state"], tensors), dict(content["about"])
        if not isinstance(state, dict) or not all(isinstance(v, str) for v in about.values()):
            raise TypeError("it does not hold a state")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointCorrupt(f"{path} was not written by this library: {error!r}") from error
    return state, about


def _read_file(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """Read the header and the tensors, into memory of their own: the file may change later."""
    try:
        with path.open("rb") as raw:
            start = raw.read(9)
        # A safetensors file starts with a length, which may look like a pickle; then comes "{".
        if start[8:] != b"{" and start.startswith(_PICKLED):
            raise CheckpointUnsafe(f"{path} is a pickle or an archive and was not read")
        length = int.from_bytes(start[:8], "little")
        if length > _LONGEST:
            raise CheckpointCorrupt(f"{path} has a header of {length} bytes, which was not read")
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118
            return file.metadata() or {}, tensors
    except CheckpointError:
        raise
    except Exception as error:  # safetensors raises many kinds
        raise CheckpointCorrupt(f"{path} can't be read: {error}") from error
