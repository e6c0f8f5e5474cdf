"""Distributions made of a module and a .dist-info folder, for the length of a test."""

import sys
import textwrap

import pytest

from coterie._registry.manager import Registry

GOOD = """
    from attrs import frozen
    from coterie.plugins import AgentPlugin, hookimpl

    @frozen(kw_only=True)
    class Cfg:
        speed: float = 1.0

    @hookimpl
    def coterie_agents():
        return [AgentPlugin(name="{name}", summary="an agent", config=Cfg, loader=lambda: object)]
"""


class Site:
    """A folder of packages on sys.path."""

    def __init__(self, folder):
        self.folder = folder

    def add(self, module, code, *, dist=None, version="1.0", entry_point=None):
        """Write a distribution with one module and one entry point; return its module's name."""
        dist = dist or module.replace("_", "-")
        (self.folder / f"{module}.py").write_text(textwrap.dedent(code))
        info = self.folder / f"{dist.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[coterie]\n{entry_point or module} = {module}\n")
        return module

    def good(self, module, name=None, **more):
        """Write a distribution that offers one agent."""
        return self.add(module, GOOD.replace("{name}", name or module), **more)

    def load(self):
        """Make a registry of everything that is installed."""
        registry = Registry()
        registry.load_installed()
        return registry

    def failure(self, plugin):
        """Return the reason why a plugin was not loaded."""
        found = [f for f in self.load().failed if f.source.plugin == plugin]
        assert len(found) == 1, found
        return found[0]


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.delenv("COTERIE_DISABLE_PLUGINS", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield Site(tmp_path)
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
