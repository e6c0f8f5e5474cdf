"""Looking names up: who gets a name, and what an unknown one is answered with."""

import json
import subprocess
import sys
from importlib import metadata

import pytest

from coterie import Agent, ConfigError, PluginError, PluginNotFound
from coterie._registry import manager as manager_module
from coterie._registry.manager import registry, reset_registry


def test_two_distributions_with_one_name_neither_wins(site, caplog):
    site.good("first_dist", "same", version="1.0")
    site.good("second_dist", "same", version="2.0")
    found = site.load()
    with pytest.raises(PluginError, match=r"first-dist 1\.0 and second-dist 2\.0"):
        found.find("agent", "same")
    assert "same" not in found.names("agent")
    assert "first-dist 1.0 and second-dist 2.0" in caplog.text


def test_leaving_one_of_two_out_settles_it(site, monkeypatch):
    site.good("first_dist", "same")
    site.good("second_dist", "same")
    monkeypatch.setenv("COTERIE_DISABLE_PLUGINS", "First_Dist")
    assert site.load().find("agent", "same").source.distribution == "second-dist"


def test_a_first_party_name_is_never_overridden(site, caplog):
    site.add(
        "usurper",
        """
        from coterie import TrainerCfg
        from coterie.plugins import TrainerPlugin, hookimpl

        @hookimpl
        def coterie_trainers():
            for name in ("sequential", "usurper"):
                yield TrainerPlugin(name=name, summary="mine", config=TrainerCfg, loader=dict)
        """,
    )
    found = site.load()
    assert found.find("trainer", "sequential").source.distribution == "coterie-core"
    assert found.find("trainer", "usurper").source.distribution == "usurper"
    assert "that of coterie-core" in caplog.text
    rows = [row for row in found.listing()["trainers"] if row["name"] == "sequential"]
    assert [row["distribution"] for row in rows] == ["coterie-core"]


def test_one_name_for_two_nouns_is_no_conflict(site):
    site.good("as_agent", "both")
    site.add(
        "as_env",
        """
        from coterie.plugins import EnvPlugin, hookimpl

        @hookimpl
        def coterie_envs():
            yield EnvPlugin(name="both", summary="", loader=dict)
        """,
    )
    found = site.load()
    assert found.find("agent", "both").source.plugin == "as_agent"
    assert found.find("environment", "both").source.plugin == "as_env"


@pytest.mark.parametrize("words", ["out_a", "out-a", "Out.A", " other , out_a ", "all"])
def test_plugins_can_be_left_out(site, monkeypatch, words):
    site.good("out_a", dist="out-a")
    monkeypatch.setenv("COTERIE_DISABLE_PLUGINS", words)
    found = site.load()
    assert "out_a" not in found.names("agent")
    assert "sequential" in found.names("trainer")
    assert [source.plugin for source in found.disabled if source.plugin == "out_a"] == ["out_a"]
    with pytest.raises(PluginNotFound, match=r"left out by COTERIE_DISABLE_PLUGINS: .*'out_a'"):
        found.find("agent", "out_a")


def test_left_out_plugins_are_not_even_imported(site, monkeypatch):
    site.add("never_imported", "1 / 0")
    monkeypatch.setenv("COTERIE_DISABLE_PLUGINS", "never_imported")
    found = site.load()
    assert "never_imported" not in sys.modules
    assert "never_imported" not in {f.source.plugin for f in found.failed}


def test_an_unknown_name_is_answered_with_near_names_and_what_is_installed(site):
    site.good("hill_climber")
    with pytest.raises(PluginNotFound, match="did you mean 'hill_climber'") as caught:
        site.load().find("agent", "hil_climber")
    assert "installed agents: " in str(caught.value)


@pytest.mark.parametrize(
    ("noun", "name", "home"),
    [
        ("trainer", "parallel", "coterie-backends-mp"),
        ("trainer", "fused", "coterie-backends-fused"),
        ("trainer", "ray", "coterie-backends-ray"),
        ("agent", "ppo", "coterie-agents"),
        ("agent", "sac", "coterie-agents"),
        ("environment", "gymnasium", "coterie-envs"),
        ("environment", "torch", "coterie-envs"),
    ],
)
def test_a_first_party_name_is_answered_with_the_package_to_install(monkeypatch, noun, name, home):
    def version(distribution):
        raise metadata.PackageNotFoundError(distribution)

    monkeypatch.setattr(metadata, "version", version)
    with pytest.raises(PluginNotFound, match=f"pip install {home}$|pip install {home}\n"):
        manager_module.Registry().find(noun, name)


def test_a_near_first_party_name_is_answered_with_its_package_too(monkeypatch):
    def version(distribution):
        raise metadata.PackageNotFoundError(distribution)

    monkeypatch.setattr(metadata, "version", version)
    with pytest.raises(PluginNotFound, match=r"did you mean 'fused'\?; .*coterie-backends-fused"):
        manager_module.Registry().find("trainer", "fussed")


