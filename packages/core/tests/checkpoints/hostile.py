"""Checkpoints that mean harm: each is a whole one in which something was exchanged.

Where the harm is in a file, the manifest has that file's size and digest, and where it is in the
manifest, that has the right digest of itself: so that what comes after those checks is met.
"""

import hashlib
import io
import json
import os
import pickle
import tarfile
import zipfile

import numpy as np
import torch
from safetensors.torch import save

from coterie._checkpoints.manifest import MANIFEST, RUN_FILE
from coterie._state import _digest

AGENT = "members/sum-0.safetensors"
DEEP = 100_000


class Canary:
    """Makes a file when it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return open, (self.target, "w")


def seal(content):
    """Write a manifest with the right digest of itself."""
    content = {key: value for key, value in content.items() if key != "checksum"}
    text = json.dumps(content, indent=1, sort_keys=True)
    checksum = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps({**content, "checksum": checksum}, indent=1, sort_keys=True) + "\n"


def read(folder):
    return json.loads((folder / MANIFEST).read_bytes())


def exchange(name, data):
    """Put bytes in the place of a file, with their size and digest in the manifest."""

    def change(folder):
        (folder / name).write_bytes(data)
        content = read(folder)
        digest = hashlib.sha256(data).hexdigest()
        content["files"][name] |= {"size": len(data), "sha256": digest}
        (folder / MANIFEST).write_text(seal(content))

    return change


def edit(*path, value):
    """Put something else in a place of the manifest."""

    def change(folder):
        content = part = read(folder)
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = value
        (folder / MANIFEST).write_text(seal(content))

    return change


def manifest(data):
    """Put bytes in the place of the manifest."""
    return lambda folder: (folder / MANIFEST).write_bytes(data)


def rename(name):
    """Let the manifest give a file another name, and put the file there."""

    def change(folder):
        content = read(folder)
        content["files"][name] = content["files"].pop(AGENT)
        (folder / MANIFEST).write_text(seal(content))

    return change


def link(name, target=None):
    """Put a symbolic link in the place of a file or folder: to itself elsewhere, or to a target."""

    def change(folder):
        path, away = folder / name, folder.parent / f"{folder.name}-away"
        path.rename(away)
        path.symlink_to(target or away)

    return change


def special(name, make):
    """Put something that is no file in the place of one."""

    def change(folder):
        (folder / name).unlink()
        make(folder / name)

    return change


def made(write):
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def zipped(names, method):
    def write(file):
        with zipfile.ZipFile(file, "w", method) as archive:
            for name, data in names.items():
                archive.writestr(name, data)

    return made(write)


def tarred(names):
    def write(file):
        with tarfile.open(fileobj=file, mode="w") as archive:
            for name, data in names.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))

    return made(write)


def programs(canary):
    """Files that run code when they are read by what they are made for."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield f"pickle {protocol}", pickle.dumps(Canary(canary), protocol)
    evil = pickle.dumps({"x": Canary(canary)}, 2)
    state = {"x": Canary(canary)}
    yield "torch", made(lambda file: torch.save(state, file))
    legacy = {"_use_new_zipfile_serialization": False}
    yield "legacy torch", made(lambda file: torch.save(state, file, **legacy))
    yield "tar of torch", tarred({"sys_info": evil, "pickle": evil, "storages": evil})
    script = {"m/constants.pkl": evil, "m/data.pkl": evil, "m/code/__torch__.py": b"1/0"}
    yield "TorchScript", zipped(script, zipfile.ZIP_STORED)
    objects = np.array([Canary(canary)], dtype=object)
    yield "numpy", made(lambda file: np.save(file, objects, allow_pickle=True))
    yield "numpy archive", made(lambda file: np.savez(file, x=objects))
    yield "pickle behind a header", b"\x80\x04" + bytes(6) + b"{" + evil


def bombs():
    """Files that get much larger when they are read."""
    yield "zip bomb", zipped({"data.pkl": bytes(20_000_000)}, zipfile.ZIP_DEFLATED)
    yield "zip that escapes", zipped({"../../escaped": b"x"}, zipfile.ZIP_STORED)
    yield "tar that escapes", tarred({"../../escaped": b"x"})


