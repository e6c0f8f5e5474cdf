"""Run the examples of the pages as tests: ``pytest -p examples_in_pages docs README.md``.

Python blocks of a page share one namespace and run in order, in an empty folder. A TOML block is
written to ``experiment.toml`` there, or to the file that its first line names in a comment. Of a
``console`` block, the lines that start with ``$ coterie`` are run, and must end with exit code 0.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from sybil import Example, Sybil
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser, SkipParser


def _enter(namespace: dict[str, Any]) -> None:
    namespace["_left"] = os.getcwd()
    namespace["_folder"] = tempfile.TemporaryDirectory()
    os.chdir(namespace["_folder"].name)


def _leave(namespace: dict[str, Any]) -> None:
    os.chdir(namespace["_left"])
    namespace["_folder"].cleanup()


def _write(example: Example) -> None:
    first = example.parsed.partition("\n")[0]
    named = re.fullmatch(r"# ([\w-]+\.toml)", first)
    name = named.group(1) if named else "experiment.toml"
    Path(name).write_text(example.parsed, encoding="utf-8")


def _run(example: Example) -> None:
    for line in example.parsed.splitlines():
        if line.startswith("$ coterie"):
            command = [sys.executable, "-m", *shlex.split(line[2:])]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


pytest_collect_file = Sybil(
    parsers=[
        PythonCodeBlockParser(),
        CodeBlockParser("toml", _write),
        CodeBlockParser("console", _run),
        SkipParser(),
    ],
    path=str(Path(__file__).resolve().parent.parent),
    patterns=["*.md"],
    setup=_enter,
    teardown=_leave,
).pytest()