def test_a_package_that_is_installed_already_is_not_asked_to_be_installed():
    with pytest.raises(PluginNotFound, match=r"coterie-core .* is installed but does not offer"):
        manager_module.Registry().find("trainer", "sequential")


def test_a_name_that_is_no_text_is_refused():
    with pytest.raises(ConfigError, match="the name of an agent must be a text, got 3"):
        manager_module.Registry().find("agent", 3)


def test_the_class_is_loaded_and_checked(site):
    site.good("gives_object")
    with pytest.raises(PluginError, match=r"must return a subclass of coterie.Agent, got <class"):
        site.load().load("agent", "gives_object")


def test_the_loader_s_error_names_plugin_and_distribution(site):
    site.add(
        "needs_more",
        """
        from attrs import frozen
        from coterie.plugins import AgentPlugin, hookimpl

        @frozen
        class Cfg: pass

        def load():
            import a_simulator_that_is_not_there

        @hookimpl
        def coterie_agents():
            yield AgentPlugin(name="needs-more", summary="", config=Cfg, loader=load)
        """,
        version="4.5",
    )
    with pytest.raises(PluginError, match=r"'needs_more' \(needs-more 4.5\) can't be loaded: Mod"):
        site.load().load("agent", "needs-more")


class InProcess:
    """A plugin object with one agent."""

    def __init__(self, name, cls=Agent):
        from coterie import AgentCfg
        from coterie.plugins import AgentPlugin, hookimpl

        record = AgentPlugin(name=name, summary="", config=AgentCfg, loader=lambda: cls)
        self.coterie_agents = hookimpl(lambda: [record])


def test_objects_can_be_registered_and_replaced():
    found = manager_module.Registry()
    found.register(InProcess("first"), name="cell")
    assert found.load("agent", "first") is Agent
    found.register(InProcess("second"), name="cell")
    assert found.names("agent") == ["second"]


def test_registering_refuses_a_name_that_is_taken():
    found = manager_module.Registry()
    found.register(InProcess("mine"), name="one")
    with pytest.raises(PluginError, match="'two' offers the agent 'mine', which this process"):
        found.register(InProcess("mine"), name="two")
    assert found.names("agent") == ["mine"]


def test_registering_something_broken_raises_at_once_and_keeps_the_old_one():
    found = manager_module.Registry()
    found.register(InProcess("mine"), name="one")
    with pytest.raises(PluginError, match="implements no hook"):
        found.register(object(), name="one")
    assert found.names("agent") == ["mine"]


def test_the_listing_is_plain_data(site, monkeypatch):
    site.good("in_list", version="7.1")
    site.add("bad_one", "1 / 0")
    site.good("dup_a", "dup")
    site.good("dup_b", "dup")
    site.good("left_one")
    monkeypatch.setenv("COTERIE_DISABLE_PLUGINS", "left_one")
    plain = json.loads(json.dumps(site.load().listing()))
    assert set(plain) == {
        *("agents", "controllers", "disabled", "duplicates", "environments", "failed"),
        *("loggers", "trainers"),
    }
    where = {"plugin": "in_list", "distribution": "in-list", "version": "7.1"}
    assert {"name": "in_list", "summary": "an agent", **where} in plain["agents"]
    (bad,) = [row for row in plain["failed"] if row["plugin"] == "bad_one"]
    assert bad["reason"] == "ZeroDivisionError: division by zero"
    assert "Traceback" in bad["traceback"]
    (left,) = [row for row in plain["disabled"] if row["plugin"] == "left_one"]
    assert left["distribution"] == "left-one"
    (dup,) = [row for row in plain["duplicates"] if row["name"] == "dup"]
    assert [source["plugin"] for source in dup["offered_by"]] == ["dup_a", "dup_b"]
    assert dup["kept"] is None


def test_the_process_has_one_registry_until_it_is_reset(monkeypatch):
    monkeypatch.setattr(manager_module, "_current", None)
    first = registry()
    assert registry() is first
    reset_registry()
    assert registry() is not first


def test_a_plugin_that_asks_for_the_registry_while_it_is_imported_gets_the_unfinished_one(
    site, monkeypatch
):
    site.add(
        "asks_early",
        """
        from coterie.plugins import hookimpl
        from coterie._registry.manager import registry
        seen = registry()

        @hookimpl
        def coterie_agents():
            return []
        """,
    )
    monkeypatch.setattr(manager_module, "_current", None)
    assert registry() is sys.modules["asks_early"].seen


def test_listing_plugins_imports_neither_torch_nor_gymnasium(site):
    site.good("light")
    code = f"""
import sys
sys.path.insert(0, {str(site.folder)!r})
import coterie, coterie.plugins
from coterie._registry.manager import registry
names = [row["name"] for row in registry().listing()["agents"]]
assert "light" in names, names
heavy = {{"torch", "gymnasium", "cattrs", "numpy"}} & set(sys.modules)
print(sorted(heavy))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
