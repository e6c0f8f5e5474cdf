"""The control: the harness finds the hangs of another trainer, so it could find ours.

Lets skrl's parallel trainer meet faults in a process with a time limit, prints what came of each,
and fails where a hang that is there goes unseen. Needs skrl; run by ``nox -s faults-skrl``. Faults
are named on the command line: ``act-kill parent-kill``; by default all of them are met.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from fault_survey import Patience, kill_all, living

PHASES = ("init", "pre_interaction", "act", "record", "post_interaction")
HANGS = (
    *(f"{phase}-kill" for phase in PHASES),
    *(f"{phase}-raise" for phase in PHASES),
    *("act-exit", "act-sys-exit", "act-hang-sleep", "pickle-lock", "float-scopes"),
)
OTHERS = ("none-none", "env-raise", "parent-int", "parent-term", "parent-kill")
AT_START = ("pickle", "float")
SIGNALS = {
    "parent-int": signal.SIGINT,
    "parent-term": signal.SIGTERM,
    "parent-kill": signal.SIGKILL,
}
START_SECONDS = 90.0  # until the fault happens
HANG_SECONDS = 8.0  # without an end after that: a hang
STARTING_SECONDS = 30.0  # the same, where workers have still to be started after it
GONE_SECONDS = 3.0  # in which processes may follow their parent
STEP = 3


def observe(name: str) -> dict[str, Any]:
    """Let the trainer meet a fault; tell how it ended and what is left."""
    with tempfile.TemporaryDirectory() as folder:
        stamp, errors = Path(folder, "stamp"), Path(folder, "errors")
        with errors.open("w") as stderr:
            victim = subprocess.Popen(
                [sys.executable, __file__, "--meet", name, str(stamp)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                cwd=folder,
                start_new_session=True,
            )
        wait(victim, START_SECONDS, stamp)
        happened = stamp.exists()
        if name in SIGNALS:
            victim.send_signal(SIGNALS[name])
        start = time.monotonic()
        wait(victim, STARTING_SECONDS if name.startswith(AT_START) else HANG_SECONDS)
        code, seconds = victim.poll(), time.monotonic() - start
        patience = Patience(GONE_SECONDS if code is not None else 0)
        while living(victim.pid) and patience.left:
            patience.nap()
        left = [pid for pid in living(victim.pid) if pid != victim.pid]
        kill_all(victim.pid)
        victim.wait()
        said = last_error(errors.read_text())
    outcome = "hang" if code is None else "ended" if code == 0 else "error"
    return {
        "outcome": outcome if happened else "no fault",
        "code": code,
        "seconds": seconds,
        "left": len(left),
        "said": said,
    }


def wait(victim: subprocess.Popen[bytes], seconds: float, stamp: Path | None = None) -> None:
    """Wait until a process ends, a file is there, or the time is over."""
    patience = Patience(seconds)
    while victim.poll() is None and patience.left and not (stamp and stamp.exists()):
        patience.nap()


def last_error(text: str) -> str:
    """The last line of a text that tells of an exception."""
    lines = [line for line in text.splitlines() if re.match(r"[\w.]+(Error|Exit|Interrupt)", line)]
    return lines[-1] if lines else ""


def meet(name: str, stamp: Path) -> None:
    """Train under skrl, with the fault."""
    from skrl_population import make_trainer

    make_trainer(name, stamp, STEP).train()


def main() -> None:
    """Meet all faults, or those that are named; print a table."""
    if sys.argv[1:2] == ["--meet"]:
        meet(sys.argv[2], Path(sys.argv[3]))
        return
    names = sys.argv[1:] or [*OTHERS, *HANGS]
    print(f"| {'fault':20} | outcome  | code | seconds | left | last line of the errors")
    print(f"| {'-' * 20} | -------- | ---- | ------- | ---- | ---")
    seen = {}
    for name in names:
        seen[name] = found = observe(name)
        code = "" if found["code"] is None else found["code"]
        print(
            f"| {name:20} | {found['outcome']:8} | {code:4} | {found['seconds']:7.1f} "
            f"| {found['left']:4} | {found['said'][:60]}",
            flush=True,
        )
    missed = [name for name in names if name in HANGS and seen[name]["outcome"] != "hang"]
    if missed:
        sys.exit(f"hangs that are known were not seen: {', '.join(missed)}")
    if "none-none" in seen and (seen["none-none"]["code"], seen["none-none"]["left"]) != (0, 0):
        sys.exit("the harness sees a fault where there is none")
    hangs = sum(found["outcome"] == "hang" for found in seen.values())
    print(f"{hangs} hangs of {len(seen)} faults were seen")


if __name__ == "__main__":
    main()
