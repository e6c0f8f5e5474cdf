"""The numbers at the head of the shared block: commands to the workers, their replies.

Words are 64-bit integers that one side writes and the other reads after a wake-up.
"""

from __future__ import annotations

import mmap

_SHARED_WORDS = 8
_WORKER_WORDS = 32  # cache lines of their own, so that nobody who reads one disturbs a writer
_ASKED, _ANSWERED, _FAILED, _BUSY, _PHASE, _MEMBER, _TIMESTEP = 0, 8, 9, 10, 16, 17, 18

PHASES = (
    "start",
    "load",
    "setup",
    "reset",
    "pre_interaction",
    "act",
    "record",
    "post_interaction",
    "metrics",
    "state",
    "save",
    "reconfigure",
    "leave",
    "idle",
    "stop",
)


class Command:
    """What workers are woken up for. Plain integers: an enumeration costs microseconds a step."""

    MESSAGE = 0
    BEGIN = 1
    ADVANCE = 2
    FINISH = 3
    STOP = 4


class Flag:
    """What a worker must know about a step; plain integers too."""

    SAME = 1  # the step ended in the observations that the next actions answer
    ALL_VALID = 2
    INFOS = 4  # infos come through the channel
    STATES = 8
    CUT = 16
    ODD = 32  # which of the two places for observations was written


def board_size(workers: int) -> int:
    """Bytes that the words for this number of workers take."""
    return 8 * (_SHARED_WORDS + workers * _WORKER_WORDS)


class Board:
    """The words of a trainer and its workers.

    Args:
        memory: The shared block.
        workers: Number of workers.
    """

    def __init__(self, memory: mmap.mmap, workers: int) -> None:
        self.words = memoryview(memory)[: board_size(workers)].cast("q")

    def command(self, command: int, flags: int, timestep: int, timesteps: int) -> int:
        """Write what the workers shall do next; return the number of the round."""
        words = self.words
        words[1], words[2], words[3], words[4] = command, flags, timestep, timesteps
        words[0] += 1
        return words[0]

    def read_command(self) -> tuple[int, int, int, int]:
        """Read command, flags, timestep and timesteps."""
        words = self.words
        return words[1], words[2], words[3], words[4]

    @property
    def anywhere(self) -> bool:
        """Whether workers that have a core of their own may leave it."""
        return bool(self.words[5])

    @anywhere.setter
    def anywhere(self, anywhere: bool) -> None:
        self.words[5] = anywhere

    def row(self, worker: int) -> Row:
        """The words of one worker."""
        return Row(self, worker)

    def release(self) -> None:
        """Let go of the shared block."""
        self.words.release()


class Row:
    """The words of one worker: what it is doing, and whether it has answered.

    Args:
        board: The board.
        worker: Number of the worker.
    """

    def __init__(self, board: Board, worker: int) -> None:
        first = _SHARED_WORDS + worker * _WORKER_WORDS
        self._words = board.words[first : first + _WORKER_WORDS]

    def clear(self) -> None:
        """Forget an earlier worker of the same number."""
        for offset in range(_WORKER_WORDS):
            self._words[offset] = 0
        self.timestep = None

    def answer(self, number: int, failed: bool, busy: int) -> None:
        """Mark a round as answered.

        Args:
            number: Number of the round.
            failed: Whether a message about failures was sent.
            busy: Nanoseconds that it took.
        """
        words = self._words
        words[_FAILED], words[_BUSY] = failed, busy
        words[_ANSWERED] = number

    def release(self) -> None:
        """Let go of the shared block."""
        self._words.release()

    @property
    def asked(self) -> int:
        """Number of the last round that the worker was asked to take part in."""
        return self._words[_ASKED]

    @asked.setter
    def asked(self, number: int) -> None:
        self._words[_ASKED] = number

    @property
    def answered(self) -> int:
        """Number of the last round that was answered."""
        return self._words[_ANSWERED]

    @property
    def failed(self) -> bool:
        """Whether the answer is a message about failures."""
        return bool(self._words[_FAILED])

    @property
    def busy(self) -> int:
        """Nanoseconds that the last answer took."""
        return self._words[_BUSY]

    @property
    def phase(self) -> str:
        """What the worker is doing."""
        return PHASES[self._words[_PHASE]]

    @phase.setter
    def phase(self, phase: str) -> None:
        self._words[_PHASE] = _CODE_OF.get(phase, 0)

    @property
    def member(self) -> int:
        """Index of the member whose turn it is."""
        return self._words[_MEMBER]

    @member.setter
    def member(self, index: int) -> None:
        self._words[_MEMBER] = index

    @property
    def timestep(self) -> int | None:
        """Timestep that the worker is at; ``None`` before the first."""
        timestep = self._words[_TIMESTEP]
        return None if timestep < 0 else timestep

    @timestep.setter
    def timestep(self, timestep: int | None) -> None:
        self._words[_TIMESTEP] = -1 if timestep is None else timestep


_CODE_OF = {phase: code for code, phase in enumerate(PHASES)}
