"""The parts that processes are held together with, each alone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from coterie import Interface, SharedMemoryError
from coterie.transport import find_culprit, pack, unpack
from coterie_backends_mp._arrays import Layout
from coterie_backends_mp._block import Block, block_size, make_block
from coterie_backends_mp._board import Command
from coterie_backends_mp._channel import Channel
from coterie_backends_mp._neighbours import Neighbours, Usage, measured
from coterie_backends_mp._output import PrefixedStream
from coterie_backends_mp._placement import choose_cores, count_processes, count_threads, place
from coterie_backends_mp._reports import LIMIT, cut, original, report
from coterie_backends_mp._signal import Signal
from coterie_backends_mp._spin import Spinner

INTERFACE = Interface(
    observation_space=spaces.Dict(
        {"camera": spaces.Box(0, 255, (3, 2), np.uint8), "speed": spaces.Box(-1, 1, (), np.float32)}
    ),
    action_space=spaces.Tuple([spaces.Discrete(3), spaces.Box(-1, 1, (2,), np.float64)]),
    state_space=None,
    num_envs=5,
    device=torch.device("cpu"),
)


@pytest.mark.parametrize(
    ("wanted", "members", "cores", "expected"),
    [(None, 5, 2, 5), ("auto", 5, 2, 2), ("auto", 1, 8, 1), (3, 5, 1, 3), (9, 5, 1, 5)],
)
def test_number_of_processes(wanted: Any, members: int, cores: int, expected: int) -> None:
    assert count_processes(wanted, members, cores) == expected


def test_places() -> None:
    assert place("abcdefg", 3) == [("a", "b", "c"), ("d", "e"), ("f", "g")]
    assert place("ab", 2) == [("a",), ("b",)]


def test_threads_are_a_share_of_the_cores() -> None:
    assert [count_threads(None, processes, 8) for processes in (1, 3, 8, 20)] == [8, 2, 1, 1]
    assert count_threads(5, 8, 8) == 5


def test_a_channel_carries_large_messages_and_descriptors() -> None:
    left, right = Channel.pair()
    read, write = os.pipe()
    left.send({"small": 1}, [write])
    left.send(b"x" * 1_000_000, [write])
    left.send("last")
    for expected in ({"small": 1}, b"x" * 1_000_000):
        message, (end,) = right.receive()
        assert message == expected
        os.write(end, b"!")
        os.close(end)
    assert right.receive() == ("last", [])
    assert os.read(read, 10) == b"!!"
    left.close()
    with pytest.raises(EOFError):
        right.receive()
    right.close()
    os.close(read)
    os.close(write)


def test_a_large_message_does_not_wait_for_the_other_side() -> None:
    left, right = Channel.pair()
    left.send(torch.zeros(5_000_000))
    message, _ = right.receive()
    assert message.shape == (5_000_000,)
    left.close()
    right.close()


@pytest.mark.parametrize("pipe", [False, True])
def test_signals_count(pipe: bool) -> None:
    signal = Signal(os.pipe()) if pipe else Signal.create()
    signal.send()
    signal.send()
    signal.wait()
    sender = threading.Timer(0.05, signal.send)
    sender.start()
    signal.wait()
    sender.join()
    signal.close()
    signal.close()


@pytest.mark.parametrize(
    ("wanted", "processes", "threads", "cores", "expected"),
    [
        (None, 2, 1, [4, 5], [5, 4]),
        (None, 3, 1, [4, 5], [5, 4, 5]),
        (None, 2, 1, [4, 5, 6], [None, None]),
        (None, 2, 2, [4, 5], [None, None]),
        (None, 1, 1, [4], [None]),
        (True, 2, 2, [4, 5, 6], [5, 6]),
        (True, 2, 1, [], [None, None]),
        (False, 2, 1, [4, 5], [None, None]),
    ],
)
def test_cores_that_processes_stay_on(
    wanted: Any, processes: int, threads: int, cores: list[int], expected: list[Any]
) -> None:
    assert choose_cores(wanted, processes, threads, cores, 1) == expected


@pytest.mark.parametrize("scopes", [(2, 3), (5,), (1, 1, 2, 1)])
@pytest.mark.parametrize("guarded", [False, True])
def test_a_block_is_seen_alike_from_both_sides(scopes: tuple[int, ...], guarded: bool) -> None:
    layout = Layout(scopes=scopes, guarded=guarded)
    size = block_size(INTERFACE, layout, 2)
    fd = make_block(size)
    assert os.fstat(fd).st_size == size
    ours, theirs = Block(fd, 2), Block(fd, 2)
    left, right = (block.arrays(INTERFACE, layout) for block in (ours, theirs))
    pixels, speeds = torch.arange(30, dtype=torch.uint8).view(5, 3, 2), torch.arange(5.0)
    left.observations[1].write({"camera": pixels, "speed": speeds})
    left.rewards.write(speeds + 0.5)
    row = 0
    for member, count in enumerate(scopes):
        rows = slice(row, row + count)
        seen = right.observations[1].slot(member)
        assert torch.equal(seen["camera"], pixels[rows])
        assert torch.equal(seen["speed"], speeds[rows])
        assert torch.equal(right.rewards.slots[member], speeds[rows] + 0.5)
        assert all(t.data_ptr() % 64 == 0 and t.is_contiguous() for t in seen.values())
        gear, wheels = right.actions.slot(member)
        gear.fill_(member)
        wheels.fill_(member / 4)
        row += count
    owner = torch.arange(len(scopes)).repeat_interleave(torch.tensor(scopes))
    gears, wheels = left.actions.read()
    assert torch.equal(gears, owner)
    assert torch.equal(wheels, (owner / 4)[:, None].expand(5, 2))
    assert right.observations[0].read()["speed"].tolist() == [0.0] * 5
    assert ours.board.command(Command.FINISH, 5, 6, 7) == 1
    assert theirs.board.read_command() == (Command.FINISH, 5, 6, 7)
    os.close(fd)


def test_guards_tell_whose_slot_was_overstepped() -> None:
    layout = Layout(scopes=(2, 2, 1), guarded=True)
    fd = make_block(block_size(INTERFACE, layout, 2))
    arrays = Block(fd, 2).arrays(INTERFACE, layout)
    names = dict(arrays.named())
    assert {"observations.camera", "rewards", "actions.0", "actions.1"} <= names.keys()
    for column in names.values():
        column.set_guards()
        assert column.broken_guards() == []
    arrays.rewards.write(torch.ones(5))
    arrays.actions.slot(1)[0].fill_(7)
    assert all(column.broken_guards() == [] for column in names.values())
    slot = arrays.rewards.slots[1]
    slot.as_strided((3,), (1,), slot.storage_offset())[2] = 1.0
    assert arrays.rewards.broken_guards() == [1]
    os.close(fd)


def usages(foreign: list[float]) -> Any:
    """Measure a trainer and two workers that use a quarter of their cores, and others."""
    used, now = {0: 0.0, 1: 0.0}, 0.0

    def measure() -> Usage:
        nonlocal now
        now += 1.0
        more = foreign.pop(0)
        for core in used:
            used[core] += 0.25 + (0.1 + more if core == 0 else 0.0)
        return Usage(
            cores=dict(used), workers={7: 0.25 * now, 8: 0.25 * now}, own=0.1 * now, at=now
        )

    return measure


@pytest.mark.parametrize(
    ("foreign", "stays"),
    [
        ([0.0] * 4, [True] * 4),
        ([0.2] * 4, [True] * 4),  # too little to make way for
        ([0.9] * 4, [True, False, False, False]),
        ([0.0, 0.9, 0.0, 0.0, 0.0], [True, False, False, True, True]),
        ([0.0, 0.9, 0.0, 0.4, 0.0], [True] + [False] * 4),
        ([0.9, 0.9, 0.0, 0.0, 0.9], [True, False, False, True, False]),
    ],
)
def test_workers_leave_their_cores_to_others_and_come_back(
    foreign: list[float], stays: list[bool]
) -> None:
    neighbours = Neighbours({7: 0, 8: 1}, usages(foreign))
    far = [1e9 * (turn + 1) for turn in range(len(stays))]
    assert [neighbours.look(now) for now in far] == stays


def test_neighbours_are_looked_for_only_now_and_then() -> None:
    neighbours = Neighbours({7: 0, 8: 1}, usages([0.9, 0.9]))
    assert [neighbours.look(time.monotonic()) for _ in range(20)] == [True] * 20


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_the_system_tells_what_is_computed() -> None:
    core = min(os.sched_getaffinity(0))
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        os.sched_setaffinity(busy.pid, [core])
        before = measured([core], [busy.pid, 2**22 + 1])
        time.sleep(0.5)
        after = measured([core], [busy.pid])
        busy.kill()
    assert before is not None
    assert after is not None
    assert list(before.workers) == list(after.workers) == [busy.pid]
    assert 0.0 < after.workers[busy.pid] - before.workers[busy.pid] <= after.at - before.at + 0.05
    assert after.cores[core] > before.cores[core]


def test_a_spinner_sees_what_happens_soon_and_gives_up_in_time() -> None:
    looks = iter([False])
    assert Spinner().wait(lambda: next(looks, True))
    start = time.monotonic()
    assert not Spinner().wait(lambda: False)
    assert time.monotonic() - start < 5.0


def test_what_a_worker_is_doing_is_on_the_board() -> None:
    fd = make_block(block_size(INTERFACE, Layout(scopes=(5,)), 3))
    ours, theirs = (Block(fd, 3).board.row(2) for _ in range(2))
    theirs.phase, theirs.timestep, theirs.member = "record", 12, 4
    assert (ours.phase, ours.timestep, ours.member) == ("record", 12, 4)
    theirs.answer(3, True, 1000)
    assert (ours.answered, ours.failed, ours.busy) == (3, True, 1000)
    ours.clear()
    assert (theirs.phase, theirs.timestep, theirs.answered) == ("start", None, 0)
    theirs.phase = "something else"
    assert ours.phase == "start"
    os.close(fd)


def test_too_large_a_block_is_refused() -> None:
    with pytest.raises(SharedMemoryError, match=r"needs 1,000,000,000,000,000 bytes, [\d,]+ bytes"):
        make_block(10**15)


def test_a_block_that_the_system_refuses_is_an_error_and_no_crash() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "from coterie_backends_mp._block import make_block\n"
        "make_block(50_000); make_block(8_000_000)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert (
        "SharedMemoryError: the block that the members share needs 8,000,000 bytes" in done.stderr
    )


def test_packing_keeps_what_tensors_share() -> None:
    flat = torch.arange(6.0)
    copy = unpack(pack({"flat": flat, "view": flat[2:4], "double": lambda x: 2 * x}))
    copy["flat"][2] = 50
    assert copy["view"].tolist() == [50, 3]
    assert copy["double"](4) == 8
    assert flat[2] == 2


def test_the_part_that_can_not_be_packed_is_found() -> None:
    class Box:
        pass

    outer, inner = Box(), Box()
    outer.fine = [1, 2]
    outer.parts = [inner]
    inner.lock = threading.Lock()
    assert find_culprit(outer) == "agent.parts[0].lock"


def test_reports_hold_what_can_be_told() -> None:
    class WithoutTextError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    made = report(3, "act", 7, WithoutTextError())
    assert (made.index, made.phase, made.timestep) == (3, "act", 7)
    assert made.kind == "WithoutTextError"
    assert made.message == "(its text can't be made)"
    rebuilt = original(report(0, "act", 1, ValueError("no", 5)).pickled)
    assert isinstance(rebuilt, ValueError)
    assert rebuilt.args == ("no", 5)
    assert original(b"rubbish") is None
    assert original(None) is None
    assert report(0, "act", 1, ValueError(threading.Lock())).pickled is None


def test_long_texts_lose_their_middle() -> None:
    text = cut("a" * LIMIT + "b" * LIMIT)
    assert text.startswith("aaa")
    assert text.endswith("bbb")
    assert f"[{LIMIT:,} characters left out]" in text
    assert cut("short") == "short"


def test_lines_are_prefixed_and_whole() -> None:
    read, write = os.pipe()
    stream = PrefixedStream(write)
    stream.prefix = "[a] "
    print("one\ntw", end="", file=stream)
    stream.prefix = "[b] "
    print("o", file=stream)
    print("rest", end="", file=stream)
    stream.finish()
    stream.finish()
    os.close(write)
    with open(read) as lines:
        assert lines.read() == "[a] one\n[b] two\n[b] rest\n"
