"""A run of 10,000 members on 100 nodes, on paper: what its driver would have to do.

The parts that one machine can do are measured here: what a trainer does with the stretches of so
many islands (they are canned, so nothing is waited for), the state of a member, calls to islands on
a local Ray cluster. The rest is arithmetic, from numbers that are given below. ``--write`` puts the
tables into docs/clusters-model.md. Run it in a quiet moment; it takes about two minutes.
Ray's workers are nice: where such processes are stopped meanwhile, set RAY_worker_niceness=0.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import _cluster_parts as parts

PAGE = Path(__file__).parent.parent / "docs" / "clusters-model.md"
NODES = (1, 10, 100)
GIVEN = {
    "members per node": 100,
    "instances per member": parts.INSTANCES,
    "cores per node": 32,
    "steps in an episode": 200,
    "network of the driver, GB/s": 1.25,
    "memory of the driver, GiB": 64,
    "minutes between checkpoints": 10,
    "minutes between kept states": 1,
    "stretches of a second that islands are ahead, at most": 60,
    "seconds until Ray notices a dead node": 20,
}
SLOW = 5_000  # steps per second and core of a simulator of some weight


def measure() -> dict[str, float]:
    """Measure everything that this machine can tell."""
    torch.set_num_threads(1)
    found: dict[str, float] = {"steps/s per core": parts.island_speed()}
    per_node, length = GIVEN["members per node"], int(GIVEN["steps in an episode"])
    for nodes, timesteps in zip(NODES, (256, 128, 32), strict=True):
        spent = parts.driver(int(per_node * nodes), nodes, length, timesteps)
        found[f"driver s per timestep, {nodes}"] = spent
    found |= {f"member {name}": value for name, value in parts.member_state().items()}
    found["bytes per step"] = parts.exchange_bytes()
    found |= {f"ray {name}": value for name, value in parts.ray_calls().items()}
    return found


def loads(measured: dict[str, float], nodes: int, speed: float) -> dict[str, float]:
    """Work out what so many nodes ask of the driver.

    Args:
        measured: What :func:`measure` found.
        nodes: Number of nodes.
        speed: Steps of instances per second and core.

    Returns:
        By name: shares of one core, MB/s, GB, seconds.
    """
    cores, members = GIVEN["cores per node"] * nodes, GIVEN["members per node"] * nodes
    instances = members * GIVEN["instances per member"]
    steps = cores * speed
    timesteps = steps / instances
    state = measured["member bytes"] + measured["member environment_bytes"]
    saving = members * (measured["member unpack_s"] + measured["member write_s"])
    wire = members * state / (GIVEN["network of the driver, GB/s"] * 1e9)
    mine = GIVEN["members per node"] * state
    redo = 60 * GIVEN["minutes between kept states"] / 2
    away = (
        GIVEN["seconds until Ray notices a dead node"]
        + measured["ray start_s"]
        + mine / (GIVEN["network of the driver, GB/s"] * 1e9)
        + GIVEN["members per node"] * measured["member unpack_s"]
    )
    traffic = steps * measured["bytes per step"]
    ahead = GIVEN["stretches of a second that islands are ahead, at most"]
    waited = min(ahead, away + redo)
    return {
        "members": members,
        "timesteps per second": timesteps,
        "million steps per second": steps / 1e6,
        "to the driver, MB/s": traffic / 1e6,
        "driver: going through the steps, % of a core": 100
        * timesteps
        * _driver(measured, instances),
        "driver: calls, an island per node, %": 100 * nodes * measured["ray busy_s"],
        "driver: calls, an island per core, %": 100 * cores * measured["ray busy_s"],
        "kept states, MB/s": members * state / 1e6 / (60 * GIVEN["minutes between kept states"]),
        "checkpoint, GB": members * measured["member file_bytes"] / 1e9,
        "checkpoint, seconds in the driver": saving + wire,
        "checkpoints, % of the time": 100
        * (saving + wire)
        / (60 * GIVEN["minutes between checkpoints"]),
        "kept states in the driver, GB": 2 * members * state / 1e9,
        "a lost node: seconds until it works again": away,
        "a lost node: seconds until it has caught up, on average": away + redo,
        "a lost node: what others have sent before they wait, GB": traffic * waited / 1e9
        if nodes > 1
        else 0.0,
    }


def _driver(measured: dict[str, float], instances: float) -> float:
    """Seconds per timestep, between the sizes that were measured on a line."""
    per_node = GIVEN["members per node"] * GIVEN["instances per member"]
    at = [(n * per_node, measured[f"driver s per timestep, {n}"]) for n in NODES]
    low, high = (at[0], at[1]) if instances < at[1][0] else (at[1], at[2])
    slope = (high[1] - low[1]) / (high[0] - low[0])
    return max(low[1] + slope * (instances - low[0]), at[0][1])


LIMITS = {
    "driver: going through the steps, % of a core": (100, "the driver's core"),
    "driver: calls, an island per node, %": (100, "the driver's core"),
    "driver: calls, an island per core, %": (100, "the driver's core"),
    "to the driver, MB/s": (1_000 * GIVEN["network of the driver, GB/s"], "the driver's network"),
    "checkpoints, % of the time": (10, "a tenth of the time"),
    "kept states in the driver, GB": (GIVEN["memory of the driver, GiB"] * 1.0737, "its memory"),
    "a lost node: what others have sent before they wait, GB": (
        GIVEN["memory of the driver, GiB"] * 1.0737,
        "its memory",
    ),
}


def breaks_at(measured: dict[str, float], name: str, speed: float) -> int | None:
    """Find the least number of nodes at which a load is over its limit, up to 1,000."""
    limit = LIMITS[name][0]
    return next((n for n in range(1, 1001) if loads(measured, n, speed)[name] > limit), None)


def tables(measured: dict[str, float]) -> str:
    """Write everything as tables in Markdown."""
    speeds = {"as fast as `torch:CartPole-v1`": measured["steps/s per core"], "5,000": SLOW}
    lines = ["### Measured", "", "| what | |", "| --- | ---: |"]
    lines += [f"| {_told(name)} | {_shown(value)} |" for name, value in measured.items()]
    lines += ["", "### Given", "", "| what | |", "| --- | ---: |"]
    lines += [f"| {name} | {value:,g} |" for name, value in GIVEN.items()]
    for title, speed in speeds.items():
        counts = [loads(measured, nodes, speed) for nodes in NODES]
        heads = " | ".join(f"{n} node{'s' if n > 1 else ''}" for n in NODES)
        lines += ["", f"### Steps per second and core: {title}", "", f"| load | {heads} |"]
        lines += ["| --- |" + " ---: |" * len(NODES)]
        for name in counts[0]:
            cells = " | ".join(_shown(count[name]) for count in counts)
            lines.append(f"| {name} | {cells} |")
    lines += ["", "### Where it breaks", "", "| load | limit | CartPole | 5,000 steps/s |"]
    lines += ["| --- | --- | ---: | ---: |"]
    for name, (_, limit) in LIMITS.items():
        found = [breaks_at(measured, name, speed) for speed in speeds.values()]
        cells = " | ".join("over 1,000 nodes" if n is None else f"{n:,} nodes" for n in found)
        lines.append(f"| {name} | {limit} | {cells} |")
    return "\n".join(lines)


def _told(name: str) -> str:
    """Say what was measured in words."""
    words = {
        "steps/s per core": "steps per second that a core trains: `fused`, 16 members of PPO",
        "bytes per step": "bytes of a stretch per step of an instance",
        "member bytes": "bytes of a member's state, packed, in the middle of a rollout",
        "member file_bytes": "bytes of its file in a checkpoint",
        "member environment_bytes": "bytes of the state of its 64 instances",
        "member pack_s": "seconds to pack it, on the island",
        "member unpack_s": "seconds to unpack it",
        "member write_s": "seconds to write its file",
        "ray start_s": "seconds until two islands have started, on a local cluster",
        "ray round_trip_of_two_s": "seconds for a call to two islands and back",
        "ray busy_s": "seconds of the driver's own threads per call",
    }
    if name.startswith("driver"):
        nodes = int(name.rpartition(" ")[2])
        count = int(nodes * GIVEN["members per node"] * GIVEN["instances per member"])
        return f"seconds of the driver per timestep of {count:,} instances, {nodes} island(s)"
    return words[name]


def _shown(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.6f}".rstrip("0").rstrip(".") if value < 0.01 else f"{value:.3g}"


def main() -> None:
    """Measure, work it out, and print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measured", type=Path, help="take measurements from a JSON file")
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.name}")
    options = parser.parse_args()
    measured: dict[str, Any]
    measured = measure() if options.measured is None else json.loads(options.measured.read_text())
    text = tables(measured)
    print(json.dumps(measured, indent=1))
    print(text)
    if options.write:
        begin, end = "<!-- tables begin -->", "<!-- tables end -->"
        page = PAGE.read_text(encoding="utf-8")
        head, rest = page.split(begin, 1)
        tail = rest.split(end, 1)[1]
        page = f"{head}{begin}\n\n{text}\n\n{end}{tail}"
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
