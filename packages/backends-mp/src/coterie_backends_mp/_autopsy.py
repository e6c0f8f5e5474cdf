"""Finding out what happened to members that did not answer as they should."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from coterie import WorkerError

from ._crew import Crew
from ._failures import died, raised, timed_out
from ._messages import Answer, Exited
from ._process import Process


def read_answer(process: Process, failures: dict[int, WorkerError]) -> Answer:
    """Read the message with which a process answered.

    Args:
        process: A process that has answered.
        failures: Members of it that failed are added, by their index.

    Returns:
        The message.
    """
    answer: Answer = process.channel.receive()[0]
    members = {member.index: member for member in process.members}
    for report in answer.failures:
        failures[report.index] = raised(members[report.index], report, process.pid)
    return answer


def find_failures(
    crew: Crew, numbers: Iterable[int], late: Sequence[int]
) -> dict[int, WorkerError]:
    """Find out what happened in processes; those that are late are killed.

    Args:
        crew: The processes.
        numbers: Those that had something to do.
        late: Those of them that have not answered in time.

    Returns:
        Errors by index of the member.
    """
    stacks = {number: crew.stack(number) for number in late}
    seconds = {number: crew.time_limit(number) for number in late}
    places = {number: crew.processes[number].place for number in numbers}
    crew.kill(late)
    failures: dict[int, WorkerError] = {}
    for number in numbers:
        process = crew.processes[number]
        phase, timestep, culprit = places[number]
        if number in stacks:
            for member in process.living:
                failures[member.index] = timed_out(
                    member, process.pid, phase, timestep, culprit, seconds[number], stacks[number]
                )
        elif not process.answered and process.exited is not None:
            for member in process.living:
                exited: Exited = process.exited
                failures[member.index] = died(member, exited, phase, timestep, culprit)
        elif process.row.failed:
            read_answer(process, failures)
    return failures
