"""Runs one faulty population after the other and tells what the user would have seen.

It is started as a script, in a session of its own. Each line of its input is a fault as JSON, each
line of its output what came of it. Agents are classes of ``__main__``, as in a user's script.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import fault_plan as plan
import torch
from fault_actions import ACTIONS
from fault_survey import descriptors, new_in_shm, processes

from coterie import CoterieError, Trainer, WorkerError
from coterie.testing import CountingEnv, SumAgent
from coterie_backends_mp import ParallelTrainer, WorkerServer


class FaultyAgent(SumAgent):
    """Does something terrible in a phase and at a timestep of your choice."""

    uses_infos: ClassVar[bool] = True
    fault: dict[str, Any] | None = None
    here = False

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "here": True}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._maybe("load", None)

    def setup(self, num_envs: int) -> None:
        super().setup(num_envs)
        self._maybe("setup", None)

    def pre_interaction(self, *, timestep: int, timesteps: int) -> None:
        self._maybe("pre_interaction", timestep)

    def act(self, observations: Any, *, timestep: int, **others: Any) -> Any:
        self._maybe("act", timestep)
        return super().act(observations, timestep=timestep, **others)

    def record_transition(self, transition: Any, *, timestep: int, timesteps: int) -> None:
        self._maybe("record", timestep)
        super().record_transition(transition, timestep=timestep, timesteps=timesteps)

    def post_interaction(self, *, timestep: int, timesteps: int) -> None:
        self._maybe("post_interaction", timestep)
        super().post_interaction(timestep=timestep, timesteps=timesteps)

    def metrics(self) -> dict[str, float]:
        self._maybe("metrics", None)
        return super().metrics()

    def state_dict(self) -> dict[str, Any]:
        self._maybe("state", None)
        if self.here and self.fault and self.fault["action"] == "unpicklable-state":
            return {"lock": threading.Lock()}
        return super().state_dict()

    def _maybe(self, phase: str, timestep: int | None) -> None:
        fault = self.fault
        if not self.here or fault is None or fault["phase"] != phase:
            return
        if timestep is None or timestep == fault["step"]:
            Path(fault["stamp"]).write_text(str(time.monotonic()))
            ACTIONS[fault["action"]]()


def population(fault: dict[str, Any] | None, count: int) -> tuple[Any, list[SumAgent]]:
    """Make an environment and agents, one of them faulty."""
    env = CountingEnv(2 * count, state=True)
    spaces = {
        "observation_space": env.observation_space,
        "action_space": env.action_space,
        "state_space": env.state_space,
    }
    agents = [FaultyAgent(**spaces, seed=seed, name=f"m{seed}") for seed in range(count)]
    if fault is not None:
        agents[fault["member"]].fault = fault
    return env, agents


def run(trainer: Trainer, mode: str) -> dict[str, Any]:
    """Train or evaluate; tell what the user sees."""
    start = time.monotonic()
    try:
        summary = trainer.train() if mode == "train" else trainer.eval()
    except CoterieError as error:
        raised = time.monotonic()
        seen: dict[str, Any] = {"error": type(error).__name__, "text": str(error)}
        seen["notes"] = getattr(error, "__notes__", [])
        seen["cause"] = type(error.__cause__).__name__ if error.__cause__ else None
        if isinstance(error, WorkerError):
            seen |= {name: getattr(error, name) for name in WorkerError.FIELDS}
            seen["travels"] = str(pickle.loads(pickle.dumps(error))) == str(error)
    else:
        raised = time.monotonic()
        seen = {"error": None, "status": [member.status for member in summary.members]}
        seen["failures"] = [member.failure for member in summary.members]
    return {**seen, "seconds": raised - start, "raised": raised}


def settings(fault: dict[str, Any]) -> dict[str, Any]:
    """Configuration of the trainer."""
    return {
        "timesteps": plan.STEPS,
        "metrics_interval": plan.METRICS_INTERVAL,
        "headless": True,
        "disable_progressbar": True,
        "threads": 1,
        "processes": fault["processes"],
        "start_method": fault["start_method"],
        "on_member_failure": fault["policy"],
        "phase_timeout": fault["timeout"],
        "start_timeout": fault["timeout"] if fault["phase"] == "load" else plan.PATIENT,
    }


def suffer(fault: dict[str, Any], healthy: dict[Any, Any], server: int) -> dict[str, Any]:
    """Let a population meet a fault; tell what was seen and what was left."""
    session, ours = os.getsid(0), (os.getpid(), server)
    fds, shm = [descriptors(pid) for pid in ours], os.listdir("/dev/shm")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fault["stamp"] = str(folder / "stamp")
        env, agents = population(fault, fault["members"])
        where = folder / "run" if fault["saves"] else None
        trainer = ParallelTrainer(env=env, agents=agents, cfg=settings(fault), run_dir=where)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seen = run(trainer, fault["mode"])
            seen["left_at_raise"] = processes(session, ours) if seen["error"] else []
            seen["injected"] = injected_at(folder / "stamp")
            seen["saved"] = saved(folder / "run" / "agents")
            known = zip(digest(agents), healthy[fault["mode"], fault["members"]], strict=True)
            seen["same"] = [learned == before for learned, before in known]
            if fault["again"]:
                seen["again"] = recover(trainer, agents)
        trainer.close()
    del trainer
    seen["left"] = processes(session, ours)
    seen["fds"] = [descriptors(pid) - before for pid, before in zip(ours, fds, strict=True)]
    seen["shm"] = new_in_shm(shm)
    return seen


def injected_at(stamp: Path) -> float:
    """When the fault happened; infinitely late if it did not."""
    return float(stamp.read_text()) if stamp.exists() else float("inf")


def saved(folder: Path) -> list[str]:
    """Members whose file can be read, and everything else that lies there."""
    found = []
    for path in sorted(folder.glob("*")):
        _, agents = population(None, 1)
        agents[0].load(path)
        found.append(path.stem)
    return found


def recover(trainer: Trainer, agents: Sequence[Any]) -> list[str] | str:
    """Train again with the same trainer, without the fault."""
    for agent in agents:
        agent.fault = None
    seen = run(trainer, "train")
    return seen["error"] or seen["status"]


def digest(agents: Sequence[SumAgent]) -> list[list[float]]:
    """What each agent learned."""
    return [agent.sum.tolist() for agent in agents]


def learn_healthy(mode: str, count: int) -> list[list[float]]:
    """What a population without a fault learns."""
    env, agents = population(None, count)
    cfg = {"timesteps": plan.STEPS, "headless": True, "disable_progressbar": True, "threads": 1}
    with ParallelTrainer(env=env, agents=agents, cfg=cfg) as trainer:
        run(trainer, mode)
    return digest(agents)


def main() -> None:
    """Serve faults until the input ends."""
    torch.set_num_threads(1)
    with WorkerServer() as server:
        healthy = {
            (mode, count): learn_healthy(mode, count)
            for mode in ("train", "eval")
            for count in (2, 3)
        }
        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            print(json.dumps(suffer(json.loads(line), healthy, server.pid)), flush=True)


main()
