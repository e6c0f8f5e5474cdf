"""The files that members are saved to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from .._agents.interface import write_agent
from .._types import State
from .driver import member_raised

if TYPE_CHECKING:
    from .._trainers.members import Member


def member_file(folder: Path, name: str) -> Path:
    """Where a folder keeps the agent of a member."""
    return folder / f"{name}.safetensors"


def save_members(members: Iterable[Member], folder: Path) -> dict[int, State | None]:
    """Write the agents of members that have not failed, as they are here, to a folder.

    Returns:
        The state of the members' process-wide generators, by index.

    Raises:
        CheckpointWriteError: A file could not be written.
        WorkerRaised: An agent's state holds something that can't be stored.
    """
    kept = [member for member in members if member.failure is None]
    for member in kept:
        save_member(folder, member, member.agent.state_dict())
    return {member.index: member.streams for member in kept}


def save_member(folder: Path, member: Member, state: State) -> None:
    """Write the state of a member's agent to its file in a folder.

    Raises:
        CheckpointWriteError: The file could not be written.
        WorkerRaised: The agent's state holds something that can't be stored.
    """
    try:
        write_agent(member_file(folder, member.name), member.agent, state)
    except TypeError as error:
        raise member_raised(member, "save", None, error) from error
