"""``coterie envs``."""

import json

import pytest

from coterie import EnvAdapter
from coterie._cli import envs
from coterie._cli.main import main
from coterie._registry.manager import registry
from coterie.plugins import EnvPlugin, hookimpl


class Adapter(EnvAdapter):
    def make(self, env_id, **settings):
        raise NotImplementedError

    def ids(self):
        return ["Here-v0", "There-v1"]


class Offers:
    @hookimpl
    def coterie_envs(self):
        yield EnvPlugin(
            name="here", summary="made of json", loader=lambda: Adapter, needs=("json",)
        )
        yield EnvPlugin(
            name="gone",
            summary="made of nothing",
            loader=lambda: Adapter,
            needs=["json", "coterie_no_such_module.inner"],
            install="pip install nothing",
        )
        yield EnvPlugin(
            name="lost", summary="nobody says how", loader=lambda: Adapter, needs=("coterie_lost",)
        )


@pytest.fixture(autouse=True)
def offers(monkeypatch):
    ours = registry()
    for part in ("_offers", "_packages"):
        monkeypatch.setattr(ours, part, getattr(ours, part).copy())
    ours.register(Offers(), "envs-offers")
    yield
    ours._manager.unregister(name=next(k for k, _ in ours._manager.list_name_plugin()
                                       if "envs-offers" in k))  # fmt: skip


def test_what_is_installed_and_what_could_be(capsys):
    assert main(["envs"]) == 0
    out = capsys.readouterr().out
    here, _, gone = out.partition("not installed\n")
    assert "made of json" in here
    assert "made of nothing" not in here
    lines = [line.strip() for line in gone.splitlines()]
    assert lines[lines.index("pip install nothing") - 1].endswith("made of nothing")
    assert "install coterie_lost" in lines
    commands = ("pip install", "install ")  # these are copied, so they are never broken
    others = [line for line in out.splitlines() if not line.strip().startswith(commands)]
    assert all(len(line) <= 80 for line in others)


def test_json(capsys):
    assert main(["envs", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["here"]["installed"] is True
    assert rows["gone"]["missing"] == ["coterie_no_such_module.inner"]
    assert rows["gone"]["install"] == "pip install nothing"
    assert list(rows) == sorted(rows)


def test_kinds_of_packages_that_are_not_installed(monkeypatch):
    monkeypatch.setattr(registry(), "_offers", [])
    rows = {row["name"]: row for row in envs.kinds()}
    assert rows["gymnasium"]["install"] == "pip install coterie-envs"
    assert rows["gymnasium"]["installed"] is False
    assert envs.describe([])[:2] == ["installed", "  none"]


def test_ids_of_a_kind(capsys):
    assert main(["envs", "here"]) == 0
    assert capsys.readouterr().out == "here:Here-v0\nhere:There-v1\n"
    assert main(["envs", "here:there", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == ["here:There-v1"]
    assert main(["envs", "here:zzz"]) == 0
    assert "no id that contains 'zzz'" in capsys.readouterr().out


def test_an_unknown_kind(capsys):
    assert main(["envs", "heer"]) == 3
    assert "did you mean 'here'" in capsys.readouterr().err
