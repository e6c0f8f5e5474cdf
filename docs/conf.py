"""How Sphinx builds these pages."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

project = "Coterie"
author = "The Coterie developers"
copyright = author
release = (Path(__file__).parent.parent / "VERSION").read_text(encoding="utf-8").strip()

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "requirements.txt"]
html_theme = "furo"
html_title = f"Coterie {release}"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_mock_imports = ["jax", "jaxlib"]  # not installed for the pages alone
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_class_signature = "mixed"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# A name of ours that leads nowhere is an error; other projects' names need a network to check.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!coterie).*"), ("py:.*", r".*\._.*")]

_FACES = (
    "coterie",
    "coterie.config",
    "coterie.islands",
    "coterie.plugins",
    "coterie.spaces",
    "coterie.testing",
    "coterie.transport",
    "coterie_agents",
    "coterie_backends_fused",
    "coterie_skrl",
    "coterie_evolution",
    "coterie_backends_mp",
    "coterie_backends_ray",
    "coterie_envs",
)


def _public_name(target: str) -> str | None:
    """Find the public name of an object that is defined in a private module."""
    module, _, name = target.rpartition(".")
    package = module.partition(".")[0]
    for face in (face for face in _FACES if face.partition(".")[0] == package):
        if name in import_module(face).__all__:
            return f"{face}.{name}"
    return None


def _resolve(app: Any, env: Any, node: Any, content: Any) -> Any:
    """Lead a reference to a private module's object to where the object is documented."""
    target = node.get("reftarget", "")
    public = _public_name(target) if "._" in target else None
    if public is None:
        return None
    python = env.get_domain("py")
    return python.resolve_xref(env, node["refdoc"], app.builder, "obj", public, node, content)


_inline: dict[str, list[str]] = {}


def _keep(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Keep the text of properties and attributes, before napoleon takes a colon for a type."""
    if what in ("attribute", "data", "property"):
        _inline[name] = list(lines)


def _put_back(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Put back what was kept."""
    lines[:] = _inline.pop(name, lines)


def setup(app: Any) -> None:
    """Connect the functions above."""
    app.connect("missing-reference", _resolve)
    app.connect("autodoc-process-docstring", _keep, priority=400)
    app.connect("autodoc-process-docstring", _put_back, priority=600)
