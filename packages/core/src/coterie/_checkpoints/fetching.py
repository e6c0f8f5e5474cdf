"""How checkpoints and runs are brought here from a folder elsewhere. Nothing is executed."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import uuid
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve

from .._errors import (
    CheckpointCorrupt,
    CheckpointError,
    CheckpointNotFound,
    CheckpointUnsafe,
    CheckpointVersion,
    ConfigError,
)
from .._nearest import did_you_mean
from .copying import RUN_ABOUT, checkpoint_names
from .disk import UNFINISHED, new_folder, sync
from .folders import CHECKPOINTS, is_checkpoint_name
from .manifest import LARGEST, MANIFEST, MEMBERS, read_manifest
from .reading import Checkpoint, open_checkpoint
from .staging import is_safe
from .store import Store
from .urls import last_part

_LOOKS = 3
_MOST_FILES = 100_000
_NOT_WHOLE = (CheckpointCorrupt, CheckpointUnsafe, CheckpointVersion)


def fetch_checkpoint(url: str) -> Checkpoint:
    """Download a checkpoint, or the newest whole one of a run, and check it.

    Args:
        url: Folder of a checkpoint, of a run, or of a run's checkpoints.

    Returns:
        The checkpoint, in a temporary folder that goes away with this object.

    Raises:
        CheckpointNotFound: There is none.
        CheckpointError: It can't be read, or there is no room for it here.
        ConfigError: There is no such protocol.
        PluginError: What the URL needs is not installed.
    """
    store = Store(url)
    folder = Path(tempfile.mkdtemp(prefix="coterie-"))
    try:
        with _reading(store):
            files = store.files()
            if MANIFEST in files or is_checkpoint_name(last_part(url)):
                _require(store, files)
                name = last_part(url)
                name = name if is_checkpoint_name(name) else "checkpoint"
                found = _bring(store, "", files, folder / name)
            else:
                inner = "" if last_part(url) == CHECKPOINTS else f"{CHECKPOINTS}/"
                found = _newest(store, inner, lambda name: folder / name)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(found, shutil.rmtree, folder, ignore_errors=True)
    return found


def list_checkpoints(url: str) -> list[str]:
    """List the checkpoints of a run elsewhere, the oldest first.

    Args:
        url: Folder of a checkpoint, of a run, or of a run's checkpoints.

    Returns:
        Their URLs.

    Raises:
        CheckpointNotFound: There is none.
        CheckpointError: The folder can't be read.
    """
    store, clean = Store(url), url.rstrip("/")
    with _reading(store):
        files = store.files()
    if MANIFEST in files or (files and is_checkpoint_name(last_part(url))):
        return [clean]
    inner = "" if last_part(url) == CHECKPOINTS else f"{CHECKPOINTS}/"
    names = checkpoint_names(f.removeprefix(inner) for f in files if f.startswith(inner))
    if not names:
        raise CheckpointNotFound(f"there is no checkpoint in {store.where(inner).rstrip('/')}")
    return [f"{clean}/{inner}{name}" for name in names]


def fetch_run(url: str, final: Path, *, checkpoint: str | None = None, files: bool = True) -> None:
    """Download a run: its newest whole checkpoint, and its files.

    Args:
        url: Folder of the run.
        final: Folder that it gets; new or empty. It is there when all of it is.
        checkpoint: Name of the checkpoint to take; ``None``: the newest that is whole; empty:
            none.
        files: Whether to take what is not in checkpoints.

    Raises:
        CheckpointNotFound: There is no run, or no checkpoint in it.
        CheckpointError: It can't be read, or not be written here.
        ConfigError: ``final`` holds something, or there is no such protocol.
        PluginError: What the URL needs is not installed.
    """
    store = Store(url)
    if final.exists() and not (final.is_dir() and all(map(_is_hidden, final.iterdir()))):
        raise ConfigError(f"{final} holds something already; give a new or empty folder")
    with _reading(store):
        _require_run(store, store.files())
        with _run_folder(final) as made:
            if checkpoint != "":
                folder = made / CHECKPOINTS
                folder.mkdir(mode=stat.S_IRWXU)
                if checkpoint is None:
                    _newest(store, f"{CHECKPOINTS}/", lambda name: folder / name)
                else:
                    prefix = f"{CHECKPOINTS}/{checkpoint}/"
                    _bring(store, prefix, store.files(prefix.rstrip("/")), folder / checkpoint)
            if files:  # after the checkpoint: metrics may be newer than it, never older
                _bring_files(store, made)


@contextmanager
def _run_folder(final: Path) -> Iterator[Path]:
    """Fill the folder of a run in one go; one that is there may be a volume, and stays."""
    if not final.exists():
        with new_folder(final) as made:
            yield made
        return
    made = final / f"{UNFINISHED}run-{uuid.uuid4().hex[:8]}"
    made.mkdir(mode=stat.S_IRWXU)
    try:
        yield made
        for path in sorted(made.iterdir(), key=lambda path: path.name == RUN_ABOUT):
            os.rename(path, final / path.name)
        sync(final)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".")


def holds_checkpoints(url: str) -> bool:
    """Whether there is a run with a checkpoint in a folder elsewhere.

    Raises:
        CheckpointError: The folder can't be read.
        ConfigError: There is no such protocol.
        PluginError: What the URL needs is not installed.
    """
    store = Store(url)
    with _reading(store):
        files = store.files()
    return RUN_ABOUT in files and any(
        file.startswith(f"{CHECKPOINTS}/") and file.endswith(f"/{MANIFEST}") for file in files
    )


def _newest(store: Store, inner: str, target: Callable[[str], Path]) -> Checkpoint:
    """Bring the newest checkpoint that is whole; who writes there may remove some meanwhile."""
    place = inner.rstrip("/")
    files = store.files(place)
    for _ in range(_LOOKS):
        first: CheckpointError | None = None
        for name in reversed(checkpoint_names(files)):
            own = {f.removeprefix(f"{name}/"): n for f, n in files.items() if _within(f, name)}
            try:
                return _bring(store, f"{inner}{name}/", own, target(name))
            except _NOT_WHOLE as error:
                first = first or error
                warnings.warn(f"passing over a checkpoint: {error}", RuntimeWarning, stacklevel=4)
        before, files = files, store.files(place)
        if files.keys() == before.keys():
            break
    if first is not None:
        raise first
    _require(store, store.files())
    raise CheckpointNotFound(f"there is no checkpoint in {store.where(place)}")


def _within(file: str, folder: str) -> bool:
    return file.startswith(f"{folder}/")


def _bring(store: Store, prefix: str, files: Mapping[str, int], target: Path) -> Checkpoint:
    """Download the files that a checkpoint's manifest names, and check them.

    Raises:
        CheckpointError: It is not whole, or there is no room for it.
        OSError: It can't be read.
    """
    origin = store.where(prefix.rstrip("/"))
    try:
        (target / MEMBERS).mkdir(mode=stat.S_IRWXU, parents=True)
        target.chmod(stat.S_IRWXU)
        size = files.get(MANIFEST)
        if size is None:
            raise CheckpointCorrupt(f"{target / MANIFEST} is missing")
        if size > LARGEST:
            raise CheckpointUnsafe(f"{target / MANIFEST} has {size} bytes; it was not read")
        _download(store, f"{prefix}{MANIFEST}", target / MANIFEST, size)
        records = read_manifest(target).files
        for name, record in records.items():
            if files.get(name) != record.size:
                raise CheckpointCorrupt(
                    f"{target / name} is damaged: expected {record.size} bytes, "
                    f"found {files.get(name, 0)}"
                )
        _require_room(store, target, sum(record.size for record in records.values()))
        for name, record in records.items():
            _download(store, f"{prefix}{name}", target / name, record.size)
        return evolve(open_checkpoint(target), origin=origin)
    except _NOT_WHOLE as error:
        shutil.rmtree(target, ignore_errors=True)
        raise type(error)(str(error).replace(str(target), origin)) from None


def _download(store: Store, name: str, target: Path, size: int) -> None:
    try:
        store.download(name, target, size)
    except FileNotFoundError:
        raise CheckpointCorrupt(f"{target} is missing") from None


def _bring_files(store: Store, made: Path) -> None:
    """Download what is not in checkpoints.

    Raises:
        CheckpointUnsafe: A name leads elsewhere, or there are too many.
        CheckpointError: There is no room.
        OSError: A file can't be read.
    """
    files = {n: s for n, s in store.files().items() if not n.startswith(f"{CHECKPOINTS}/")}
    if len(files) > _MOST_FILES:
        raise CheckpointUnsafe(f"{store.url} holds {len(files):,} files, which is no run")
    for name in files:
        if ".." in name.split("/") or name.startswith("/") or "\\" in name:
            raise CheckpointUnsafe(f"{store.url} holds a file {name!r}, whose name leads elsewhere")
    files = {name: size for name, size in files.items() if is_safe(name)}
    _require_room(store, made, sum(files.values()))
    for name, size in files.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        # Metrics may have grown since they were listed.
        store.download(name, made / name, 2 * size + 64 * 1024 * 1024)


def _require(store: Store, files: Mapping[str, int]) -> None:
    """Check that there is something at all."""
    if not files:
        near = did_you_mean(store.url.rpartition("/")[2], store.beside())
        raise CheckpointNotFound(f"there is no folder {store.url}, or nothing in it{near}")


def _require_run(store: Store, files: Mapping[str, int]) -> None:
    _require(store, files)
    if RUN_ABOUT not in files:
        raise CheckpointNotFound(
            f"{store.url} holds no run: there is no {RUN_ABOUT}"
            + ("; it is a checkpoint alone" if MANIFEST in files else "")
        )


def _require_room(store: Store, folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise CheckpointError(
            f"{store.url} can't be brought to {folder}: it has {size:,} bytes, {free:,} are free"
        )


@contextmanager
def _reading(store: Store) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, CheckpointError):
            raise
        reason = error.strerror or str(error) or type(error).__name__
        raise CheckpointError(f"{store.url} can't be read: {reason}") from error
