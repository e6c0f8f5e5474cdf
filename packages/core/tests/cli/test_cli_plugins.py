"""``coterie plugins``."""

import json

import pytest

from coterie._cli.main import main
from coterie._cli.plugins import describe
from coterie._registry.entries import FailedPlugin, Source
from coterie._registry.manager import registry


@pytest.fixture(autouse=True)
def one_that_failed(made_envs, monkeypatch):
    source = Source(plugin="lost", distribution="lost-and-found", version="2.0")
    failed = FailedPlugin(source=source, reason="ImportError: gone", traceback="Traceback: line 1")
    monkeypatch.setattr(registry(), "_failed", [failed])


def test_everything_is_listed_with_where_it_is_from(capsys):
    assert main(["plugins"]) == 0
    out = capsys.readouterr().out
    for words in ("trainers", "sequential", "coterie-core", "raising", "this process", "testing"):
        assert words in out
    assert "lost (lost-and-found 2.0): ImportError: gone" in out
    assert "Traceback" not in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_debug_shows_why_a_plugin_failed(capsys):
    assert main(["plugins", "--debug"]) == 0
    assert "Traceback: line 1" in capsys.readouterr().out


def test_json(capsys):
    assert main(["plugins", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"sequential", "step"} <= {row["name"] for row in found["trainers"]}
    assert {"sum", "raising"} <= {row["name"] for row in found["agents"]}
    assert found["failed"][0]["traceback"] == "Traceback: line 1"


def test_what_is_missing_left_out_or_doubled():
    own = {"plugin": "a", "distribution": "one", "version": "1"}
    other = {"plugin": "b", "distribution": "two", "version": ""}
    found = {
        "trainers": [],
        "agents": [],
        "environments": [],
        "loggers": [],
        "controllers": [],
        "failed": [],
        "disabled": [other],
        "duplicates": [{"noun": "agent", "name": "x", "offered_by": [own, other], "kept": None}],
    }
    assert describe(found, tracebacks=False) == [
        *("trainers", "  none", "agents", "  none", "environments", "  none"),
        *("loggers", "  none", "controllers", "  none"),
        "left out by COTERIE_DISABLE_PLUGINS",
        "  b (two)",
        "offered more than once",
        "  agent x: one 1 and two; none can be used",
    ]