def raw(header, data=b"", length=None):
    """Make a safetensors file of a header that is given as text."""
    text = header.encode() if isinstance(header, str) else header
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def crafted(state, tensors=None, **about):
    """Make a file of trained state whose digest is right, whatever it holds."""
    tensors = {} if tensors is None else tensors
    header = state if isinstance(state, str) else json.dumps({"state": state, "about": about})
    metadata = {"coterie": "1", "header": header, "sha256": _digest(header, tensors)}
    return save(tensors, metadata)


def headers():
    """Safetensors files whose header lies."""
    one = '"a":{"dtype":"F32","shape":[%s],"data_offsets":[%s]}'
    yield "empty", b""
    yield "seven bytes", b"1234567"
    yield "length 2^63", raw("{}", length=2**63)
    yield "length 2^64-1", raw("{}", length=2**64 - 1)
    yield "length 90 MB", raw("{}", length=90_000_000)
    yield "length behind the end", raw("{}", length=1000)
    yield "no JSON", raw("{oops")
    yield "not UTF-8", raw(b'{"\xff\xfe":1}')
    yield "nested", raw('{"a":' * DEEP + "1" + "}" * DEEP)
    yield "key twice", raw("{" + one % ("1", "0,4") + "," + one % ("1", "4,8") + "}", bytes(8))
    overlap = one % ("2", "0,8") + "," + (one % ("2", "4,12")).replace('"a"', '"b"')
    yield "overlap", raw("{" + overlap + "}", bytes(12))
    yield "gap", raw("{" + one % ("1", "4,8") + "}", bytes(8))
    yield "negative", raw("{" + one % ("-1", "0,4") + "}", bytes(4))
    yield "backwards", raw("{" + one % ("1", "4,0") + "}", bytes(4))
    yield "behind the end", raw("{" + one % ("1000000", "0,4000000") + "}", bytes(4))
    yield "huge shape", raw("{" + one % ("4611686018427387904,4", "0,4") + "}", bytes(4))
    yield "huge offsets", raw("{" + one % ("1", "0,9223372036854775807") + "}", bytes(4))
    odd = (one % ("1", "0,4")).replace("F32", "OBJECT")
    yield "object dtype", raw("{" + odd + "}", bytes(4))
    yield "no metadata", raw("{}")
    yield "number as metadata", raw('{"__metadata__":{"coterie":1}}')


def structures():
    """Files of trained state that are right in form, and hold nonsense."""
    yield "state nested", crafted('{"about":{},"state":' + "[" * DEEP + "]" * DEEP + "}")
    yield "state no JSON", crafted("{oops")
    yield "state a list", crafted([1, 2], kind="sum")
    yield "huge number", crafted('{"about":{"kind":"sum"},"state":{"steps":' + "1" * 5000 + "}}")
    yield "tensor that is not there", crafted({"sum": {"$tensor": "gone"}}, kind="sum")
    yield "tensor named by a list", crafted({"sum": {"$tensor": [1]}}, kind="sum")
    yield "odd float", crafted({"sum": {"$float": "__import__('os')"}}, kind="sum")
    yield "float of a list", crafted({"sum": {"$float": [1]}}, kind="sum")
    yield "another kind", crafted({}, kind="ppo")
    yield "nothing known", crafted({}, kind="sum")
    wrong = {"generator": torch.zeros(3, dtype=torch.uint8)}
    state = {"generator": {"$tensor": "generator"}, "sum": 1, "steps": 2}
    yield "short generator", crafted(state, wrong, kind="sum")


def surroundings():
    """Files of the state of everything but the agents that hold nonsense."""
    yield "run empty", crafted({})
    yield "run of wrong types", crafted({"members": 5, "tracker": [], "boundary": "x"})
    yield "run an agent's", crafted({"sum": 1.0}, kind="sum")


