"""A run that is killed over and over, and what it came to in the end.

:func:`train` trains a small population with a checkpoint every few steps, from wherever the run
in its folder is, as a script with ``resume=True`` does. It can be told to die in the middle of a
save, and to take its time there.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from fault_survey import living

import coterie
from coterie import WorkerDied, make_agent, make_env, make_trainer
from coterie._checkpoints.folders import CHECKPOINTS, newest
from coterie._state import flatten_state, read_state
from coterie._trainers.checkpointing import Checkpointer
from coterie.testing import CountingEnv, GlobalDrawAgent, SumAgent

STEPS = {"sum": 60, "ppo": 40}
INTERVAL = {"sum": 5, "ppo": 6}
_CHANGES = ("fsync", "rename", "replace", "link", "mkdir", "rmdir", "unlink")
_PPO = {"rollouts": 8, "learning_epochs": 1, "mini_batches": 2, "model": {"hidden_sizes": (8,)}}
_VARYING = ("created", "platform", "files", "checksum")  # contents are compared themselves
_OF_THE_CLOCK = ("seconds", "run_seconds", "loggers")


def train(plan: dict[str, Any]) -> None:
    """Complete a run.

    Args:
        plan: ``run``: the folder; ``trainer``; ``population``: ``"sum"`` or ``"ppo"``; ``slow``:
            seconds that a flush to the disk takes longer; ``fail``: ``None``, or ``where``
            (``"parent"`` or ``"worker"``), ``at`` (number of the change to the disk, within
            saves, at which to die), ``who`` (``"one"`` or ``"all"`` of the session), ``stamp``
            (a file that tells that it happened, so that it happens once).
    """
    _interpose(plan["slow"], plan["fail"])
    trainer = _make(plan)
    while trainer.timestep < STEPS[plan["population"]]:
        try:
            trainer.train()
        except WorkerDied:
            trainer.close()
            trainer = _make(plan)
    trainer.close()


def _make(plan: dict[str, Any]) -> coterie.Trainer:
    """Make the trainer, at the newest checkpoint of the run, if there is one."""
    population = plan["population"]
    env, agents = _sums() if population == "sum" else _learners()
    cfg: dict[str, Any] = {
        "timesteps": STEPS[population],
        "metrics_interval": 4,
        "headless": True,
        "disable_progressbar": True,
        "checkpoints": {"interval": INTERVAL[population], "minutes": None},
    }
    if plan["trainer"] == "parallel":
        cfg |= {"threads": 1, "processes": 2}
    where = {"run_dir": plan["run"], "resume": True}
    return make_trainer(plan["trainer"], env=env, agents=agents, cfg=cfg, **where)


def _sums() -> tuple[Any, list[Any]]:
    env = CountingEnv(5)
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
    return env, [SumAgent(**spaces, seed=3, name="a"), GlobalDrawAgent(**spaces, seed=4, name="b")]


def _learners() -> tuple[Any, list[Any]]:
    env = make_env("torch:CartPole-v1", num_envs=8, seed=1)
    return env, [make_agent("ppo", env=env, seed=s, name=f"p{s}", cfg=_PPO) for s in range(2)]


def _interpose(slow: float, fail: dict[str, Any] | None) -> None:
    """Let flushes take longer, and die where it is wanted."""
    parent = os.getpid()
    state = {"saving": 0, "changes": 0}

    def saving(call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*arguments: Any, **named: Any) -> Any:
            state["saving"] += 1
            try:
                return call(*arguments, **named)
            finally:
                state["saving"] -= 1

        return guarded

    def watched(call: Callable[..., Any], seconds: float) -> Callable[..., Any]:
        def change(*arguments: Any, **named: Any) -> Any:
            here = "parent" if os.getpid() == parent else "worker"
            if fail is not None and fail["where"] == here and (state["saving"] or here == "worker"):
                state["changes"] += 1
                if state["changes"] == fail["at"] and not os.path.exists(fail["stamp"]):
                    _die(fail)
            time.sleep(seconds)
            return call(*arguments, **named)

        return change

    for name in _CHANGES:
        setattr(os, name, watched(getattr(os, name), slow if name == "fsync" else 0.0))
    for name in ("start", "write"):
        setattr(Checkpointer, name, saving(getattr(Checkpointer, name)))


def _die(fail: dict[str, Any]) -> None:
    """Kill this process, or all of the session at once."""
    Path(fail["stamp"]).touch()
    if fail["who"] == "all":
        for pid in set(living(os.getsid(0))) - {os.getpid()}:
            os.kill(pid, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def outcome(run: Path) -> dict[str, str]:
    """Say what a run came to: a digest of each part that must not depend on kills."""
    found = newest(run / CHECKPOINTS)
    assert found is not None
    manifest = json.loads((found.path / "MANIFEST.json").read_text())
    state = found.run_state()
    parts: dict[str, Any] = {
        "manifest": {key: value for key, value in manifest.items() if key not in _VARYING},
        "checkpoints": sorted(path.name for path in (run / CHECKPOINTS).iterdir()),
        "run": {key: value for key, value in state.items() if key not in _OF_THE_CLOCK},
        "metrics": _metrics(run / "metrics.csv"),
    }
    for member in found.manifest.members:
        parts[f"agent {member.name}"] = found.agent_state(member)
    for folder in ("agents", "best"):
        for file in sorted((run / folder).iterdir()):
            parts[f"{folder}/{file.name}"] = _content(file)
    return {name: _digest(part) for name, part in parts.items()}


def _content(file: Path) -> Any:
    """What a file holds; the order of what is in a safetensors file's header is left to chance."""
    return read_state(file)[0] if file.suffix == ".safetensors" else json.loads(file.read_text())


def _metrics(path: Path) -> list[list[str]]:
    """All rows but for what depends on the clock."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    kept = [row for row in rows if not row["name"].startswith("time/")]
    return [[value for key, value in row.items() if key != "wall_time"] for row in kept]


def _digest(part: Any) -> str:
    structure, tensors = flatten_state({"part": part})
    digest = hashlib.sha256(json.dumps(structure, sort_keys=True).encode())
    for key in sorted(tensors):
        tensor = tensors[key]
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def leftovers(run: Path) -> list[str]:
    """Names in a run that a kill left behind."""
    names = (path.relative_to(run) for path in run.rglob("*"))
    return sorted(str(name) for name in names if name.name.startswith(".") and str(name) != ".lock")
