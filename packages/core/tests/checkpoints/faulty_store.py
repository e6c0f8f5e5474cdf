"""A store in memory that can be told to fail, to cut files short, and to wait."""

import io
import threading

import fsspec
from fsspec.implementations.memory import MemoryFileSystem


class FaultyStore(MemoryFileSystem):
    """``faulty://…``: each file that is written is first shown to ``fault(path)``.

    That may raise; ``"cut"`` lets half of the file arrive without a word, ``"break"`` lets it
    arrive and then raises.
    """

    protocol = "faulty"
    store = {}  # noqa: RUF012
    pseudo_dirs = [""]  # noqa: RUF012
    fault = staticmethod(lambda path: None)
    written = []  # noqa: RUF012

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(str(path).replace("faulty://", "memory://", 1))

    def put_file(self, lpath, rpath, *args, **kwargs):
        with open(lpath, "rb") as file:
            self._take(rpath, file.read())

    def open(self, path, mode="rb", **kwargs):
        if mode != "wb":
            return super().open(path, mode, **kwargs)
        return Written(lambda content: self._take(path, content))

    def _take(self, path, content):
        what = type(self).fault(path)
        self.written.append(path)
        cut = what in ("cut", "break")
        self.pipe_file(path, content[: len(content) // 2] if cut else content)
        if what == "break":
            raise ConnectionResetError("the line is dead")

    def pipe_file(self, path, value, **kwargs):
        with MemoryFileSystem.open(self, path, "wb") as file:
            file.write(value)


class Written(io.BytesIO):
    """A file that arrives when it is closed, however that happens, as those of S3 do."""

    def __init__(self, take):
        super().__init__()
        self.take = take

    def close(self):
        if not self.closed:
            content = self.getvalue()
            super().close()
            self.take(content)


class ForeignError(Exception):
    """What a library for a store raises: no ``OSError``."""


def make_faulty():
    """Register the store, empty and faultless."""
    fsspec.register_implementation("faulty", FaultyStore, clobber=True)
    FaultyStore.store.clear()
    FaultyStore.pseudo_dirs[:] = [""]
    FaultyStore.written.clear()
    FaultyStore.fault = staticmethod(lambda path: None)
    return FaultyStore


def names(store=FaultyStore):
    return sorted(store.store)


class Gate:
    """Lets whoever writes a file wait until it is opened."""

    def __init__(self, part=""):
        self.part = part
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, path):
        if self.part in path:
            self.reached.set()
            assert self.opened.wait(30)
