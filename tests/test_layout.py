"""The distributions have one shape and one version, and depend on each other one way."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
WITH_CODE = [folder for folder in FOLDERS if (folder / "src").exists()]
MAY_IMPORT = {
    "coterie": set(),
    "coterie_agents": {"coterie"},
    "coterie_backends_fused": {"coterie"},
    "coterie_backends_mp": {"coterie"},
    "coterie_backends_ray": {"coterie"},
    "coterie_envs": {"coterie"},
    "coterie_skrl": {"coterie"},
    "coterie_evolution": {"coterie"},
}


def project(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements(folder: Path) -> list[str]:
    """What a distribution and its extras depend on."""
    extras = project(folder).get("optional-dependencies", {}).values()
    return [*project(folder)["dependencies"], *(text for extra in extras for text in extra)]


def package(folder: Path) -> Path:
    (found,) = (path.parent for path in (folder / "src").glob("*/__init__.py"))
    return found


def imported(file: Path) -> set[str]:
    """Names of the modules that a file imports, wherever in it, but for relative imports."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(str(node.module))
    return names


def top(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def test_the_workspace_has_its_packages() -> None:
    names = {project(folder)["name"] for folder in FOLDERS}
    assert names >= {
        "coterie",
        *(
            f"coterie-{n}"
            for n in (
                "agents",
                "backends-fused",
                "backends-mp",
                "backends-ray",
                "core",
                "envs",
                "evolution",
            )
        ),
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_siblings_are_pinned_to_the_one_version(folder: Path) -> None:
    version = (ROOT / "VERSION").read_text(encoding="utf-8").strip()
    about = project(folder)
    assert "version" not in about
    assert about["dynamic"] == ["version"]
    pins = [text for text in requirements(folder) if text.startswith("coterie")]
    assert [text for text in pins if not text.endswith(f"=={version}")] == []
    if about["name"] != "coterie-core":
        assert any(text.startswith("coterie-core==") for text in pins)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_each_dependency_has_a_lowest_version(folder: Path) -> None:
    names = {re.split(r"[<>=\[]", text)[0] for text in requirements(folder)}
    bounded = {re.split(r"[<>=\[]", text)[0] for text in requirements(folder) if "=" in text}
    assert names == bounded


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_each_distribution_says_what_it_is(folder: Path) -> None:
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert len((folder / "README.md").read_text(encoding="utf-8").splitlines()) > 5
    assert project(folder)["requires-python"] == ">=3.11"


@pytest.mark.parametrize("folder", WITH_CODE, ids=lambda folder: folder.name)
def test_each_package_is_typed_and_tested(folder: Path) -> None:
    assert (package(folder) / "py.typed").exists()
    assert list((folder / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("folder", WITH_CODE, ids=lambda folder: folder.name)
def test_dependencies_run_one_way(folder: Path) -> None:
    root = package(folder)
    names = {name for file in root.rglob("*.py") for name in imported(file)}
    assert top(names) & set(MAY_IMPORT) - {root.name} <= MAY_IMPORT[root.name]
    assert not {name for name in names if name.startswith("coterie._")}, "a private module of core"


@pytest.mark.parametrize("folder", WITH_CODE, ids=lambda folder: folder.name)
def test_everything_that_is_imported_is_declared(folder: Path) -> None:
    names = {re.split(r"[<>=\[]", text)[0] for text in requirements(folder)}
    declared = {name.replace("-", "_") for name in names}
    modules = {"attr" if name == "attrs" else name for name in declared}
    modules |= {"yaml"} if "pyyaml" in declared else set()
    modules |= {"coterie"} if "coterie_core" in declared else set()
    root = package(folder)
    used = {name for file in root.rglob("*.py") for name in imported(file)}
    unknown = top(used) - set(sys.stdlib_module_names) - modules - declared - {root.name}
    assert unknown == set()


def test_the_changelog_has_fragments_with_known_types() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    types = {kind["directory"] for kind in settings["tool"]["towncrier"]["type"]}
    fragments = [file for file in (ROOT / "changelog.d").glob("*.md") if file.name != "README.md"]
    assert [file.name for file in fragments if file.name.split(".")[-2] not in types] == []


def test_the_workspace_of_hatch_holds_every_package_with_code() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    default = settings["tool"]["hatch"]["envs"]["default"]
    members = default["workspace"]["members"]
    paths = {member if isinstance(member, str) else member["path"] for member in members}
    assert paths == {f"packages/{folder.name}" for folder in WITH_CODE}
    assert all(path in default["scripts"]["types"] for path in paths)


def test_what_is_not_installed_is_known_by_name():
    """A message can tell what to install for any name that our distributions offer."""
    from coterie._registry.manager import registry
    from coterie._registry.nouns import NOUNS, home_of

    offers = [offer for noun in NOUNS for offer in registry().offers(noun)]
    ours = [offer for offer in offers if offer.source.first_party]
    assert len(ours) > 20
    for offer in ours:
        assert home_of(offer.noun, offer.record.name) == offer.source.distribution
