"""Trials of trainers: those that work, and those that hang, crash, cheat or do nothing."""

import json
import os
import signal

import pytest

from coterie import ConfigError, SequentialTrainer, StepTrainer
from coterie._cli.doctor import code, content
from coterie._cli.main import main
from coterie._doctor import trial
from coterie._doctor.child import Outcome, run_child
from coterie._doctor.examine import guarded
from coterie._doctor.finding import Finding
from coterie._doctor.text import conclude, describe
from coterie._doctor.trainers import check_trainers, judge_trial
from coterie._registry.manager import register, reset_registry
from coterie.plugins import TrainerPlugin, hookimpl

TRAINER = """
    import os, signal, subprocess, sys, time
    from coterie import TrainerCfg
    from coterie.plugins import TrainerPlugin, hookimpl

    def loader():
        {body}

    @hookimpl
    def coterie_trainers():
        yield TrainerPlugin(name="{name}", summary="odd", config=TrainerCfg, loader=loader)
"""


class Forgetful(SequentialTrainer):
    """Says that it trained, and did not."""

    kind = "forgetful"
    equal_to_sequential = False

    def train(self):
        return None


class Cheating(SequentialTrainer):
    """Promises equal bits, and adds a little."""

    kind = "cheating"

    def train(self):
        summary = super().train()
        for agent in self.agents:
            agent.generator.manual_seed(99)
        return summary


class Demanding(SequentialTrainer):
    """Needs a setting."""

    kind = "demanding"

    def check_settings(self):
        raise ConfigError("cluster: give an address")


@pytest.fixture
def trainers(made_envs):
    class Plugin:
        @hookimpl
        def coterie_trainers(self):
            for cls in (Forgetful, Cheating, Demanding):
                yield TrainerPlugin(
                    name=cls.kind, summary="", config=cls.config_class, loader=lambda c=cls: c
                )

    register(Plugin(), "trainers of the tests")


def tried(name):
    return judge_trial(name, Outcome(answer=trial.try_trainer(name, 0.01)))


@pytest.mark.parametrize("name", ["sequential", "step"])
def test_trainers_of_core_train_and_repeat_their_bits(trainers, name):
    found = tried(name)
    assert found.verdict == "ok"
    assert found.facts["equal"] is found.facts["learned"] is True
    assert found.facts["timesteps"] == 128
    assert found.facts["speed"] > 0
    assert ("step by step" in found.value) == (name == "step")


def test_agents_of_core_take_part_where_no_others_are_installed(trainers, monkeypatch):
    names = trial.registry().names
    monkeypatch.setattr(
        trial.registry(), "names", lambda noun: [] if noun != "trainer" else names(noun)
    )
    found = tried("sequential")
    assert found.verdict == "ok"
    assert "2 sum on testing:Counting, 16 instances" in found.facts["what"]


def test_a_trainer_that_breaks_its_promise_is_found_out(trainers):
    found = tried("cheating")
    assert found.verdict == "problem"
    assert "other bits than sequential" in found.value


def test_a_trainer_that_does_nothing_is_found_out(trainers):
    found = tried("forgetful")
    assert found.verdict == "problem"
    assert "learned nothing" in found.value


def test_a_trainer_that_needs_settings_is_only_noted(trainers, capsys):
    assert trial.main(["demanding", "0.01"]) == 0
    refused = json.loads(capsys.readouterr().out.split("answer: ")[1])
    found = judge_trial("demanding", Outcome(answer=refused))
    assert found.verdict == "note"
    assert "give an address" in found.value


def test_a_trainer_that_steps_is_driven(monkeypatch):
    calls = []
    monkeypatch.setattr(StepTrainer, "train", lambda self: calls.append(1))
    trial._train_chunk(object.__new__(StepTrainer))
    assert len(calls) == 64


def child(site, monkeypatch, body, limit):
    """Try, in a process of its own, a trainer whose loader does something odd."""
    site.add("odd_trainer", TRAINER.replace("{body}", body).replace("{name}", "odd"))
    monkeypatch.setenv("PYTHONPATH", str(site.folder), prepend=":")
    outcome = run_child("trial", ["odd", "0.1", str(limit)], limit)
    return judge_trial("odd", outcome)


