"""What all jobs share: they read a case, watch the steps of its environment, and tell a result.

A job is a process. It gets its case as a JSON object on its command line and writes lines of JSON
to its standard output: ``{"mark": "warm"}`` where measuring starts, and a last one with what was
measured. After that it waits for its standard input to close, so that its memory can be looked at
from outside, and is gone.

Nothing is imported here that an environment of one of the libraries might lack.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np
from _settings import ROLLOUTS

POINTS = 60


class Enough(BaseException):
    """Ends a run from within its environment, past everything that catches errors."""


def read_case() -> dict[str, Any]:
    """Read the case from the command line."""
    case: dict[str, Any] = json.loads(sys.argv[1])
    return case


def say(told: dict[str, Any]) -> None:
    """Write a line of JSON, in one piece: a library's processes may be writing too."""
    os.write(1, f"\n{json.dumps(told)}\n".encode())


def versions(names: Sequence[str]) -> dict[str, str]:
    """Look up the versions of distributions; one that was never installed is ``"source"``."""
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "source"
    return found


class Watch:
    """Sees every environment step, notes when rollouts end, and says when it is enough.

    Args:
        case: What the job was told: ``measure``, ``agents``, ``instances``, ``seconds``, ``bar``,
            ``started`` and ``limit``, both in seconds of the monotonic clock.
        libraries: Distributions whose versions are told.
        turns: How many runs there are, one after the other; each steps ``agents / turns``
            agents. An unfinished last turn ends the process at once.
        warm_up: Rollouts, with their updates, that come before measuring.

    Attributes:
        timesteps: Of the run that is going on; each steps every instance once.
    """

    def __init__(
        self, case: dict[str, Any], libraries: Sequence[str], turns: int = 1, warm_up: int = 1
    ) -> None:
        self.case = case
        self.libraries = libraries
        self.turns = turns
        self.warm_up = warm_up
        self.timesteps = 0
        self.agents = case["agents"] // turns
        self._size = self.agents * case["instances"]
        self._wait = case["seconds"] / turns if case["measure"] == "steady" else float("inf")
        self._learning = case["measure"] == "learn"
        self._deadline = case["started"] + case["limit"]
        self._turn = -1
        self._steps = 0
        self._outcome = "done"
        self._noted: dict[str, Any] = {"spans": [], "reached": [], "curve": []}
        self._running = self._last = np.zeros((self.agents, case["instances"]))

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Run one of the turns; what is left of it when it is enough is not done."""
        self._turn += 1
        self.timesteps = 0
        self._mark: tuple[float, int] | None = None
        self._begun: float | None = None
        shape = (self.agents, self.case["instances"])
        self._running, self._last = np.zeros(shape), np.full(shape, np.nan)
        self._reached: list[list[float] | None] = [None] * self.agents
        try:
            yield
            self.before()  # the last update is over too
            self._close(time.monotonic())
        except Enough:
            pass

    def before(self) -> None:
        """Note that a step begins: everything that the last one led to has been done."""
        now = time.monotonic()
        if self.timesteps == 0:
            self._begun = now
            self._noted.setdefault("first_action", now - self.case["started"])
        elif self.timesteps % ROLLOUTS == 0:
            now = self._rollout(now)
        if now > self._deadline:
            self._outcome = "limit"
            self._stop(now)

    def after(self, rewards: Any, terminated: Any, truncated: Any) -> None:
        """Note what a step gave; all are ``[agents * instances]``, arrays or tensors."""
        self.timesteps += 1
        if self._learning:
            shape = self._running.shape
            done = plain(terminated).reshape(shape) | plain(truncated).reshape(shape)
            self._running = self._running + plain(rewards).reshape(shape)
            self._last = np.where(done.astype(bool), self._running, self._last)
            self._running = np.where(done.astype(bool), 0.0, self._running)

    def done(self, timesteps: int) -> None:
        """Note how many timesteps are done, where single steps can't be seen, and one begins."""
        self.timesteps = timesteps
        self.before()

    def returns(self, last: Any) -> None:
        """Take over the returns of each instance's last episode, where a program counts them."""
        self._last = np.asarray(last).reshape(self._running.shape)

    def note(self, **more: Any) -> None:
        """Note what else is to be told: ``compile``, the seconds that compiling took."""
        self._noted |= more

    def finish(self) -> NoReturn:
        """Tell the result, wait until nobody needs this process any more, and end it."""
        spans = self._noted.pop("spans")
        curve = self._noted.pop("curve")
        told = {
            "outcome": self._outcome,
            "steps": sum(steps for steps, _ in spans),
            "seconds": sum(seconds for _, seconds in spans),
            "total_steps": self._steps,
            "curve": curve[:: 1 + len(curve) // POINTS] if self._learning else [],
            "versions": versions(self.libraries),
            **self._noted,
        }
        say(told)
        sys.stdin.read()
        os._exit(0)

    def _rollout(self, now: float) -> float:
        """Note that a rollout and its update are over; returns the time when that is done."""
        since = now - self.case["started"]
        self._noted.setdefault("first_update", since)
        rollouts = self.timesteps // ROLLOUTS
        if self._learning:
            self._look(since)
        if rollouts == self.warm_up:
            if not self._noted["spans"] and self._turn == 0:
                say({"mark": "warm"})
            now = time.monotonic()
            self._mark = (now, self.timesteps)
        elif self._mark is not None and now - self._mark[0] >= self._wait:
            self._stop(now)
        return now

    def _look(self, since: float) -> None:
        """Note which agents have learned the task: all instances' last episodes count."""
        means = self._last.mean(1)  # NaN where an instance has not ended an episode
        done = self.timesteps * self.case["instances"]
        for agent, mean in enumerate(means):
            if self._reached[agent] is None and mean >= self.case["bar"]:
                self._reached[agent] = [round(since, 3), done]
        if self._turn == 0 and np.isfinite(means).all():
            self._noted["curve"].append([round(since, 2), done, round(float(means.mean()), 1)])
        if all(self._reached):
            self._stop(time.monotonic())

    def _close(self, now: float) -> None:
        """End a turn: keep the time between its marks, or what comes nearest to it."""
        start, first = self._mark or (self._begun or now, 0)
        if self.timesteps > first:
            self._noted["spans"].append([(self.timesteps - first) * self._size, now - start])
        self._steps += self.timesteps * self._size
        if self._learning:
            self._noted["reached"] += self._reached

    def _stop(self, now: float) -> NoReturn:
        self._close(now)
        if self._turn == self.turns - 1 or self._outcome == "limit":
            self.finish()
        raise Enough


def plain(values: Any) -> Any:
    """Give an array; a tensor of any device becomes one."""
    return np.asarray(values.cpu() if hasattr(values, "cpu") else values)


def watched(env: Any, watch: Watch) -> Any:
    """Let a watch see the steps of an environment that returns gymnasium's five things."""
    step = env.step

    def seen(*args: Any, **kwargs: Any) -> Any:
        watch.before()
        results = step(*args, **kwargs)
        watch.after(*results[1:4])
        return results

    env.step = seen
    return env
