"""Check what was installed from a wheel: ``python -I installed.py NAME SIBLING …``.

NAME is a distribution, the others are the siblings that it declares. Every module of it must
import, from the place where pip installed it, and nothing of a sibling that it does not declare
may be installed. Uses the standard library only: the tools of the tests come later.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from importlib import import_module
from importlib.metadata import distribution, distributions
from pathlib import Path
from pkgutil import walk_packages


def top_level(name: str) -> list[str]:
    """Return the packages that a distribution installed, from its list of files."""
    files = distribution(name).files or ()
    return sorted({file.parts[0] for file in files if file.name == "__init__.py"} - {".."})


def optional(name: str) -> set[str]:
    """Return the packages that only an extra of a distribution brings."""
    wanted = (text for text in distribution(name).requires or () if "extra ==" in text)
    return {re.split(r"[^\w-]", text)[0].replace("-", "_") for text in wanted}


def import_all(package: str, may_lack: set[str]) -> list[str]:
    """Import every module of a package that needs no extra, and return their names."""
    root = import_module(package)
    done = [package]
    for module in walk_packages(root.__path__, f"{package}."):
        try:
            if not module.name.endswith("__main__"):
                import_module(module.name)
        except ModuleNotFoundError as error:
            if str(error.name).partition(".")[0] not in may_lack:
                raise
        else:
            done.append(module.name)
    return done


def check_place(package: str) -> None:
    """Check that a package lies in site-packages, with its marker of types."""
    folder = Path(str(import_module(package).__file__)).parent
    if folder.parent != Path(sysconfig.get_path("purelib")):
        raise SystemExit(f"{package} was imported from {folder}, not from where pip installs")
    if not (folder / "py.typed").exists():
        raise SystemExit(f"{package} was installed without py.typed")


def check_siblings(name: str, declared: set[str]) -> None:
    """Check that of the workspace only ``name`` and what it declares is installed."""
    names = {str(found.metadata["Name"]) for found in distributions()}
    ours = {found for found in names if found.split("-")[0] == "coterie"}
    if ours != {name, *declared}:
        raise SystemExit(f"{name} declares {sorted(declared)}, installed are {sorted(ours)}")


def main(name: str, *declared: str) -> None:
    """Make every check, and say what was imported."""
    check_siblings(name, set(declared))
    modules = []
    for each in (name, *declared):
        for package in top_level(each):
            check_place(package)
            modules += import_all(package, optional(each))
    print(f"{name}: {len(modules)} modules imported, siblings: {sorted(declared) or 'none'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