def test_a_hang_is_a_finding(site, monkeypatch):
    found = child(site, monkeypatch, "time.sleep(600)", 1)
    assert found.verdict == "problem"
    assert found.value == "hung: not over after 1 s"


def test_a_crash_is_a_finding_with_the_name_of_the_signal(site, monkeypatch):
    found = child(site, monkeypatch, "os.kill(os.getpid(), signal.SIGKILL)", 60)
    assert found.verdict == "problem"
    assert "SIGKILL" in found.value
    assert "out of memory" in found.advice


def test_an_exit_is_a_finding_with_what_was_printed(site, monkeypatch):
    found = child(site, monkeypatch, "print('gone fishing', file=sys.stderr); os._exit(7)", 60)
    assert "exit code 7: gone fishing" in found.value
    assert "gone fishing" in found.facts["output"]


def test_what_stays_behind_with_the_output_open_is_a_finding(tmp_path, monkeypatch):
    package = tmp_path / "odd_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "leaving.py").write_text(
        "import pathlib, subprocess, sys\n"
        "left = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        "pathlib.Path(sys.argv[1]).write_text(str(left.pid))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    monkeypatch.setattr("coterie._doctor.child.__package__", "odd_package")
    monkeypatch.setattr("coterie._doctor.child._AFTER_KILL", 0.2)
    outcome = run_child("leaving", [str(tmp_path / "pid")], 3)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert outcome.failure == "left a process behind: not over after 3 s"


def test_every_trainer_is_tried_with_a_limit(trainers):
    asked = []

    def run(module, arguments, seconds):
        asked.append((module, arguments[0], seconds))
        return Outcome(answer=None, failure="hung")

    findings = list(check_trainers(12.0, run))
    assert [finding.verdict for finding in findings] == ["problem"] * len(asked)
    assert {("trial", "sequential", 12.0), ("trial", "cheating", 12.0)} <= set(asked)


def finding(section="limits", verdict="ok", advice=""):
    return Finding(section=section, name="x", value="y", verdict=verdict, advice=advice)


@pytest.mark.parametrize(
    ("problems", "expected"),
    [
        ([], 0),
        (["limits"], 2),
        (["machine", "cuda"], 2),
        (["versions", "plugins"], 3),
        (["plugins", "trainers", "limits"], 5),
    ],
)
def test_exit_codes(problems, expected):
    found = [finding("plugins", "note"), *(finding(section, "problem") for section in problems)]
    assert code(found) == content(found)["exit_code"] == expected
    assert content(found)["problems"] == len(problems)


def test_what_is_broken_comes_first_in_the_advice():
    found = [
        finding(verdict="note", advice="do that"),
        finding(verdict="problem", advice="do this"),
        finding(),
    ]
    assert conclude(found).splitlines() == [
        "What to change",
        "  1. do this",
        "  2. do that (if it matters to you)",
    ]
    assert conclude([finding()]) == "Nothing needs to be changed."


def test_lines_fit_a_terminal():
    long = Finding(section="limits", name="name " * 9, value="value " * 40, verdict="problem")
    lines = describe(long).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("  problem  name")
    assert all(line.startswith(" " * 11) for line in lines[1:])


def test_a_check_that_fails_is_a_finding_itself():
    def check_odd():
        raise OSError("no such file")

    (found,) = guarded("limits", check_odd)
    assert (found.name, found.verdict) == ("odd", "note")
    assert "OSError: no such file" in found.value


def test_the_command_prints_text_or_json(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("COTERIE_DISABLE_PLUGINS", "all")
    monkeypatch.delenv("COTERIE_DEBUG", raising=False)
    reset_registry()
    expected = main(["doctor", "--no-trials"])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "machine\n" in out
    assert main(["doctor", "--no-trials", "--json"]) == expected
    found = json.loads(capsys.readouterr().out)
    assert found["format"] == 1
    assert found["exit_code"] == expected
    keys = [(row["section"], row["name"]) for row in found["findings"]]
    assert len(set(keys)) == len(keys)
    assert ("machine", "cores") in keys
    assert "trainers" not in dict(keys)
    assert list(tmp_path.iterdir()) == []
    reset_registry()
