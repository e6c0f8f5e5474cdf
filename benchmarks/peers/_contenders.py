"""Who takes part: libraries and trainers, what each is told, and what it can't do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from ._cases import LIMITS, Case

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent


@frozen(kw_only=True)
class Contender:
    """One way to do the work.

    Attributes:
        name: Short and unique.
        label: What tables and pictures call it.
        maker: Whose it is: ``"coterie"``, or a peer.
        environment: Name of the environment of packages that its job runs in.
        job: Name of the script below ``jobs/``, without ``_job.py``.
        options: What the job is told besides the case.
        processes: Whether there is a process per agent or core, with one thread each.
        packages: Folders of the workspace that must exist.
        needs_compiler: Whether it needs a C++ compiler.
        smallest: Least number of agents.
        why_not_fewer: Why.
        devices: Devices that it can use.
        why_not_there: Why not others.
        measures: Measures that can be taken of it.
        why_not_measured: Why not others.
        note: What is to be known about it.
    """

    name: str
    label: str
    maker: str
    environment: str
    job: str
    options: Mapping[str, Any] = field(factory=dict)
    processes: bool = False
    packages: tuple[str, ...] = ()
    needs_compiler: bool = False
    smallest: int = 1
    why_not_fewer: str = ""
    devices: tuple[str, ...] = ("cpu", "cuda")
    why_not_there: str = ""
    measures: tuple[str, ...] = tuple(LIMITS)
    why_not_measured: str = ""
    note: str = ""

    def told(self, case: Case, seed: int) -> dict[str, Any]:
        """Give what its job is told of a case."""
        threads = (1 if self.processes else case.cores) if case.pinned else 0
        return {**case.told(), **self.options, "threads": threads, "seed": seed}

    def refusal(self, case: Case, *, cuda: bool, cores: int) -> str | None:
        """Say why it can't do a case; ``None``: it can.

        Args:
            case: The case.
            cuda: Whether the machine has a CUDA device.
            cores: How many cores the machine has.
        """
        if case.device == "cuda" and not cuda:
            return "no CUDA device"
        if case.device not in self.devices:
            return self.why_not_there
        if case.measure not in self.measures:
            return self.why_not_measured
        if case.cores > cores:
            return f"fewer than {case.cores} cores"
        if case.agents < self.smallest:
            return self.why_not_fewer
        missing = [name for name in self.packages if not (ROOT / name).exists()]
        if missing:
            return f"no {missing[0]} in this workspace"
        if self.needs_compiler and not (shutil.which("c++") or shutil.which("g++")):
            return "no C++ compiler"
        return None


def usable_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _ours(name: str, label: str, note: str, **more: Any) -> Contender:
    options = {"env": "gymnasium", **more.pop("options")}
    return Contender(
        name=f"coterie-{name}",
        label=f"Coterie {label}",
        maker="coterie",
        environment="coterie",
        job="coterie",
        options=options,
        note=note,
        **more,
    )


def _skrl(name: str, label: str, note: str, trainers: str, **more: Any) -> Contender:
    ours = trainers == "coterie_skrl"
    return Contender(
        name=name,
        label=label,
        maker="coterie" if ours else "skrl",
        environment="coterie-skrl" if ours else "skrl",
        job="skrl",
        options={"trainers": trainers, "trainer": name.rsplit("-", 1)[1]},
        packages=("packages/skrl",) if ours else (),
        note=note,
        **more,
    )


_ONE_BY_ONE = "populations: one agent after the other, each with an environment of its own"

CONTENDERS: tuple[Contender, ...] = (
    _ours("sequential", "sequential", "", options={"trainer": "sequential"}),
    _skrl("skrl-sequential", "skrl sequential", "", "skrl.trainers.torch"),
    _skrl(
        "coterie-skrl-sequential",
        "skrl's agents, Coterie sequential",
        "skrl's agents and environment, unchanged",
        "coterie_skrl",
    ),
    _ours("step", "step", "the caller's loop around it is empty", options={"trainer": "step"}),
    Contender(
        name="sb3",
        label="Stable-Baselines3",
        maker="sb3",
        environment="sb3",
        job="sb3",
        options={"env": "own"},
        note=f"its own kind of instances, stepped in turn; {_ONE_BY_ONE}",
    ),
    Contender(
        name="sb3-vectorised",
        label="Stable-Baselines3, gymnasium's vectorised CartPole",
        maker="sb3",
        environment="sb3",
        job="sb3",
        options={"env": "gymnasium"},
        note=_ONE_BY_ONE,
    ),
    Contender(
        name="agilerl",
        label="AgileRL",
        maker="agilerl",
        environment="agilerl",
        job="agilerl",
        note=f"without evolution; {_ONE_BY_ONE}",
    ),
    _ours(
        "parallel",
        "parallel",
        "a process per agent, one thread each",
        options={"trainer": "parallel"},
        processes=True,
    ),
    _skrl(
        "skrl-parallel",
        "skrl parallel",
        "a process per agent, one thread each",
        "skrl.trainers.torch",
        processes=True,
        smallest=2,
        why_not_fewer="its parallel trainer needs two agents",
    ),
    _skrl(
        "coterie-skrl-parallel",
        "skrl's agents, Coterie parallel",
        "skrl's agents and environment, unchanged; a process per agent, one thread each",
        "coterie_skrl",
        processes=True,
    ),
    _ours("fused", "fused", "", options={"trainer": "fused"}),
    _ours(
        "parallel-fused",
        "parallel, fused inside",
        "no more processes than cores, one thread each",
        options={"trainer": "parallel", "inside": "fused"},
        processes=True,
    ),
    _ours(
        "fused-torch",
        "fused, environment in torch",
        "torch:CartPole-v1 instead of gymnasium's",
        options={"trainer": "fused", "env": "torch"},
    ),
    _ours(
        "fused-torch-compiled",
        "fused, environment in torch, compiled update",
        "as above, with compile_update; measured after the second update",
        options={"trainer": "fused", "env": "torch", "compile": True},
        needs_compiler=True,
    ),
    _ours(
        "fused-torch-rollouts",
        "fused, environment in torch, compiled rollout and update",
        "as above, with compile_rollout = 1, too; measured after the second update",
        options={"trainer": "fused", "env": "torch", "compile": True, "rollout": 1},
        needs_compiler=True,
        measures=("steady", "whole"),
        why_not_measured="the benchmark does not see single steps within a program",
    ),
    Contender(
        name="rejax",
        label="rejax",
        maker="rejax",
        environment="rejax",
        job="rejax",
        devices=("cpu",),
        why_not_there="its environment is installed with JAX for processors",
        note="gymnax's CartPole-v1, compiled together with the agents, mapped over them",
    ),
)

RATIOS: tuple[tuple[str, str], ...] = (
    ("coterie-sequential", "skrl-sequential"),
    ("coterie-skrl-sequential", "skrl-sequential"),
    ("coterie-fused", "skrl-sequential"),
    ("coterie-parallel-fused", "skrl-sequential"),
    ("coterie-parallel", "skrl-parallel"),
    ("coterie-skrl-parallel", "skrl-parallel"),
    ("coterie-sequential", "sb3"),
    ("coterie-sequential", "sb3-vectorised"),
    ("coterie-sequential", "agilerl"),
    ("coterie-fused", "agilerl"),
    ("coterie-fused", "rejax"),
    ("coterie-fused-torch", "rejax"),
    ("coterie-fused-torch-compiled", "rejax"),
    ("coterie-fused-torch-rollouts", "rejax"),
)
"""Pairs of names: the first's speed over the second's is told."""

LABELS = {contender.name: contender.label for contender in CONTENDERS}
