"""The files of a run at one moment, held until they were copied elsewhere."""

from __future__ import annotations

import errno
import re
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from attrs import field, frozen

from .disk import UNFINISHED, replace_by_link
from .folders import CHECKPOINTS
from .manifest import MANIFEST

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 ._=+,@-]*")
_LEFT_OUT = re.compile(rf"{CHECKPOINTS}|report(-.*)?|wandb")
"""In a run's folder: what is copied apart, can be made again, or has a service of its own."""


@frozen(kw_only=True)
class Part:
    """A file that is to be copied.

    Attributes:
        path: Where it is held.
        size: Bytes that it had; more may be appended meanwhile.
        identity: What changes when the file does: its number, size and time of change.
    """

    path: Path
    size: int
    identity: tuple[int, int, int]


@frozen(kw_only=True)
class Stage:
    """A checkpoint and the other files of its run, as they were at one moment.

    Attributes:
        source: The checkpoint.
        folder: Where the files are held; each is one more name of the same file, where that
            can be, so that neither pruning nor replacing takes anything away.
        parts: The files, by name within the run.
    """

    source: Path
    folder: Path
    parts: dict[str, Part] = field(repr=False)

    @property
    def prefix(self) -> str:
        """What the names of the checkpoint's files start with."""
        return f"{CHECKPOINTS}/{self.source.name}/"

    @property
    def manifest(self) -> str:
        """Name of the checkpoint's manifest."""
        return f"{self.prefix}{MANIFEST}"

    def drop(self) -> None:
        """Hold the files no longer."""
        shutil.rmtree(self.folder, ignore_errors=True)


def hold(run: Path, checkpoint: Path) -> Stage:
    """Hold a checkpoint of a run, and the run's other files, as they are now.

    Args:
        run: Folder of the run.
        checkpoint: Folder of one of its checkpoints.

    Raises:
        OSError: They can't be held, or the checkpoint is gone.
    """
    folder = run / f"{UNFINISHED}mirror-{uuid.uuid4().hex[:8]}"
    folder.mkdir(mode=stat.S_IRWXU)
    parts = {}
    try:
        for path in (*_files(checkpoint), *_files(run, top=True)):
            name = path.relative_to(run).as_posix()
            held = folder / name
            with suppress(FileNotFoundError):  # others remove files, too
                about = path.stat()
                replace_by_link(path, held)
                identity = about.st_ino, about.st_size, about.st_mtime_ns
                parts[name] = Part(path=held, size=held.stat().st_size, identity=identity)
        stage = Stage(source=checkpoint, folder=folder, parts=parts)
        if stage.manifest not in parts:
            raise FileNotFoundError(errno.ENOENT, "it is gone", str(checkpoint))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return stage


def is_safe(name: str) -> bool:
    """Whether a relative name leads nowhere else, and is no hidden file's."""
    return all(_NAME.fullmatch(part) for part in name.split("/"))


def _files(folder: Path, top: bool = False) -> Iterator[Path]:
    """Find the plain files of a run that are worth copying; links are not followed."""
    for path in sorted(folder.iterdir()):
        if not _NAME.fullmatch(path.name) or path.is_symlink():
            continue
        if path.is_dir():
            if not (top and _LEFT_OUT.fullmatch(path.name)):
                yield from _files(path)
        elif path.is_file():
            yield path
