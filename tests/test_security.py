"""Nothing in the packages calls what can run code from a file."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(ROOT.glob("packages/*/src/**/*.py"))
FORBIDDEN = {
    "eval",
    "exec",
    "joblib.load",
    "marshal.load",
    "marshal.loads",
    "np.load",
    "numpy.load",
    "os.system",
    "pickle.Unpickler",
    "pickle.load",
    "pickle.loads",
    "shelve.open",
    "torch.jit.load",
    "torch.load",
    "yaml.full_load",
    "yaml.load",
    "yaml.unsafe_load",
}
BETWEEN_OWN_PROCESSES = {"coterie_backends_mp": {"pickle.loads"}}


def calls(source: str) -> set[str]:
    """Dotted names of everything that is called in a module, and imported as a plain name."""
    tree = ast.parse(source)
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    plain = {f"{node.module}.{alias.name}" for node in imports for alias in node.names}
    return called | plain


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_module_calls_what_runs_code_from_data(file: Path) -> None:
    package = file.relative_to(ROOT).parts[3]
    found = calls(file.read_text(encoding="utf-8")) & FORBIDDEN
    assert found <= BETWEEN_OWN_PROCESSES.get(package, set())


def test_the_scan_sees_both_ways_of_calling() -> None:
    assert calls("import pickle\npickle.loads(b'')") & FORBIDDEN == {"pickle.loads"}
    assert calls("from torch import load\nload('x')") & FORBIDDEN == {"torch.load"}
