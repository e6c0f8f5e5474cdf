"""Where the command line puts runs."""

from __future__ import annotations

import datetime
import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

RUNS = Path("runs")


@contextmanager
def claimed(wanted: str | None, env_id: str) -> Iterator[Path]:
    """Give the folder of a new run; one that nothing was written to is removed again.

    Args:
        wanted: The folder; ``None``: a new one below ``runs``, named by time and environment.
        env_id: Kind and id of the environment.

    Yields:
        The folder. Below ``runs`` it exists, so that no other process takes it.
    """
    if wanted is not None:
        yield Path(wanted)
        return
    made_runs = not RUNS.exists()
    run = _new_folder(env_id)
    try:
        yield run
    finally:
        with suppress(OSError):  # only empty folders can be removed this way
            run.rmdir()
            if made_runs:
                RUNS.rmdir()


def _new_folder(env_id: str) -> Path:
    what = re.sub(r"[^A-Za-z0-9._-]+", "-", env_id.partition(":")[2]).strip("-.") or "run"
    stem = f"{datetime.datetime.now():%Y%m%d-%H%M%S}-{what}"
    for number in itertools.count(1):
        path = RUNS / (stem if number == 1 else f"{stem}-{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        return path
    raise AssertionError("unreachable")
