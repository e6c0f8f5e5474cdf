"""How a checkpoint gets to a folder elsewhere: its manifest last, then old ones are removed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress

from .._errors import CheckpointUnsafe, ConfigError
from .folders import CHECKPOINTS, is_checkpoint_name, order_of
from .manifest import MANIFEST
from .staging import Part, Stage
from .store import Store

RUN_ABOUT = "run.json"
_MOST_ABOUT = 10_000_000


class Copier:
    """Copies one run to a folder elsewhere, checkpoint by checkpoint.

    Args:
        store: The folder.
        keep: Number of checkpoints that stay there.
    """

    def __init__(self, store: Store, keep: int) -> None:
        self._store, self._keep = store, keep
        self._sent: dict[str, tuple[int, int, int]] = {}
        self._base, self._since = (0, 0), set[str]()

    def go_on_from(self, name: str) -> None:
        """Take note that the run goes on from a checkpoint: later ones there are not its own."""
        self._base, self._since = order_of(name), set()

    def require_own(self, run_id: str | None, there: Mapping[str, int] | None = None) -> None:
        """Check that no other run has checkpoints in the folder.

        Args:
            run_id: What ``run.json`` calls the run; ``None``: it has no name yet.
            there: The files there, where they are known.

        Raises:
            ConfigError: One has.
            OSError: It can't be looked at.
        """
        there = self._store.files() if there is None else there
        if not any(name.endswith(f"/{MANIFEST}") for name in there):
            return
        content = self._store.read(RUN_ABOUT, _MOST_ABOUT) if RUN_ABOUT in there else b"{}"
        try:
            found = json.loads(content)
        except ValueError:  # it was cut short while it was written, and is written again
            return
        if run_id is None or not isinstance(found, dict) or found.get("id") != run_id:
            raise ConfigError(
                f"{self._store.url} holds another run; nothing was overwritten. Give "
                "checkpoints.mirror another folder; to go on with that run: coterie resume "
                f"{self._store.url}, or resume=True with an empty run_dir"
            )

    def copy(self, stage: Stage) -> None:
        """Copy a checkpoint and the files of its run, then remove the oldest checkpoints.

        Raises:
            ConfigError: The folder holds another run.
            OSError: Something could not be copied; the checkpoint then has no manifest there.
        """
        there = self._store.files()
        about = json.loads(stage.parts[RUN_ABOUT].path.read_bytes())
        self.require_own(about.get("id"), there)
        parts = {name: part for name, part in stage.parts.items() if name != stage.manifest}
        if self._is_there(stage, there):
            self._send_changed(stage, there, parts)
        else:
            if stage.manifest in there:  # of one that went another way
                self._store.remove(stage.manifest)
            for name, part in parts.items():
                if name.startswith(stage.prefix):
                    self._store.put(part.path, name, part.size, grows=False)
            self._send_changed(stage, there, parts)
            manifest = stage.parts[stage.manifest]
            self._store.put(manifest.path, stage.manifest, manifest.size, grows=False)
            self._check({stage.manifest: manifest})
        self._since.add(stage.source.name)
        self._prune(stage.source.name)

    def _is_there(self, stage: Stage, there: Mapping[str, int]) -> bool:
        """Whether the checkpoint was copied before, whole."""
        own = {name: part for name, part in stage.parts.items() if name.startswith(stage.prefix)}
        if any(there.get(name) != part.size for name, part in own.items()):
            return False
        manifest = own[stage.manifest]
        try:
            found = self._store.read(stage.manifest, manifest.size)
        except CheckpointUnsafe:
            return False
        return found == manifest.path.read_bytes()

    def _send_changed(
        self, stage: Stage, there: Mapping[str, int], parts: Mapping[str, Part]
    ) -> None:
        """Copy those files of the run that changed; check all that were copied so far."""
        copies = {
            part.identity: name for name, part in parts.items() if name.startswith(stage.prefix)
        }
        for name, part in parts.items():
            known = self._sent.get(name) == part.identity and there.get(name) == part.size
            if name.startswith(stage.prefix) or known:
                continue
            if part.identity in copies:
                self._store.copy(copies[part.identity], part.path, name, part.size)
            else:
                self._store.put(part.path, name, part.size)
        self._check(parts)
        self._sent = {name: part.identity for name, part in parts.items()}

    def _check(self, parts: Mapping[str, Part]) -> None:
        """Look whether all of each file arrived.

        Raises:
            OSError: A part of one is missing.
        """
        there = self._store.files()
        for name, part in parts.items():
            if there.get(name) != part.size:
                raise OSError(
                    f"{name}: {part.size:,} bytes were sent, {there.get(name, 0):,} are there"
                )

    def _prune(self, current: str) -> None:
        """Remove old checkpoints, those that a kill left half, and those of abandoned ways."""
        there = self._store.files(CHECKPOINTS)
        names = checkpoint_names(there)
        past = [name for name in names if order_of(name) <= order_of(current)]
        own = [name for name in past if order_of(name) <= self._base or name in self._since]
        whole = [name for name in own if f"{name}/{MANIFEST}" in there]
        for name in set(names) - set(whole[-self._keep :]):
            with suppress(OSError):  # the next time will do
                self._store.remove(f"{CHECKPOINTS}/{name}/{MANIFEST}")
                self._store.remove_folder(f"{CHECKPOINTS}/{name}")


def checkpoint_names(files: Iterable[str]) -> list[str]:
    """Find the names of checkpoints in those of files in their folder, the oldest first."""
    names = {file.partition("/")[0] for file in files if "/" in file}
    return sorted(filter(is_checkpoint_name, names), key=order_of)
