"""The entry point of the command line."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any

import tyro

from .checkpoint import CheckpointCommand
from .doctor import Doctor
from .envs import Envs
from .evaluate import Eval
from .failures import debugging, plain_warnings, tell
from .plugins import Plugins
from .report import ReportOnRuns
from .resume import Resume
from .steer import Steer
from .train import Train

COMMANDS: dict[str, Any] = {
    "train": Train,
    "resume": Resume,
    "steer": Steer,
    "eval": Eval,
    "report": ReportOnRuns,
    "checkpoint": CheckpointCommand,
    "envs": Envs,
    "plugins": Plugins,
    "doctor": Doctor,
}
_CONFIG = (tyro.conf.DisallowNone,)
_DESCRIPTION = """Train a population of reinforcement-learning agents in one environment.

  coterie train gymnasium:CartPole-v1 --members 4 --timesteps 10000
  coterie train --experiment experiment.toml
  coterie resume runs/20261122-183000-CartPole-v1
  coterie steer runs/20261122-183000-CartPole-v1 pause
  coterie eval runs/20261122-183000-CartPole-v1
  coterie report runs/20261122-183000-CartPole-v1
  coterie checkpoint inspect runs/20261122-183000-CartPole-v1
  coterie envs
  coterie plugins
  coterie doctor
  coterie --version

Exit codes:
  0 fine, 1 bug, 2 configuration, 3 plugin, 4 trained state, 5 member or worker,
  6 environment, 130 and 143 signals"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments, without the program's name; ``None``: those of the process.

    Returns:
        The exit code.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] in (["--version"], ["-V"]):
        return _print_version()
    try:
        command = parse(arguments)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 2
    try:
        with plain_warnings(debugging(command.debug)):
            return int(command.run())
    except BrokenPipeError:  # who reads our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except (Exception, KeyboardInterrupt) as error:
        return tell(error, debugging(command.debug))


def parse(arguments: Sequence[str]) -> Any:
    """Turn arguments into the options of a command.

    Raises:
        SystemExit: Help was asked for (0), or the arguments are wrong (2); the text was printed.
    """
    if arguments and arguments[0] in COMMANDS:
        name, *rest = arguments
        command = COMMANDS[name]
        return tyro.cli(
            command, prog=f"coterie {name}", description=command.about, args=rest, config=_CONFIG
        )
    with redirect_stdout(_Narrow(sys.stdout)):
        return tyro.extras.subcommand_cli_from_dict(
            COMMANDS, prog="coterie", description=_DESCRIPTION, args=list(arguments), config=_CONFIG
        )


class _Narrow:
    """Writes to a stream, with one word for the list of all commands, which no terminal holds."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text."""
        written: int = self._stream.write(text.replace(f"{{{','.join(COMMANDS)}}}", "COMMAND"))
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _print_version() -> int:
    from importlib.metadata import version

    print(f"coterie {version('coterie-core')}")
    return 0
