"""Distributions on a path of their own, for the length of a test."""

import textwrap

import pytest


class Site:
    """A folder of packages on ``sys.path``."""

    def __init__(self, folder):
        self.folder = folder

    def add(self, module, code, *, dist=None):
        """Write a distribution with one module and one entry point."""
        dist = dist or module.replace("_", "-")
        (self.folder / f"{module}.py").write_text(textwrap.dedent(code))
        info = self.folder / f"{dist.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[coterie]\n{module} = {module}\n")


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.delenv("COTERIE_DISABLE_PLUGINS", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return Site(tmp_path)
