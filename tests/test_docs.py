"""Every hook has a page, and every public name stands in the reference."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from attrs import fields

from coterie._registry.manager import registry
from coterie.plugins import CoterieSpecs

DOCS = Path(__file__).parent.parent / "docs"
HOOKS = [name for name in vars(CoterieSpecs) if name.startswith("coterie_")]
FACES = (
    "coterie",
    "coterie.config",
    "coterie.islands",
    "coterie.plugins",
    "coterie.spaces",
    "coterie.testing",
    "coterie.transport",
    "coterie_agents",
    "coterie_backends_fused",
    "coterie_backends_mp",
    "coterie_backends_ray",
    "coterie_envs",
    "coterie_skrl",
    "coterie_evolution",
)
DIRECTIVE = re.compile(r"^\.\. (?:auto\w+|py:(?:data|type)):: ([\w.]+)$", re.MULTILINE)


def documented(folder: str) -> list[str]:
    """Full names that the pages of a folder document, in order, with repetitions."""
    pages = sorted((DOCS / folder).glob("*.md"))
    return [name for page in pages for name in DIRECTIVE.findall(page.read_text("utf-8"))]


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_has_a_page(hook: str) -> None:
    page = (DOCS / "plugins" / f"{hook}.md").read_text("utf-8")
    assert DIRECTIVE.findall(page) == [f"coterie.plugins.CoterieSpecs.{hook}"]
    assert getattr(CoterieSpecs, hook).__doc__


def test_no_page_describes_a_hook_that_is_gone() -> None:
    assert {page.stem for page in (DOCS / "plugins").glob("coterie_*.md")} == set(HOOKS)


@pytest.mark.parametrize("face", FACES)
def test_each_public_name_is_in_the_reference(face: str) -> None:
    elsewhere = import_module("coterie").__all__ if face.startswith("coterie.") else ()
    names = {f"{face}.{name}" for name in import_module(face).__all__ if name not in elsewhere}
    found = [name for name in documented("reference") if name.rpartition(".")[0] == face]
    assert sorted(found) == sorted(names)


def test_each_decision_is_in_the_list() -> None:
    index = (DOCS / "decisions" / "index.md").read_text("utf-8")
    records = {page.stem for page in (DOCS / "decisions").glob("0*.md")}
    assert records
    assert {name for name in records if name not in index} == set()


def test_each_logger_is_explained_with_its_settings() -> None:
    page = (DOCS / "watching.md").read_text("utf-8")
    offers = [offer.record for offer in registry().offers("logger") if offer.source.first_party]
    assert len(offers) >= 5
    for record in offers:
        assert f"| `{record.name}` |" in page
        assert record.install in page
        assert [f.name for f in fields(record.config) if f"`{f.name}`" not in page] == []
