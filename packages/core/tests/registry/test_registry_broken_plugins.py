"""A broken plugin is remembered with its reason and hurts only who asks for it."""

import logging
import subprocess
import sys

import pytest

from coterie import PluginError, PluginNotFound

HEAD = """
    from attrs import frozen
    from coterie.plugins import AgentPlugin, hookimpl

    @frozen(kw_only=True)
    class Cfg:
        pass
"""


def offering(body):
    return HEAD + "\n    @hookimpl\n    def coterie_agents():\n        " + body + "\n"


BROKEN = {
    "import_error": ("import a_module_that_is_not_there", "ModuleNotFoundError"),
    "syntax_error": ("def broken(:\n    pass", "SyntaxError"),
    "system_exit": ("import sys\nsys.exit(3)", "SystemExit: 3"),
    "keyboard_interrupt": ("raise KeyboardInterrupt('from the plugin')", "KeyboardInterrupt: from"),
    "memory_error": ("raise MemoryError", "MemoryError"),
    "no_hook": ("def coterie_agents(): return []", "implements no hook"),
    "unknown_hook": (
        "from coterie.plugins import hookimpl\n@hookimpl\ndef coterie_agent(): return []",
        "unknown hook 'coterie_agent'",
    ),
    "wrong_signature": (
        "from coterie.plugins import hookimpl\n@hookimpl\ndef coterie_run_started(runs): pass",
        "{'runs'}",
    ),
    "a_wrapper": (
        "from coterie.plugins import hookimpl\n@hookimpl(wrapper=True)\n"
        "def coterie_agents():\n    return (yield)",
        "coterie_agents is a wrapper",
    ),
    "hook_raises": (offering("raise OSError('no licence server')"), "OSError: no licence server"),
    "generator_raises": (offering("yield 1 / 0"), "ZeroDivisionError"),
    "returns_none": (offering("pass"), "got None"),
    "one_record": (
        offering("return AgentPlugin(name='x', summary='', config=Cfg, loader=dict)"),
        "in a list or with yield",
    ),
    "a_text": (offering("return 'ppo'"), "got 'ppo'"),
    "a_number": (offering("return 3"), "got 3"),
    "not_a_record": (offering("return [dict(name='x')]"), "AgentPlugin records, got {'name': 'x'}"),
    "invalid_name": (
        offering("yield AgentPlugin(name='My Agent', summary='', config=Cfg, loader=dict)"),
        "lower-case letters",
    ),
    "no_attrs_class": (
        offering("yield AgentPlugin(name='x', summary='', config=dict, loader=dict)"),
        "config must be an attrs class",
    ),
    "loader_is_no_function": (
        offering("yield AgentPlugin(name='x', summary='', config=Cfg, loader=3)"),
        "loader",
    ),
    "twice": (
        offering(
            "return [AgentPlugin(name='x', summary='', config=Cfg, loader=dict) for _ in 'ab']"
        ),
        "offers 'x' twice",
    ),
    "trainer_settings": (
        HEAD + "\n    from coterie.plugins import TrainerPlugin\n    @hookimpl\n"
        "    def coterie_trainers():\n"
        "        yield TrainerPlugin(name='x', summary='', config=Cfg, loader=dict)\n",
        "must be a subclass of TrainerCfg",
    ),
    "newer_interface": ("coterie_api_version = 99", "needs version 99 of the plugin interface"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_remembered_with_its_reason(site, kind, caplog):
    code, reason = BROKEN[kind]
    site.add(f"broken_{kind}", code, version="2.3")
    with caplog.at_level(logging.WARNING, logger="coterie"):
        failure = site.failure(f"broken_{kind}")
    assert reason in failure.reason
    assert "\n" not in failure.reason
    lines = [r.getMessage() for r in caplog.records if f"broken_{kind}" in r.getMessage()]
    dist = f"broken-{kind.replace('_', '-')}"
    assert lines == [f"plugin 'broken_{kind}' ({dist} 2.3) was not loaded: {failure.reason}"]


def test_of_nine_distributions_six_are_broken_and_three_load(site):
    for name in ("alpha", "beta", "gamma"):
        site.good(f"nine_{name}")
    kinds = ("import_error", "syntax_error", "system_exit", "keyboard_interrupt")
    for kind in (*kinds, "unknown_hook", "newer_interface"):
        site.add(f"nine_{kind}", BROKEN[kind][0])
    registry = site.load()
    names = [name for name in registry.names("agent") if name.startswith("nine_")]
    assert names == ["nine_alpha", "nine_beta", "nine_gamma"]
    failed = {f.source.plugin for f in registry.failed if f.source.plugin.startswith("nine_")}
    assert failed == {f"nine_{kind}" for kind in (*kinds, "unknown_hook", "newer_interface")}
    assert registry.find("trainer", "sequential").source.distribution == "coterie-core"


def test_the_failure_is_raised_when_the_plugin_is_asked_for(site):
    site.add("asked_for", "1 / 0", dist="asked-for-dist")
    registry = site.load()
    for name in ("asked_for", "asked-for-dist"):
        with pytest.raises(PluginError, match="ZeroDivisionError") as caught:
            registry.find("agent", name)
        assert not isinstance(caught.value, PluginNotFound)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_name_that_nobody_offers_mentions_the_failed_plugins(site):
    site.add("might_have_it", "1 / 0")
    with pytest.raises(PluginNotFound, match=r"'might_have_it' \(might-have-it 1.0\) was not load"):
        site.load().find("agent", "something-else")


def test_the_traceback_is_kept(site):
    site.add("with_story", "def inner():\n    raise OSError('deep')\ninner()")
    assert "in inner" in site.failure("with_story").traceback


def test_nothing_of_a_refused_plugin_stays_behind(site):
    site.add(
        "half_right",
        """
        from coterie.plugins import hookimpl
        calls = []

        @hookimpl
        def coterie_run_started(run):
            calls.append(run)

        @hookimpl
        def coterie_zzz_unknown():
            pass
        """,
    )
    registry = site.load()
    registry.emit("coterie_run_started", run="a run")
    assert sys.modules["half_right"].calls == []
    site.good("comes_later")
    assert "comes_later" in site.load().names("agent")


def test_a_distribution_with_damaged_entry_points_does_not_hide_the_others(site):
    site.good("unharmed")
    damaged = site.folder / "damaged-1.0.dist-info"
    damaged.mkdir()
    (damaged / "METADATA").write_text("Metadata-Version: 2.1\nName: damaged\nVersion: 1.0\n")
    (damaged / "entry_points.txt").write_text("[console_scripts]\nno equals sign\n")
    registry = site.load()
    assert "unharmed" in registry.names("agent")
    assert "sequential" in registry.names("trainer")


def test_two_entry_points_of_one_module_count_once(site):
    site.good("one_module")
    info = site.folder / "other_dist-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-dist\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[coterie]\nagain = one_module\n")
    registry = site.load()
    assert "one_module" in registry.names("agent")
    assert [f.reason for f in registry.failed if f.source.plugin == "again"] == [
        "one_module is registered already, as one-module:one_module"
    ]


INTERRUPTED = {
    "signal_while_importing": """
        import os, signal, time
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)
    """,
    "signal_made_an_import_error": """
        import os, signal, time
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        except KeyboardInterrupt:
            raise ImportError("given up")
    """,
    "signal_raised_again": """
        import os, signal, time
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("again") from None
    """,
    "signal_made_an_exit": """
        import os, signal, sys, time
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        except KeyboardInterrupt:
            sys.exit(0)
    """,
}

PROGRAM = """
import signal
from coterie._registry.manager import registry

def handler(number, frame):
    raise KeyboardInterrupt("by a handler")

if {own_handler}:
    signal.signal(signal.SIGINT, handler)
else:
    signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    registry()
except KeyboardInterrupt:
    print("interrupted")
else:
    print("went on")
"""


def run_program(site, own_handler):
    code = f"import sys; sys.path.insert(0, {str(site.folder)!r})\n" + PROGRAM.format(
        own_handler=own_handler
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("kind", INTERRUPTED)
def test_a_real_interrupt_is_never_swallowed(site, kind):
    site.add(f"real_{kind}", INTERRUPTED[kind])
    assert run_program(site, own_handler=False) == "interrupted"


def test_an_interrupt_that_the_program_s_own_handler_raises_is_real(site):
    site.add("real_own_handler", INTERRUPTED["signal_while_importing"])
    assert run_program(site, own_handler=True) == "interrupted"


def test_an_interrupt_that_the_plugin_raises_is_survived(site):
    site.add("acts_up", "def inner():\n    raise KeyboardInterrupt\ninner()")
    assert run_program(site, own_handler=False) == "went on"