def manifests(whole):
    """Manifests that are damaged beyond their digest."""
    yield "manifest empty", b""
    yield "manifest a list", b"[]"
    yield "manifest a number", b"5"
    yield "manifest null", b"null"
    yield "manifest not UTF-8", b"\xff\xfe" + whole
    yield "manifest with a mark", b"\xef\xbb\xbf" + whole
    yield "manifest in UTF-16", whole.decode().encode("utf-16")
    yield "manifest nested", b"[" * DEEP + b"]" * DEEP
    yield "manifest nested in files", b'{"checksum":1,"files":' + b"[" * DEEP + b"]" * DEEP + b"}"
    yield "manifest with a huge number", b'{"checksum":1,"timestep":' + b"1" * 5000 + b"}"
    yield "manifest with a key twice", whole.replace(b"{", b'{\n "checksum": "0",', 1)
    yield "manifest without a digest", b"{}"
    yield "manifest a pickle", pickle.dumps({"files": 1})
    yield "manifest with zeros", whole + bytes(10)


def edits():
    """Manifests with a right digest and wrong values."""
    wrong = (("files", v) for v in (5, None, [], "x", {}, [["../x", 1]], {"../x": 1}))
    for key, value in wrong:
        yield f"{key} {value!r}", edit(key, value=value)
    for value in ("8", 1.5, float("nan"), float("inf"), True, None, [8], {"a": 1}):
        yield f"timestep {value!r}", edit("timestep", value=value)
    for value in (2, 0, -1, 10**30, "1", True, None, 1.0):
        yield f"format {value!r}", edit("format", value=value)
    for value in (-1, 2**70, "12", float("inf"), None):
        yield f"size {value!r}", edit("files", AGENT, "size", value=value)
    for value in ("", 5, "0" * 64, None, "../x"):
        yield f"digest {value!r}", edit("files", AGENT, "sha256", value=value)
    for value in ({}, 5, "sum-0", [5], [{}], [None]):
        yield f"members {value!r}", edit("members", value=value)
    for value in ([0], [0, "x"], [2, 0, 1], 5, [float("nan"), 1]):
        yield f"scope {value!r}", edit("members", 0, "scope", value=value)
    for value in ("../sum-0", "/etc/passwd", "", "sum-1", 5):
        yield f"name {value!r}", edit("members", 0, "name", value=value)
    yield "status", edit("members", 0, "status", value="__import__")
    yield "unknown key", edit("__class__", value="os.system")
    yield "versions", edit("versions", value={"torch": 5})


def names():
    """Names of files that lead elsewhere."""
    for name in (
        "../sum-0.safetensors",
        "members/../../sum-0.safetensors",
        "/etc/passwd",
        "members/.hidden.safetensors",
        "members/sum-0.pt",
        "members/a/b.safetensors",
        "members\\sum-0.safetensors",
        "members/sum-0.safetensors\x00",
        "members/sum-0.safetensors\n",
        "file:///etc/passwd",
        "members/\ud800.safetensors",
        "",
    ):
        yield f"file {name!r}", rename(name)


def places():
    """Links and devices in the place of files."""
    for name in (MANIFEST, RUN_FILE, AGENT, "members"):
        yield f"link {name}", link(name)
    for target in ("/dev/zero", "/etc/passwd", "gone"):
        yield f"link to {target}", link(AGENT, target)
        yield f"manifest a link to {target}", link(MANIFEST, target)
    for name in (MANIFEST, AGENT):
        yield f"pipe {name}", special(name, os.mkfifo)
        yield f"folder {name}", special(name, os.mkdir)
    yield "large manifest", lambda folder: os.truncate(folder / MANIFEST, 2**40)
    yield "large file", lambda folder: os.truncate(folder / AGENT, 2**40)


def corpus(whole, canary):
    """Every hostile checkpoint: its name, and what makes it of a copy of a good one."""
    files = [*programs(canary), *bombs(), *headers(), *structures()]
    found = [(name, exchange(AGENT, data)) for name, data in files]
    found += [(f"run: {name}", exchange(RUN_FILE, data)) for name, data in programs(canary)]
    found += [(name, exchange(RUN_FILE, data)) for name, data in surroundings()]
    found += [(name, manifest(data)) for name, data in manifests(whole)]
    return [*found, *edits(), *names(), *places()]
