"""Each package has one public face: sorted, typed, documented, and quick to import."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

import pytest

PACKAGES = (
    "coterie",
    "coterie_agents",
    "coterie_backends_fused",
    "coterie_backends_mp",
    "coterie_backends_ray",
    "coterie_envs",
    "coterie_skrl",
)
PUBLIC_MODULES = {"coterie": {"config", "islands", "plugins", "spaces", "testing", "transport"}}
FACES = (*PACKAGES, *(f"coterie.{name}" for name in sorted(PUBLIC_MODULES["coterie"])))
LIGHT = ("coterie", "coterie.config", "coterie.plugins", *(f"{name}._plugin" for name in PACKAGES))
PUBLIC = [(face, name) for face in FACES for name in import_module(face).__all__]


def order(name: str) -> tuple[int, str]:
    """Sort constants first, then classes, then functions, as ruff does."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
    return kind, name


@pytest.mark.parametrize("face", FACES)
def test_the_names_are_sorted_and_unique(face: str) -> None:
    names = import_module(face).__all__
    assert list(names) == sorted(set(names), key=order)


@pytest.mark.parametrize(("face", "name"), PUBLIC, ids=lambda part: part)
def test_each_name_is_there(face: str, name: str) -> None:
    module = import_module(face)
    assert getattr(module, name) is not None
    assert name in dir(module)


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_are_private(package: str) -> None:
    names = {found.name for found in iter_modules(import_module(package).__path__)}
    public = {name for name in names if not name.startswith("_")}
    assert public == PUBLIC_MODULES.get(package, set())


def methods(value: type) -> list[tuple[str, object]]:
    """Functions, properties and the constructor that a class itself defines for its users."""
    own = {name: part for name, part in vars(value).items() if not name.startswith("_")}
    found = []
    for name, part in own.items():
        function = part.fget if isinstance(part, property) else getattr(part, "__func__", part)
        if inspect.isfunction(function):
            found.append((name, function))
    return found


def untyped(function: object) -> list[str]:
    """Names of the parameters without an annotation, and "return" where that is missing."""
    signature = inspect.signature(function)  # type: ignore[arg-type]
    parameters = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
    missing = [p.name for p in parameters if p.annotation is p.empty]
    return missing + (["return"] if signature.return_annotation is signature.empty else [])


@pytest.mark.parametrize(("face", "name"), PUBLIC, ids=lambda part: part)
def test_each_name_is_documented_and_typed(face: str, name: str) -> None:
    value = getattr(import_module(face), name)
    if inspect.isclass(value):
        parts = methods(value)
        assert value.__doc__
        assert [part for part, function in parts if not inspect.getdoc(getattr(value, part))] == []
    elif inspect.isfunction(value):
        parts = [(name, value)]
        assert value.__doc__
    else:
        parts = []
    assert {part: untyped(function) for part, function in parts if untyped(function)} == {}


@pytest.mark.parametrize("face", ["coterie", "coterie.plugins"])
def test_an_unknown_name_is_an_attribute_error(face: str) -> None:
    module: ModuleType = import_module(face)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = module.no_such_name


@pytest.mark.parametrize(
    "module",
    [
        "coterie",
        "coterie.config",
        "coterie.plugins",
        *(f"{package}._plugin" for package in PACKAGES),
    ],
)
def test_what_is_imported_at_start_is_free_of_torch(module: str) -> None:
    code = (
        f"import {module}, sys; "
        "print([name for name in ('torch', 'gymnasium', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
