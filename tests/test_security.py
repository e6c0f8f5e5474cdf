"""Nothing in the packages calls what can run code from a file."""

from __future__ import annotations

import ast
import os
import pickle
import stat
from pathlib import Path

import pytest
import torch

from coterie import CheckpointUnsafe, ConfigError, SequentialTrainer
from coterie._config.files import read_mapping
from coterie._state import read_state
from coterie.testing import CountingEnv, SumAgent

ROOT = Path(__file__).parent.parent
FILES = sorted(ROOT.glob("packages/*/src/**/*.py"))
FORBIDDEN = {
    "__import__",
    "cloudpickle.load",
    "cloudpickle.loads",
    "dill.load",
    "dill.loads",
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
    "shutil.unpack_archive",
    "torch.distributed.checkpoint.load",
    "torch.hub.load",
    "torch.jit.load",
    "torch.load",
    "torch.package.PackageImporter",
    "torch.serialization.add_safe_globals",
    "yaml.full_load",
    "yaml.load",
    "yaml.unsafe_load",
}
REASONS = {
    # Names that the trainer which started it asks for.
    "coterie_backends_mp/_server.py": {"__import__"},
    # Between a trainer and the workers that it started itself.
    "coterie_backends_mp/_channel.py": {"pickle.load", "pickle.loads"},
    # Between a trainer and the processes that it started itself, on its machine or a cluster.
    "coterie/_transport/packing.py": {"pickle.loads", "torch.load"},
    # Between an environment and the processes that it started itself for its copies.
    "coterie_envs/_pettingzoo/messages.py": {"pickle.loads"},
    "coterie_envs/_pettingzoo/worker.py": {"pickle.loads"},
    # With a loader that extends the safe one; see the test below.
    "coterie/_config/files.py": {"yaml.load"},
    # skrl's own files, with weights_only=True; see the test below.
    "coterie_skrl/_files/disk.py": {"torch.load"},
}


READERS = [
    "_checkpoints/disk.py",
    "_checkpoints/folders.py",
    "_checkpoints/manifest.py",
    "_checkpoints/reading.py",
    "_state.py",
]
HARMLESS = {
    "__future__",
    "attrs",
    "collections",
    "contextlib",
    "errno",
    "fcntl",
    "hashlib",
    "json",
    "math",
    "os",
    "pathlib",
    "re",
    "safetensors",
    "shutil",
    "stat",
    "tempfile",
    "torch",
    "typing",
    "uuid",
    "warnings",
}


def calls(source: str) -> set[str]:
    """Dotted names of everything that is called in a module, and imported as a plain name."""
    tree = ast.parse(source)
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    plain = {f"{node.module}.{alias.name}" for node in imports for alias in node.names}
    return called | plain


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_module_calls_what_runs_code_from_data(file: Path) -> None:
    name = "/".join(file.relative_to(ROOT).parts[3:])
    assert calls(file.read_text(encoding="utf-8")) & FORBIDDEN == REASONS.get(name, set())


def test_files_of_torch_are_read_for_their_weights_only() -> None:
    file = ROOT / "packages/skrl/src/coterie_skrl/_files/disk.py"
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    loads = [n for n in nodes if isinstance(n, ast.Call) and ast.unparse(n.func) == "torch.load"]
    given = [{one.arg: ast.unparse(one.value) for one in call.keywords} for call in loads]
    assert [arguments.get("weights_only") for arguments in given] == ["True"]


def test_the_scan_sees_both_ways_of_calling() -> None:
    assert calls("import pickle\npickle.loads(b'')") & FORBIDDEN == {"pickle.loads"}
    assert calls("from torch import load\nload('x')") & FORBIDDEN == {"torch.load"}


@pytest.mark.parametrize(
    "text",
    [
        "name: !!python/object/apply:os.mkdir [canary]",
        "name: !!python/name:os.mkdir",
        "name: !!python/module:antigravity",
    ],
)
def test_yaml_that_would_run_code_is_refused(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cfg.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="python/"):
        read_mapping(tmp_path / "cfg.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["cfg.yaml"]


def test_a_pickle_is_refused_as_trained_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Canary:
        def __reduce__(self) -> tuple[object, ...]:
            return (os.mkdir, ("canary",))

    monkeypatch.chdir(tmp_path)
    torch.save({"agent": Canary()}, "agent.pt")
    Path("agent.pickle").write_bytes(pickle.dumps(Canary()))
    for name in ("agent.pt", "agent.pickle"):
        with pytest.raises(CheckpointUnsafe, match=name):
            read_state(name)
    assert not Path("canary").exists()


@pytest.mark.parametrize("name", READERS)
def test_what_reads_checkpoints_imports_nothing_that_could_run_code(name: str) -> None:
    tree = ast.parse((ROOT / "packages/core/src/coterie" / name).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    found = {alias.name for node in imports for alias in node.names}
    found |= {str(node.module) for node in froms if node.level == 0}
    assert {name.split(".")[0] for name in found} <= HARMLESS


def test_a_checkpoint_is_for_its_owner_alone(tmp_path: Path) -> None:
    env = CountingEnv(2)
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
    cfg = {"timesteps": 4, "disable_progressbar": True}
    run = tmp_path / "run"
    trainer = SequentialTrainer(env=env, agents=SumAgent(**spaces), cfg=cfg, run_dir=run)
    before = os.umask(0)
    try:
        trainer.train()
        trainer.save(tmp_path / "other")
    finally:
        os.umask(before)
    for folder in (*(run / "checkpoints").iterdir(), tmp_path / "other"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "members").stat().st_mode) == 0o700
    for file in run.rglob("*.safetensors"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
