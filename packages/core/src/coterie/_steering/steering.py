"""Doing what a run is told, between two timesteps."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._errors import ConfigError, CoterieError, TrainerStateError, WorkerError
from .commands import Answer, Command, make_command
from .mailbox import Mailbox

if TYPE_CHECKING:
    from .._controllers.population import Population

_log = logging.getLogger("coterie")
_POLL = 0.25
_ENDED = "the run has ended"

_Reply = Callable[[Answer, BaseException | None], None]


class Steering:
    """Tells a run that is under way what to do; every method may be called from any thread.

    Each returns at once. What it returns gives, once the timestep under way is finished, a line
    of what was done, or raises why it was not: a :class:`~coterie.ConfigError` for what can't be
    done, a :class:`~coterie.TrainerStateError` where the run has ended.

    .. code-block:: python

        threading.Thread(target=trainer.train).start()
        print(trainer.steering.set("ppo-0", {"learning_rate": 3e-4}).result())

    What is done is recorded in the run's lineage. A program in another process does the same
    with ``coterie steer``.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Command, _Reply]] = deque()
        self._open = self._paused = False
        self._mailbox: Mailbox | None = None
        self._look = 0.0

    def pause(self) -> Future[str]:
        """Let the run wait, until it is told to resume, or to end."""
        return self._submit("pause")

    def resume(self) -> Future[str]:
        """Let a run that waits go on."""
        return self._submit("resume")

    def stop(self, member: str) -> Future[str]:
        """Stop a member: it keeps what it has learned, and its scope acts at random."""
        return self._submit("stop", member)

    def set(self, member: str, settings: Mapping[str, Any]) -> Future[str]:
        """Change settings of a member: those that its agent can change while it lives."""
        return self._submit("set", member, settings)

    def checkpoint(self) -> Future[str]:
        """Write a checkpoint."""
        return self._submit("checkpoint")

    @property
    def under_way(self) -> bool:
        """Whether there is a run to steer."""
        return self._open

    @property
    def paused(self) -> bool:
        """Whether the run waits."""
        return self._paused

    def _submit(self, name: str, member: str = "", settings: Any = None) -> Future[str]:
        command, future = make_command(name, member, settings), Future[str]()

        def reply(answer: Answer, error: BaseException | None) -> None:
            if not future.set_running_or_notify_cancel():
                return
            if answer.done:
                future.set_result(answer.text)
            else:
                future.set_exception(error or ConfigError(answer.text))

        with self._lock:
            if not self._open:
                raise TrainerStateError("there is no run under way to steer")
            self._waiting.append((command, reply))
        return future

    def start(self, run: Path | None) -> None:
        """Begin to listen; commands for an earlier process are of no use any more.

        Args:
            run: The run's folder; ``None``: only threads of this process can steer.
        """
        self._mailbox = None if run is None else Mailbox(run)
        if self._mailbox is not None:
            self._mailbox.clear("the run was started anew since")
        self._paused, self._open = False, True

    def due(self) -> bool:
        """Whether there is something to do; asked once per timestep."""
        if self._waiting:
            return True
        if self._mailbox is None or (now := time.monotonic()) < self._look:
            return False
        self._look = now + _POLL
        return self._mailbox.looks_changed()

    def act(self, population: Population) -> None:
        """Do what was asked for; where that is to wait, wait.

        Raises:
            WorkerError: A member failed meanwhile, and failures end the run.
        """
        self._do_all(population)
        while self._paused and population.active and not population.interrupted():
            time.sleep(0.05)
            if self.due():
                self._do_all(population)
        self._paused = False

    def finish(self) -> None:
        """Listen no more, and say so to whoever waits for something."""
        with self._lock:
            self._open = self._paused = False
            waiting, self._waiting = list(self._waiting), deque()
        for _, reply in waiting:
            reply(Answer(done=False, text=_ENDED), TrainerStateError(_ENDED))
        if self._mailbox is not None:
            self._mailbox.clear(_ENDED)

    def _do_all(self, population: Population) -> None:
        mailbox = self._mailbox
        found: list[tuple[Command, _Reply]] = []
        while self._waiting:
            found.append(self._waiting.popleft())
        for name, command in [] if mailbox is None else mailbox.take():
            assert mailbox is not None
            found.append((command, _replying(mailbox, name)))
        for command, reply in found:
            self._do(population, command, reply)

    def _do(self, population: Population, command: Command, reply: _Reply) -> None:
        try:
            text = getattr(self, f"_do_{command.name}")(population, command)
        except CoterieError as error:
            first = str(error.args[0])
            reply(Answer(done=False, text=first, timestep=population.timestep), error)
            if isinstance(error, WorkerError):
                raise
            return
        _log.info("steering, after step %d: %s", population.timestep, text)
        reply(Answer(done=True, text=text, timestep=population.timestep), None)

    def _do_pause(self, population: Population, command: Command) -> str:
        if self._paused:
            raise ConfigError("the run is paused already")
        self._paused = True
        population.note("pause")
        return f"paused after step {population.timestep}"

    def _do_resume(self, population: Population, command: Command) -> str:
        if not self._paused:
            raise ConfigError("the run is not paused")
        self._paused = False
        population.note("resume")
        return f"goes on after step {population.timestep}"

    def _do_stop(self, population: Population, command: Command) -> str:
        member = population.member(command.member)
        if not member.active:
            raise ConfigError(f"{member.name} does not act any more: it is {member.status}")
        population.stop({member.index: "it was stopped by hand"})
        population.note("stop", member.name, note="by hand")
        return f"{member.name} is stopped after step {population.timestep}"

    def _do_set(self, population: Population, command: Command) -> str:
        member = population.member(command.member)
        known, changes = population.settings(member), command.settings
        before = {name: known[name] for name in sorted(changes) if name in known}
        if not member.active:
            raise ConfigError(f"{member.name} does not act any more: it is {member.status}")
        if not population.reconfigure(member, changes):
            raise ConfigError(f"{member.name} failed: {member.note}")
        now = population.settings(member)
        after = {name: now[name] for name in before}
        population.note("settings", member.name, before=before, after=after, note="by hand")
        told = ", ".join(f"{name} from {before[name]} to {after[name]}" for name in before)
        return f"{member.name} after step {population.timestep}: {told}"

    def _do_checkpoint(self, population: Population, command: Command) -> str:
        path = population.checkpoint()
        if path is None:
            raise ConfigError("the run keeps no checkpoints, or this one could not be written")
        population.note("checkpoint", note=path.name)
        return f"checkpoint {path}"


def _replying(mailbox: Mailbox, name: str) -> _Reply:
    def reply(answer: Answer, _: BaseException | None) -> None:
        mailbox.answer(name, answer)

    return reply
