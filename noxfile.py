"""Every check of the workspace, each from a bare clone: ``nox -l`` lists them.

Sessions install with ``constraints.txt`` and run with the Python that runs nox. What stands after
``--`` goes to the tool that the session runs, for example ``nox -s tests -- packages/core -k gae``.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nox
from packaging.requirements import Requirement
from packaging.version import Version

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ("lint", "types", "tests")

ROOT = Path(__file__).parent
CONSTRAINTS = ROOT / "constraints.txt"
DEMO = ("coterie", "train", "--experiment", "examples/demo.toml")
EXAMPLE_PLUGIN = Path("examples/plugin")
CLUSTER = "packages/backends-ray"
FAULTS = "tests/faults"
FOLDERS = sorted(path.parent.relative_to(ROOT) for path in ROOT.glob("packages/*/pyproject.toml"))
PROJECTS = {path: nox.project.load_toml(path / "pyproject.toml")["project"] for path in FOLDERS}
FOLDER_OF = {project["name"]: folder for folder, project in PROJECTS.items()}
SOURCES = [str(folder / "src") for folder in FOLDERS if (ROOT / folder / "src").exists()]


def install(session: nox.Session, *what: str | Path, constraints: tuple[Path, ...] = ()) -> None:
    """Install requirements; the constraints hold for whatever pip does in the session."""
    files = (CONSTRAINTS, *constraints)
    session.env["PIP_CONSTRAINT"] = " ".join(file.as_uri() for file in files)
    session.install(*map(str, what))


def install_workspace(
    session: nox.Session,
    *more: str,
    names: Iterable[str] = FOLDER_OF,
    constraints: tuple[Path, ...] = (),
) -> None:
    """Install packages in editable mode, all or some, core with its extras, and ``more``."""
    extras = {
        "coterie-core": "[plot,remote,report,rich,tensorboard,video]",
        "coterie-evolution": "[optuna]",
    }
    editable = [f"-e{FOLDER_OF[name]}{extras.get(name, '')}" for name in names]
    install(session, *editable, *more, constraints=constraints)


def group(name: str) -> tuple[str, ...]:
    """Read a group of tools from the root ``pyproject.toml``."""
    return nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), name)


def siblings(name: str) -> set[str]:
    """Find the distributions of the workspace that ``name`` declares, and those they declare."""
    wanted = (Requirement(text).name for text in PROJECTS[FOLDER_OF[name]]["dependencies"])
    direct = {other for other in wanted if other in FOLDER_OF}
    return direct.union(*map(siblings, direct))


def requirements(project: dict[str, Any]) -> list[Requirement]:
    """Read what a distribution and its extras depend on, but for the workspace's own."""
    extras = project.get("optional-dependencies", {}).values()
    texts = (*project["dependencies"], *(text for extra in extras for text in extra))
    return [found for found in map(Requirement, texts) if found.name not in FOLDER_OF]


def lowest(projects: Iterable[dict[str, Any]]) -> list[str]:
    """Pin each dependency but torch to the lowest version that all projects allow."""
    bounds: dict[str, Version] = {}
    for requirement in (found for project in projects for found in requirements(project)):
        for low in (Version(s.version) for s in requirement.specifier if s.operator == ">="):
            bounds[requirement.name] = max(low, bounds.get(requirement.name, low))
    return sorted(f"{name}=={low}" for name, low in bounds.items() if name != "torch")


