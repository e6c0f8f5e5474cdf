"""Reading and writing skrl's ``.pt`` files, without running what is in them."""

from __future__ import annotations

import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

import torch

from coterie import (
    CheckpointCorrupt,
    CheckpointNotFound,
    CheckpointUnsafe,
    CheckpointWriteError,
)


def read_modules(path: Path, device: torch.device) -> dict[str, Any]:
    """Read a checkpoint of skrl: the state of each of an agent's modules, by name.

    Args:
        path: The file.
        device: Where its tensors go.

    Raises:
        CheckpointNotFound: There is no such file.
        CheckpointUnsafe: There are objects in it that only running code could make.
        CheckpointCorrupt: It is damaged, or no checkpoint.
    """
    try:
        modules = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointNotFound(f"there is no file {path}") from error
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error) or "class" in str(error):  # torch has no class for it
            raise CheckpointUnsafe(
                f"{path} holds more than tensors and plain values, and reading that could run "
                "code; skrl's own load() does so: use it only for files that you made"
            ) from error
        raise CheckpointCorrupt(f"{path} can't be read: it is no file of torch.save") from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointCorrupt(f"{path} can't be read: {error}") from error
    if not isinstance(modules, dict) or not modules:
        raise CheckpointCorrupt(f"{path} is no checkpoint of skrl: it holds no modules by name")
    return modules


def write_modules(path: Path, modules: dict[str, Any]) -> None:
    """Write a checkpoint as skrl does; an older file stays until the new one is whole.

    Args:
        path: The file; its folder is made if there is none.
        modules: The state of each module, by name.

    Raises:
        CheckpointWriteError: It could not be written.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            torch.save(modules, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:
        raise CheckpointWriteError(f"could not write {path}: {error}") from error
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
