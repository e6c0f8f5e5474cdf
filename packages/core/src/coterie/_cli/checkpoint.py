"""``coterie checkpoint``: look at one, or check that it is whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from attrs import asdict, frozen
from tyro.conf import Positional, arg

from .failures import FINE
from .options import Flag

if TYPE_CHECKING:
    from .._checkpoints.manifest import Manifest
    from .._checkpoints.reading import Checkpoint

_TOLD = ("coterie-core", "torch", "numpy")

_ABOUT = """Look at a checkpoint, or check that it is whole. Nothing in it is executed.

  coterie checkpoint inspect runs/20261122-183000-CartPole-v1
  coterie checkpoint verify runs/20261122-183000-CartPole-v1
  coterie checkpoint inspect s3://bucket/runs/a

Of a run, inspect shows the newest that is whole, and verify checks all."""


@frozen(kw_only=True)
class CheckpointCommand:
    """Look at a checkpoint, or check that it is whole.

    Attributes:
        action: What to do.
        path: Folder of a checkpoint, or of a run, or a URL of one.
        json: Print JSON in place of text.
        debug: Show tracebacks.
    """

    about: ClassVar[str] = _ABOUT
    action: Annotated[Positional[Literal["inspect", "verify"]], arg(help_behavior_hint="")]
    path: Annotated[Positional[str], arg(metavar="PATH", help_behavior_hint="")]
    json: Flag = False
    debug: Flag = False

    def run(self) -> int:
        """Print what was found; return the exit code."""
        if self.action == "inspect":
            from .._checkpoints.folders import find_checkpoint

            self._print_one(find_checkpoint(self.path))
            return FINE
        return self._verify()

    def _print_one(self, checkpoint: Checkpoint) -> None:
        if self.json:
            found = {"path": checkpoint.label, **asdict(checkpoint.manifest)}
            print(json.dumps(found, indent=2))
        else:
            print("\n".join([checkpoint.label, *describe(checkpoint.manifest)]))

    def _verify(self) -> int:
        """Read all of each checkpoint.

        Raises:
            CheckpointError: One is not whole; the others were checked, too.
        """
        from .._errors import CheckpointError

        results: list[dict[str, Any]] = []
        failures: list[CheckpointError] = []
        for folder in _folders(self.path):
            try:
                _read(folder)
            except CheckpointError as error:
                failures.append(error)
                results.append({"path": folder, "whole": False, "error": str(error)})
            else:
                results.append({"path": folder, "whole": True, "error": None})
        if self.json:
            print(json.dumps(results, indent=2))
        for row in () if self.json else results:
            print(f"{'whole' if row['whole'] else 'NOT WHOLE':<9}  {row['path']}")
            if row["error"] and len(failures) > 1:  # of one alone the end tells
                print(f"           {row['error']}")
        if failures:
            raise failures[-1]
        return FINE


def _folders(where: str) -> list[str]:
    """Find the checkpoints of a run; those elsewhere by their URLs."""
    from .._checkpoints.folders import CHECKPOINTS, committed
    from .._checkpoints.manifest import MANIFEST
    from .._checkpoints.urls import is_url
    from .._errors import CheckpointNotFound

    if is_url(where):
        from .._checkpoints.fetching import list_checkpoints

        return list_checkpoints(where)
    path = Path(where)
    if (path / MANIFEST).exists():
        return [str(path)]
    found = committed(path / CHECKPOINTS) or committed(path)
    if found:
        return [str(one) for one in found]
    if path.is_dir() and path.name.startswith("step-"):
        return [str(path)]
    raise CheckpointNotFound(f"there is no checkpoint in {path}")


def _read(folder: str) -> None:
    from .._checkpoints.fetching import fetch_checkpoint
    from .._checkpoints.reading import open_checkpoint
    from .._checkpoints.urls import is_url

    checkpoint = fetch_checkpoint(folder) if is_url(folder) else open_checkpoint(Path(folder))
    checkpoint.run_state()
    for member in checkpoint.manifest.members:
        if member.file in checkpoint.manifest.files:
            checkpoint.agent_state(member)


def describe(manifest: Manifest) -> list[str]:
    """Lay a manifest out for people, in lines of at most 80 columns where names allow it."""
    env = manifest.environment
    exact = "exactly" if manifest.exact else f"not exactly: {'; '.join(manifest.inexact)}"
    lines = [
        f"  written     {manifest.created}",
        f"  timestep    {manifest.timestep} of {manifest.timesteps}",
        f"  goes on     {exact}",
        f"  trainer     {manifest.trainer}, {manifest.torch_threads} threads of torch",
        f"  environment {env.name}, {env.num_envs} instances on {env.device}",
        f"  written by  Python {manifest.python}, "
        + ", ".join(
            f"{name} {manifest.versions[name]}" for name in _TOLD if name in manifest.versions
        ),
        "  members",
    ]
    width = max(len(member.name) for member in manifest.members)
    for member in manifest.members:
        record = manifest.files.get(member.file)
        size = "nothing saved" if record is None else _size(record.size)
        tensors = "" if record is None else f", {len(record.tensors)} tensors"
        note = "" if member.status == "active" else f", {member.status}: {member.note}"
        lines.append(
            f"    {member.name:<{width}}  {member.kind}, seed {member.seed}, instances "
            f"{member.scope[0]} to {member.scope[1] - 1}, {size}{tensors}{note}"
        )
    return lines


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