@nox.session
def demo(session: nox.Session) -> None:
    """Train four agents at once on CartPole, with a table and a picture at the end."""
    install_workspace(session, names=sorted({"coterie", *siblings("coterie")}))
    session.run(*DEMO, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    install(session, *group("lint"))
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of every package, strictly."""
    install_workspace(session, *group("types"))
    session.run("mypy", *(session.posargs or SOURCES))


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests, or a package's: nox -s tests -- packages/core."""
    install_workspace(session, *group("tests"))
    session.env["OMP_NUM_THREADS"] = "1"  # more threads than cores spin, in what tests start too
    if session.posargs:
        session.run("pytest", *session.posargs)
        return
    # One process per core, which takes over tests of another when it has done its own. The faults
    # ask what is left in the whole system: they come after the rest. They wait a lot, so there is
    # one process more. Ray needs seconds of a core to start: its tests have the machine alone.
    cores = os.cpu_count() or 1
    rest = ("--ignore", FAULTS, "--ignore", CLUSTER)
    session.run("pytest", "-n", str(cores), "--dist", "worksteal", *rest)
    session.run("pytest", "-n", str(cores + 1), "--dist", "loadscope", FAULTS)
    session.run("pytest", CLUSTER)


@nox.session
def simulators(session: nox.Session) -> None:
    """Test the environments on the simulators themselves, teams' too."""
    install_workspace(session, *group("test"), *group("simulators"))
    session.run("pytest", *(session.posargs or ["packages/envs"]))


@nox.session
def loggers(session: nox.Session) -> None:
    """Test the loggers with Weights & Biases and MLflow themselves, without a server."""
    install_workspace(session, *group("loggers"))
    session.run("pytest", *(session.posargs or ["packages/core/tests/loggers"]))


@nox.session(reuse_venv=False)
@nox.parametrize("name", [nox.param(name, id=name) for name in FOLDER_OF])
def alone(session: nox.Session, name: str) -> None:
    """Test a distribution's wheel where only it and what it declares is installed."""
    folder, declared = FOLDER_OF[name], sorted(siblings(name))
    wheels = Path(session.create_tmp()).resolve() / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    build = [str(FOLDER_OF[other]) for other in (name, *declared)]
    session.run("python", "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(wheels), *build)
    install(session, *wheels.glob("*.whl"))
    session.run("python", "-m", "pip", "check")
    session.run("python", "-I", "tests/installed.py", name, *declared)
    if (ROOT / folder / "tests").exists():
        install(session, *group("test"))
        session.run("pytest", str(folder / "tests"), *session.posargs)


@nox.session
def together(session: nox.Session) -> None:
    """Run core's tests with every package and a third party's plugin installed."""
    install_workspace(session, f"-e{EXAMPLE_PLUGIN}", *group("test"))
    session.run("pytest", "packages/core", *session.posargs)


@nox.session(reuse_venv=False)
def minimums(session: nox.Session) -> None:
    """Run the packages' tests with the lowest allowed versions of what they depend on."""
    pins = Path(session.create_tmp()).resolve() / "minimums.txt"
    pins.write_text("\n".join(lowest(PROJECTS.values())) + "\n", encoding="utf-8")
    install_workspace(session, *group("test"), constraints=(pins,))
    session.run("pytest", *(session.posargs or ["packages"]))


@nox.session
def plugin(session: nox.Session) -> None:
    """Install the example of a third party's plugin, test it, and train with it by name."""
    install_workspace(session, f"-e{EXAMPLE_PLUGIN}", *group("test"))
    session.run("pytest", str(EXAMPLE_PLUGIN), *session.posargs)
    runs = Path(session.create_tmp()).resolve() / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    what = ("example:Point-v0", "--agent=climber", "--members=2", "--timesteps=200")
    for trainer in ("timed", "sequential", "parallel"):
        session.run(
            "coterie", "train", *what, f"--trainer={trainer}", f"--run-dir={runs / trainer}"
        )
    session.run("coterie", "plugins")


@nox.session
def faults(session: nox.Session) -> None:
    """Inject faults into workers by the thousand: nox -s faults -- COUNT [SEED] [for pytest]."""
    install_workspace(session, *group("test"))
    defaults = ("2000", str(random.randrange(10**6)))
    count, seed, *more = [*session.posargs, *defaults[len(session.posargs) :]]
    session.log(f"{count} faults of seed {seed}")
    env = {"COTERIE_FAULTS": count, "COTERIE_FAULTS_SEED": seed, "OMP_NUM_THREADS": "1"}
    session.run("pytest", "-q", FAULTS, *more, env=env)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Try configurations and damaged files by the thousand: nox -s fuzz -- COUNT [for pytest]."""
    install_workspace(session, *group("test"))
    count, *more = session.posargs or ["20000"]
    files = ("config/test_config_fuzz.py", "basics/test_state_damage.py")
    what = (str(FOLDER_OF["coterie-core"] / "tests" / file) for file in files)
    options = ("--timeout=3600", "--hypothesis-show-statistics", *more)
    session.run("pytest", "-q", *what, *options, env={"COTERIE_FUZZ": count})


@nox.session
def crashes(session: nox.Session) -> None:
    """Kill runs, damage checkpoints, lose power: nox -s crashes -- COUNT [SEED] [for pytest]."""
    install_workspace(session, *group("test"))
    defaults = ("200", str(random.randrange(10**6)))
    count, seed, *more = [*session.posargs, *defaults[len(session.posargs) :]]
    session.log(f"{count} kills of seed {seed}")
    env = {
        "COTERIE_CRASHES": count,
        "COTERIE_CRASH_STATES": "4000",
        "COTERIE_FAULTS_SEED": seed,
        "COTERIE_MUTATIONS": "10000",
        "OMP_NUM_THREADS": "1",
    }
    what = ("tests/faults/test_crashes.py", "packages/core/tests/checkpoints")
    session.run("pytest", "-q", *what, "--timeout=1800", *more, env=env)


@nox.session
def cluster(session: nox.Session) -> None:
    """Kill processes and nodes of a cluster: nox -s cluster -- COUNT [SEED] [for pytest]."""
    install_workspace(session, *group("test"))
    defaults = ("20", str(random.randrange(10**6)))
    count, seed, *more = [*session.posargs, *defaults[len(session.posargs) :]]
    session.log(f"{count} runs of seed {seed}")
    env = {"COTERIE_CLUSTER_FAULTS": count, "COTERIE_FAULTS_SEED": seed, "OMP_NUM_THREADS": "1"}
    session.run("pytest", "-q", CLUSTER, "-k", "random", *more, env=env)


@nox.session(name="faults-skrl")
def faults_skrl(session: nox.Session) -> None:
    """Show that the harness finds hangs: let skrl's parallel trainer meet the faults."""
    install(session, "skrl[torch]==2.1.1")
    session.run("python", "tests/faults/skrl_control.py", *session.posargs)


@nox.session
def notebooks(session: nox.Session) -> None:
    """Train in real notebooks: cells, the stop button, restarts of the kernel."""
    install_workspace(session, *group("notebooks"))
    session.run("pytest", "tests/notebooks", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run all tests and report the lines and branches that none of them reaches."""
    install_workspace(session, *group("test"), *group("coverage"))
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *session.posargs)
    session.run("coverage", "combine")
    session.run("coverage", "report")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, without a warning, and run its examples."""
    install_workspace(session, "-rdocs/requirements.txt", *group("test"))
    session.run("sphinx-build", "-W", "--keep-going", "-E", "-q", "docs", "docs/_build/html")
    pages = ["docs", "README.md", *(str(folder / "README.md") for folder in FOLDERS)]
    examples = ("-p", "examples_in_pages", "--timeout=300")
    session.run("pytest", *examples, *pages, *session.posargs, env={"PYTHONPATH": "docs"})


@nox.session
def build(session: nox.Session) -> None:
    """Build the wheels and source distributions of all packages into dist/, and check them."""
    install(session, *group("build"))
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    for folder in FOLDERS:
        session.run("python", "-m", "build", "--outdir", "dist", str(folder))
    session.run("twine", "check", "--strict", *map(str, sorted(ROOT.glob("dist/*"))))


@nox.session
def bench(session: nox.Session) -> None:
    """Do the same work under Coterie and under other libraries, into docs: see -- --help."""
    install_workspace(session, *group("bench"))
    session.run("python", "-m", "benchmarks.peers", *session.posargs)


@nox.session
def measure(session: nox.Session) -> None:
    """Measure Coterie's own parts: all, or the scripts named after ``--``."""
    install_workspace(session, *group("bench"))
    scripts = (str(path) for path in Path("benchmarks").glob("[!_]*.py") if path.stem != "learn")
    for script in session.posargs or sorted(scripts):
        session.run("python", script)


@nox.session
def learn(session: nox.Session) -> None:
    """Train five seeds of each algorithm on its tasks: nox -s learn -- [--long] [CASE ...]."""
    install_workspace(session, *group("learn"))
    session.run("python", "benchmarks/learn.py", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session
def changelog(session: nox.Session) -> None:
    """Show what the fragments make of the changelog; write it with -- --yes."""
    install(session, *group("changelog"))
    version = (ROOT / "VERSION").read_text(encoding="utf-8").strip()
    session.run("towncrier", "build", "--version", version, *(session.posargs or ["--draft"]))
