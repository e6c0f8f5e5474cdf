"""What a disk may hold after a crash or a power loss, for a recorded series of saves.

A recording is a list of events: names that change in folders, contents that change in files, and
flushes of either. A disk that loses power keeps what was flushed. Of what was not, it may keep any
part: of the names any subset, in the order in which they were given; of a file's content all,
nothing, its first half, or zeros in its place.
"""

import contextlib
import os
import random
import shutil
import sys
import warnings
from collections import Counter
from itertools import combinations

from attrs import define, field, frozen

from coterie import CheckpointError
from coterie._checkpoints.folders import CHECKPOINTS, committed, newest
from coterie._checkpoints.reading import open_checkpoint

KEPT_APART = {"agents", "best", "metrics.csv", ".lock", "summary.json"}  # nothing depends on them
RUN = "run"
PAGE = 512


@frozen
class Names:
    """Names that change at once: ``(folder, name, what it is then, or None)`` each."""

    changes: tuple


@frozen
class Data:
    """A file gets a content."""

    file: int
    content: bytes


@frozen
class Sync:
    """A file or a folder is flushed, by a function called ``site``."""

    what: int
    site: str
    folder: bool


@frozen
class Ack:
    """A save returned: what it wrote must not be lost any more."""

    name: str


@define
class Recording:
    """Records what happens below a folder on a real disk.

    Args:
        root: The folder.
    """

    root: object
    events: list = field(factory=list)
    truth: dict = field(factory=dict)
    folders: set = field(factory=set)
    _names: dict = field(factory=dict)
    _data: dict = field(factory=dict)
    _ids: dict = field(factory=dict)
    _count: int = 0

    def __attrs_post_init__(self):
        self._ids[os.stat(self.root).st_ino] = 0
        self.folders.add(0)
        self.look()

    def look(self, at_once=False):
        """Find out what changed since the last look."""
        names, data = {}, {}
        seen = {os.stat(self.root).st_ino}
        for folder, inner, files in os.walk(self.root):
            inner[:] = [name for name in inner if name not in KEPT_APART]
            own = names[self._id(os.stat(folder).st_ino, seen)] = {}
            for name in (*inner, *(file for file in files if file not in KEPT_APART)):
                path = os.path.join(folder, name)
                own[name] = self._id(os.stat(path).st_ino, seen)
                if name in inner:
                    self.folders.add(own[name])
                else:
                    with open(path, "rb") as file:
                        data[own[name]] = file.read()
        self._ids = {inode: known for inode, known in self._ids.items() if inode in seen}
        changes = tuple(_differences(self._names, names))
        groups = [changes] if at_once and changes else [(change,) for change in changes]
        self.events += [Names(group) for group in groups]
        for file, content in data.items():
            if content != self._data.get(file, b""):
                self.events.append(Data(file, content))
        self._names, self._data = names, data

    def _id(self, inode, seen):
        """Number a file: the system uses the numbers of removed ones again."""
        seen.add(inode)
        if inode not in self._ids:
            self._count += 1
            self._ids[inode] = self._count
        return self._ids[inode]

    def sync(self, descriptor):
        """Note a flush, unless it is of something that is kept apart."""
        known = self._ids.get(os.fstat(descriptor).st_ino)
        if known is not None:
            path = os.readlink(f"/proc/self/fd/{descriptor}")
            self.events.append(Sync(known, _site(path), known in self.folders))

    def ack(self, path):
        """Note that a save returned."""
        self.events.append(Ack(path.name))
        self.truth.setdefault(path.name, []).append(_content(path))


def _differences(before, after):
    for folder in sorted(before.keys() | after.keys()):
        old, new = before.get(folder, {}), after.get(folder, {})
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name) and (folder in after or name in new):
                yield folder, name, new.get(name)


def _site(path):
    """Name of the function of the library that flushes, and what."""
    frame = sys._getframe(3)
    while frame.f_code.co_name in ("sync", "_sync_folder") or "coterie" not in frame.f_globals.get(
        "__package__", ""
    ):
        frame = frame.f_back
    name = os.path.basename(path)
    kind = "unfinished" if name.startswith(".tmp-") else name
    return f"{frame.f_code.co_name} {kind if os.path.isdir(path) else 'file'}"


def _content(path):
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


@contextlib.contextmanager
def recorded(root, monkeypatch):
    """Record what happens below a folder; give the recording."""
    recording = Recording(root)

    def watch(name, at_once):
        original = getattr(os, name)

        def watched(*arguments, **named):
            recording.look()
            result = original(*arguments, **named)
            recording.look(at_once)
            return result

        patch.setattr(os, name, watched)

    def flush(descriptor):
        recording.look()
        recording.sync(descriptor)  # a real flush would only take time

    with monkeypatch.context() as patch:
        for name in ("rename", "replace"):
            watch(name, True)
        for name in ("mkdir", "rmdir", "unlink", "link"):
            watch(name, False)
        patch.setattr(os, "fsync", flush)
        yield recording


def without(events, drop):
    """Leave flushes out, as a saver does that does not make them."""
    return [event for event in events if not (isinstance(event, Sync) and drop(event))]


