"""What the adapters of multi-agent environments add to a step over the bare library.

As in ``envs.py``: blocks of steps of the bare library and of the adapter in turn, with actions that
are ready beforehand. PettingZoo's copies are stepped one after the other in both; episodes are so
long that none ends. Reported are medians over the blocks, in microseconds per step of all
instances::

    python benchmarks/team_envs.py --blocks 20
"""

from __future__ import annotations

import argparse
import statistics
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from envs import timed

import coterie
from coterie.spaces import sample_actions

BLOCK = 50
COPIES = 8
INSTANCES = 64

Run = tuple[Callable[[Any], Any], list[Any]]


def draw(env: coterie.VectorEnv) -> list[Any]:
    """Draw the actions of a block, as the adapter takes them."""
    generator = torch.Generator().manual_seed(0)
    return [sample_actions(env.action_space, env.num_envs, generator) for _ in range(BLOCK)]


def pettingzoo(**settings: Any) -> tuple[Run, Run]:
    """Make copies of simple_spread, bare and adapted; the settings are the adapter's."""
    from mpe2 import simple_spread_v3

    name, cycles = "pettingzoo:mpe2/simple_spread_v3", 10**9
    env = coterie.make_env(name, num_envs=COPIES, max_cycles=cycles, **settings)
    bare = [simple_spread_v3.parallel_env(max_cycles=cycles) for _ in range(COPIES)]
    env.reset(seed=0)
    for seed, one in enumerate(bare):
        one.reset(seed=seed)
    ready = draw(env)
    given = [
        [{actor: int(chosen[row]) for actor, chosen in actions.items()} for row in range(COPIES)]
        for actions in ready
    ]

    def step(actions: list[Any]) -> None:
        for one, chosen in zip(bare, actions, strict=True):
            one.step(chosen)

    return (step, given), (env.step, ready)


def vmas() -> tuple[Run, Run]:
    """Make balance, bare and adapted."""
    import vmas

    env = coterie.make_env("vmas:balance", num_envs=INSTANCES, seed=0)
    bare = vmas.make_env("balance", num_envs=INSTANCES, clamp_actions=True)
    env.reset(seed=0)
    bare.reset(seed=0)
    ready = draw(env)
    given = [list(actions.values()) for actions in ready]
    return (bare.step, given), (env.step, ready)


def cases() -> Iterator[tuple[str, Callable[[], tuple[Run, Run]]]]:
    """Name what is compared."""
    spread = f"simple_spread, {COPIES} copies"
    yield f"{spread}", lambda: pettingzoo(use_state=False)
    yield f"{spread}, with the state", pettingzoo
    yield (
        f"{spread}, in 2 processes",
        lambda: pettingzoo(use_state=False, vectorization="async", workers=2),
    )
    yield f"VMAS balance, {INSTANCES} instances", vmas


def compare(bare: Run, adapted: Run, blocks: int) -> tuple[float, float, float]:
    """Time blocks of both in turn; return the medians and that of the differences."""
    found: tuple[list[float], list[float]] = ([], [])
    for block in range(blocks + 1):
        for which in (0, 1) if block % 2 else (1, 0):
            spent = timed(*(bare, adapted)[which])
            if block:  # the first one warms up
                found[which].append(spent)
    added = statistics.median(b - a for a, b in zip(*found, strict=True))
    return statistics.median(found[0]), statistics.median(found[1]), added


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=20)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print(f"{'':<40} {'bare':>9} {'coterie':>9} {'added':>9}  µs per step, medians")
    for name, make in cases():
        try:
            row = compare(*make(), given.blocks)
        except (ImportError, coterie.ConfigError) as error:
            print(f"{name:<40} left out: {error}")
            continue
        print(f"{name:<40} " + " ".join(f"{value:9.1f}" for value in row), flush=True)


if __name__ == "__main__":
    main()
