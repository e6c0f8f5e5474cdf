"""Starting the command line: versions, help, and what is not imported for it."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from coterie._cli.main import COMMANDS, main

HEAVY = ("torch", "gymnasium", "numpy", "matplotlib", "safetensors", "tqdm")


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"coterie {version('coterie-core')}\n"


@pytest.mark.parametrize("arguments", [[], *[[name] for name in COMMANDS]])
def test_help_fits_a_terminal_and_has_an_example(arguments, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*arguments, "--help"]) == 0
    out = capsys.readouterr().out
    assert all(len(line) <= 81 for line in out.splitlines())
    assert f"  coterie {' '.join(arguments)}" in out


def test_help_and_the_parser_import_nothing_heavy():
    code = (
        "import sys\n"
        "from coterie._cli.main import main, parse\n"
        "assert main(['--help']) == 0 and main(['train', '--help']) == 0\n"
        "parse(['train', 'a:b', '--members', '4', '--set', 'x=1'])\n"
        f"print('heavy:', [name for name in {HEAVY} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy: []"


def test_experiments_are_read_and_plugins_listed_without_torch():
    code = (
        "import sys, coterie\n"
        "coterie.Experiment(environment=coterie.EnvironmentSpec(id='a:b', num_envs=1),"
        " members=[coterie.MemberSpec(agent='x')])\n"
        "from coterie._cli.main import main\n"
        "assert main(['plugins', '--json']) == 0\n"
        "assert main(['train', 'nowhere:X', '--agent', 'nobody']) == 3\n"
        "print('torch' in sys.modules)\n"
    )
    environment = {"COTERIE_DISABLE_PLUGINS": "all"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.splitlines()[-1] == "False"


def test_python_m_coterie_ends_with_the_exit_code(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "coterie", "eval", "nothing"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "error: there is no run nothing\n"
