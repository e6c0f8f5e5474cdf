"""``coterie steer``: tell a run that is under way what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from attrs import frozen
from tyro.conf import Positional, arg

from .failures import FINE
from .options import Flag

_ABOUT = """Tell a run that is under way what to do. It does so between two timesteps.

  coterie steer runs/20261122-183000-CartPole-v1 pause
  coterie steer runs/20261122-183000-CartPole-v1 set ppo-s0 learning_rate=3e-4
  coterie steer runs/20261122-183000-CartPole-v1 stop ppo-s1
  coterie steer runs/20261122-183000-CartPole-v1 checkpoint
  coterie steer runs/20261122-183000-CartPole-v1 resume

What was done is recorded in lineage.jsonl of the run."""


@frozen(kw_only=True)
class Steer:
    """Tell a run that is under way what to do.

    Attributes:
        run_dir: Folder of the run.
        action: What to do: pause, resume, stop, set or checkpoint.
        arguments: Of stop: a member. Of set: a member, and settings such as learning_rate=3e-4.
        wait: Seconds to wait for the answer.
        debug: Show tracebacks.
    """

    about: ClassVar[str] = _ABOUT
    run_dir: Annotated[Positional[str], arg(name="run", metavar="RUN", help_behavior_hint="")]
    action: Annotated[
        Positional[Literal["pause", "resume", "stop", "set", "checkpoint"]],
        arg(metavar="COMMAND", help_behavior_hint=""),
    ]
    arguments: Annotated[
        Positional[tuple[str, ...]], arg(metavar="WORD", help_behavior_hint="")
    ] = ()
    wait: Annotated[float, arg(metavar="SECONDS")] = 60.0
    debug: Flag = False

    def run(self) -> int:
        """Leave the command, print the answer, and return the exit code.

        Raises:
            ConfigError: The command makes no sense, no run is under way, or it was refused.
        """
        from .._errors import ConfigError
        from .._steering.commands import make_command
        from .._steering.mailbox import post, wait
        from .values import parse_single

        member, assignments = (*self.arguments[:1], "")[0], self.arguments[1:]
        settings = parse_single("set", assignments) if assignments else None
        command = make_command(self.action, member, settings)
        run = Path(self.run_dir)
        require_under_way(run)
        answer = wait(run, post(run, command), self.wait)
        if answer is None:
            raise ConfigError(
                f"{run} did not answer within {self.wait:g} seconds; the command was withdrawn. "
                "A timestep may take longer than that: --wait waits for it"
            )
        if not answer.done:
            raise ConfigError(answer.text)
        print(answer.text)
        return FINE


def require_under_way(run: Path) -> None:
    """Check that somebody works on a run.

    Raises:
        ConfigError: There is no such run, or it has ended, or its process was killed.
    """
    from .._checkpoints.disk import is_locked
    from .._errors import ConfigError
    from .._report.plain import read_object

    about = read_object(run / "run.json") if run.is_dir() else None
    if about is None:
        raise ConfigError(f"{run} holds no run")
    status = about.get("status")
    if status != "running":
        raise ConfigError(f"{run} is not under way: it is {status}")
    if not is_locked(run):
        raise ConfigError(
            f"{run} is not under way: nobody works on it, it was probably killed; to go on: "
            f"coterie resume {run}"
        )
