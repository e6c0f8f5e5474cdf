"""One line that shows how far the members are."""

from __future__ import annotations

import sys
import threading
import time

from tqdm import tqdm

from .._runs.records import RunInfo
from .interface import MemberView, Progress, View

_REFRESH_SECONDS = 0.5
# Without the bar itself: the room on a line of 80 columns is for the members.
_FORMAT = "{n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"


class _Bar(tqdm):  # type: ignore[type-arg]
    """A bar that leaves the process as it is.

    tqdm's own lock is shared between processes: making it fixes the default start method of
    multiprocessing; and its monitor is a thread that never ends.
    """

    monitor_interval = 0
    _lock = threading.RLock()


class BarProgress(Progress):
    """A tqdm line on stderr: timesteps, and each member's mean return.

    Args:
        run: The run that is shown.
        disable: Whether to hide it; ``None``: where stderr is no terminal.
        done: Timesteps of the run that were done before.
    """

    def __init__(self, run: RunInfo, disable: bool | None, done: int = 0) -> None:
        self._names = [member.name for member in run.members]
        self._bar = _Bar(
            total=run.timesteps - run.first_timestep,
            initial=done,
            desc=run.mode,
            unit="step",
            disable=disable,
            file=sys.stderr,
            dynamic_ncols=True,
            bar_format=_FORMAT,
            mininterval=_REFRESH_SECONDS,
        )
        self._next = 0.0

    @property
    def due(self) -> bool:
        """Whether the returns should be shown anew."""
        return not self._bar.disable and time.monotonic() >= self._next

    def step(self) -> None:
        """Count one timestep."""
        self._bar.update()

    def show(self, view: View) -> None:
        """Show each member's mean return."""
        parts = [
            f"{name} {_value(member)}"
            for name, member in zip(self._names, view.members, strict=True)
        ]
        self._bar.set_postfix_str("  ".join(parts), refresh=False)
        self._next = time.monotonic() + _REFRESH_SECONDS

    def close(self) -> None:
        """Leave the line as it is and go to the next."""
        self._bar.close()


def _value(member: MemberView) -> str:
    if member.status != "active":
        return member.status
    value = member.mean_return
    if value is None:
        return "-"
    return f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"
