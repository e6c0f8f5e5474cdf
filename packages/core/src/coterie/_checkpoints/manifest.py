"""The manifest: what a checkpoint holds, and how to tell whether it is whole."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any, Literal

from attrs import field, frozen
from safetensors import safe_open

from .._config.structure import structure, unstructure
from .._errors import (
    CheckpointCorrupt,
    CheckpointUnsafe,
    CheckpointVersion,
    CheckpointWriteError,
    ConfigError,
)

FORMAT = 1
MANIFEST = "MANIFEST.json"
RUN_FILE = "run.safetensors"
MEMBERS = "members"
LARGEST = 32 * 1024 * 1024
_FILE = re.compile(r"(run|members/[A-Za-z0-9][A-Za-z0-9 ._=+,@-]*)\.safetensors")


@frozen(kw_only=True)
class FileRecord:
    """A file of a checkpoint.

    Attributes:
        size: Bytes.
        sha256: SHA-256 digest of its content, in hexadecimal digits.
        tensors: By name of the tensor: its type and shape.
    """

    size: int
    sha256: str
    tensors: dict[str, str]


@frozen(kw_only=True)
class MemberRecord:
    """A member in a checkpoint.

    Attributes:
        name: Name of the member.
        kind: Name of the algorithm.
        seed: Seed.
        scope: First instance and the one after the last.
        device: Device of the agent.
        status: ``"active"``, ``"failed"`` or ``"stopped"``.
        note: What happened to one that is not active.
        settings: The agent's settings, as JSON.
    """

    name: str
    kind: str
    seed: int
    scope: tuple[int, int]
    device: str
    status: Literal["active", "failed", "stopped"]
    note: str
    settings: str

    @property
    def file(self) -> str:
        """Where the member's agent is kept, within the checkpoint."""
        return f"{MEMBERS}/{self.name}.safetensors"


@frozen(kw_only=True)
class EnvironmentRecord:
    """The environment of a checkpoint.

    Attributes:
        name: What it is.
        num_envs: Number of instances.
        device: Device of its tensors.
        observation_space: Space of one instance's observation, as text.
        action_space: Space of one instance's action, as text.
        state_space: Space of one instance's privileged observation, as text.
        autoreset_mode: What happens to an instance whose episode ended.
    """

    name: str
    num_envs: int
    device: str
    observation_space: str
    action_space: str
    state_space: str
    autoreset_mode: str


@frozen(kw_only=True)
class Manifest:
    """What a checkpoint holds.

    Attributes:
        created: Date and time.
        timestep: Timesteps done.
        first_timestep: Where the run's count of timesteps starts.
        timesteps: Where it ends.
        exact: Whether a run that goes on from here is bit for bit the one that was not
            interrupted (on the CPU, with the same versions and number of threads).
        inexact: Why it is not; empty if it is.
        trainer: Name of the trainer.
        torch_threads: Threads of torch in the trainer's process.
        python: Version of Python.
        platform: Machine and operating system.
        versions: Versions of packages.
        environment: The environment.
        members: The population.
        files: The files, by path within the checkpoint.
        format: Version of the format.
    """

    created: str
    timestep: int
    first_timestep: int
    timesteps: int
    exact: bool
    inexact: tuple[str, ...]
    trainer: str
    torch_threads: int
    python: str
    platform: str
    versions: dict[str, str]
    environment: EnvironmentRecord
    members: tuple[MemberRecord, ...]
    files: dict[str, FileRecord] = field()
    format: int = FORMAT

    @files.validator
    def _check_files(self, attribute: Any, value: dict[str, FileRecord]) -> None:
        expected = {RUN_FILE, *(member.file for member in self.members if _has_file(member))}
        if set(value) != expected:
            raise ValueError(f"files are {sorted(value)}, expected {sorted(expected)}")


def _has_file(member: MemberRecord) -> bool:
    """Whether a member's state is there: one that failed may have lost it."""
    return member.status != "failed"


def file_record(path: Path) -> FileRecord:
    """Describe a safetensors file that was just written."""
    with safe_open(path, framework="pt") as file:
        slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118
        tensors = {key: f"{part.get_dtype()} {part.get_shape()}" for key, part in slices.items()}
    return FileRecord(size=path.stat().st_size, sha256=digest(path), tensors=tensors)


def digest(path: Path) -> str:
    """Compute the SHA-256 digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def manifest_text(manifest: Manifest) -> str:
    """Write a manifest as JSON, always in the same way, with a digest of itself.

    Raises:
        CheckpointWriteError: It would be too long to be read.
    """
    content = unstructure(manifest)
    text = json.dumps(content, indent=1, sort_keys=True)
    if len(text) > LARGEST - 100:
        raise CheckpointWriteError(
            f"the manifest would have {len(text):,} bytes, which is too long"
        )
    checksum = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps({**content, "checksum": checksum}, indent=1, sort_keys=True) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a checkpoint; a byte that is not as it was written is found.

    Raises:
        CheckpointCorrupt: It is missing, damaged, or was not written by this library.
        CheckpointUnsafe: It, or what it names, is no plain file of the checkpoint.
        CheckpointVersion: Its format is one that this version does not read.
    """
    path = folder / MANIFEST
    check_plain(path)
    if path.stat().st_size > LARGEST:
        raise CheckpointUnsafe(f"{path} has {path.stat().st_size} bytes; it was not read")
    try:
        text = path.read_bytes().decode()  # not read_text, which reads "\r\n" as "\n"
        content = json.loads(text)
        checksum = content.pop("checksum")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise CheckpointCorrupt(f"{path} is damaged: {error!r}") from None
    found = content.get("format")
    if type(found) is int and found != FORMAT:
        raise CheckpointVersion(f"{path} has format {found}, this version reads {FORMAT}")
    files = content.get("files")
    for name in files if isinstance(files, dict) else ():
        if not _FILE.fullmatch(str(name)):
            raise CheckpointUnsafe(f"{path} names the file {name!r}, which can't be one of its own")
    try:
        manifest = structure(Manifest, content, source=str(path))
    except ConfigError as error:
        raise CheckpointCorrupt(f"{path} is damaged: {error}") from None
    if manifest_text(manifest) != text:
        raise CheckpointCorrupt(f"{path} is damaged: its checksum is not {checksum}")
    return manifest


def check_plain(path: Path) -> None:
    """Refuse what is no plain file.

    Raises:
        CheckpointUnsafe: It is a symbolic link, a folder or a device.
        CheckpointCorrupt: It is missing.
    """
    if path.is_symlink():
        raise CheckpointUnsafe(f"{path} is a symbolic link and was not followed")
    if not path.exists():
        raise CheckpointCorrupt(f"{path} is missing")
    if not path.is_file():
        raise CheckpointUnsafe(f"{path} is no plain file")