@define
class Disk:
    """What a disk holds for sure, and what it may hold.

    Attributes:
        names: By folder: its names, as they were when it was last flushed.
        flushed: By file: its content when it was last flushed.
        data: By file: its content.
        pending: Names that changed since their folders were flushed.
    """

    names: dict = field(factory=lambda: {0: {}})
    flushed: dict = field(factory=dict)
    data: dict = field(factory=dict)
    pending: list = field(factory=list)

    def take(self, event):
        """Let an event happen."""
        if isinstance(event, Names):
            self.pending.append(event)
        elif isinstance(event, Data):
            self.data[event.file] = event.content
        elif isinstance(event, Sync) and event.folder:
            self._flush(event.what)
        elif isinstance(event, Sync):
            self.flushed[event.what] = self.data.get(event.what, b"")

    def _flush(self, folder):
        for group in self.pending:
            _apply(self.names, (change for change in group.changes if change[0] == folder))
        rest = (tuple(c for c in group.changes if c[0] != folder) for group in self.pending)
        self.pending = [Names(changes) for changes in rest if changes]

    def states(self, chance, limit):
        """Draw trees that may be found after a crash: ``{path: content, or None: a folder}``."""
        for kept in _subsets(len(self.pending), chance, limit):
            names = {folder: dict(own) for folder, own in self.names.items()}
            for index in kept:
                _apply(names, self.pending[index].changes)
            yield from self._contents(names, chance)

    def _contents(self, names, chance):
        paths = dict(_walk(names, 0, ""))
        files = {path: what for path, what in paths.items() if what in self.data}
        loose = sorted(p for p, f in files.items() if self.flushed.get(f) != self.data[f])
        plain = {p: self.flushed.get(f, b"") if f in self.data else None for p, f in paths.items()}
        plain |= {p: b"" for p, f in paths.items() if f not in self.data and f not in names}
        plain |= {p: None for p, f in paths.items() if f in names}
        ways = [[way] * len(loose) for way in range(4)] if loose else [[]]
        ways += [[chance.randrange(5) for _ in loose] for _ in range(4 * bool(loose))]
        for way in ways:
            yield plain | {
                path: _left(kind, plain[path], self.data[files[path]], chance)
                for kind, path in zip(way, loose, strict=True)
            }


def _apply(names, changes):
    for folder, name, what in changes:
        own = names.setdefault(folder, {})
        own.pop(name, None)
        if what is not None:
            own[name] = what


def _subsets(count, chance, limit):
    """All subsets, or the most telling and some at random; each as sorted indices."""
    if 2**count <= limit:
        for size in range(count + 1):
            yield from combinations(range(count), size)
        return
    everything = tuple(range(count))
    found = {everything[:k] for k in range(count + 1)} | {(k,) for k in everything}
    found |= {everything[:k] + everything[k + 1 :] for k in everything}
    yield from sorted(found)[: limit // 2] if len(found) > limit else sorted(found)
    for _ in range(max(0, limit - min(len(found), limit // 2))):
        yield tuple(k for k in everything if chance.random() < 0.7)


def _left(way, before, after, chance):
    """Say what is left of a content that was not flushed."""
    if way == 4:  # some of its pages
        pages = (after[start : start + PAGE] for start in range(0, len(after), PAGE))
        return b"".join(page if chance.random() < 0.5 else bytes(len(page)) for page in pages)
    return (before, after, after[: len(after) // 2], bytes(len(after)))[way]


def _walk(names, folder, path):
    for name, what in names.get(folder, {}).items():
        own = f"{path}/{name}" if path else name
        yield own, what
        yield from _walk(names, what, own)


def survey(recording, events, scratch, limit, stop=False, seed=0):
    """Enumerate disks after a crash at any point, and see what is found on them.

    Disks that differ only in folders that are not finished, or on their way out, count as
    different states, but are looked at once: reading passes such folders over by their names.

    Args:
        recording: What was recorded.
        events: The recording's, or some of them.
        scratch: A folder to build disks in.
        limit: About how many subsets of names to try at each point.
        stop: Whether the first violation is enough.
        seed: Of what is drawn.

    Returns:
        Counts: ``"drawn"``, those of them that differ, ``"states"``, and how many of these are
        ``"fine"``, ``"lost"``, ``"unreadable"`` or ``"wrong"``.
    """
    chance, disk, acked = random.Random(seed), Disk(), None
    disk.names.update({folder: {} for folder in recording.folders})
    counts, seen, known = Counter(), set(), {}
    for event in events:
        if isinstance(event, Ack):
            acked = event.name
        else:
            disk.take(event)
        for tree in disk.states(chance, limit):
            counts["drawn"] += 1
            state = acked, hash(frozenset(tree.items()))
            if state in seen:
                continue
            seen.add(state)
            visible = {path: content for path, content in tree.items() if "/." not in path}
            key = acked, frozenset(visible.items())
            if key not in known:
                known[key] = judge(visible, recording.truth, acked, scratch)
            counts["states"] += 1
            counts[known[key]] += 1
            if stop and known[key] != "fine":
                return counts
    return counts


def judge(tree, truth, acked, scratch):
    """Say what a disk comes to: ``"fine"``, ``"lost"``, ``"unreadable"`` or ``"wrong"``."""
    root = scratch / "disk"
    root.mkdir()
    try:
        for path, content in sorted(tree.items()):
            if content is None:
                (root / path).mkdir()
            else:
                (root / path).write_bytes(content)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = newest(root / RUN / CHECKPOINTS)
        if found is None:
            return "fine" if acked is None else "lost"
        if acked is not None and found.path.name < acked:
            return "lost"
        if _content(found.path) not in truth[found.path.name]:
            return "wrong"
        found.run_state()
        for member in found.manifest.members:
            found.agent_state(member)
        for path in committed(root / RUN / CHECKPOINTS):
            open_checkpoint(path)
        return "unreadable" if caught or not (root / RUN / "run.json").read_bytes() else "fine"
    except (CheckpointError, FileNotFoundError):
        return "unreadable"
    finally:
        shutil.rmtree(root)
