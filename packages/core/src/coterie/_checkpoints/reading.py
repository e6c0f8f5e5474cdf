"""A checkpoint that was found whole, and what is in it. Nothing in it is executed."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from .._errors import CheckpointCorrupt, CheckpointNotFound, CheckpointUnsafe
from .._state import read_state
from .._types import State
from .manifest import MEMBERS, RUN_FILE, Manifest, MemberRecord, check_plain, digest, read_manifest


@frozen
class Checkpoint:
    """A checkpoint whose files are those that its manifest tells of.

    Attributes:
        path: Its folder.
        manifest: What it holds.
        origin: URL that it was downloaded from; empty: it was here.
    """

    path: Path
    manifest: Manifest
    origin: str = ""

    @property
    def label(self) -> str:
        """Where it is, for messages."""
        return self.origin or str(self.path)

    def run_state(self) -> State:
        """Read the state of everything but the agents.

        Raises:
            CheckpointError: The file changed since it was checked.
        """
        return read_state(self.path / RUN_FILE)[0]

    def agent_state(self, member: MemberRecord) -> State:
        """Read the state of an agent.

        Raises:
            CheckpointError: The file changed since it was checked, or is another agent's.
        """
        state, about = read_state(self.path / member.file)
        if about.get("kind") != member.kind:
            raise CheckpointCorrupt(
                f"{self.path / member.file} holds an agent of kind {about.get('kind')!r}, its "
                f"manifest says {member.kind!r}"
            )
        return state


def open_checkpoint(path: Path) -> Checkpoint:
    """Check that a checkpoint is whole.

    Args:
        path: Its folder.

    Returns:
        The checkpoint; its tensors were not read into memory.

    Raises:
        CheckpointNotFound: There is no such folder.
        CheckpointCorrupt: A file is missing, or is not as it was written.
        CheckpointUnsafe: A file is no plain file, or could run code.
        CheckpointVersion: Its format is newer than this version reads.
    """
    for folder in (path, path / MEMBERS):
        if folder.is_symlink():
            raise CheckpointUnsafe(f"{folder} is a symbolic link and was not followed")
    if not path.is_dir():
        raise CheckpointNotFound(f"there is no checkpoint {path}")
    manifest = read_manifest(path)
    for name, record in manifest.files.items():
        file = path / name
        check_plain(file)
        size = file.stat().st_size
        if size != record.size:
            raise CheckpointCorrupt(
                f"{file} is damaged: expected {record.size} bytes, found {size}"
            )
        found = digest(file)
        if found != record.sha256:
            raise CheckpointCorrupt(
                f"{file} is damaged: expected digest {record.sha256}, found {found}"
            )
    return Checkpoint(path, manifest)
