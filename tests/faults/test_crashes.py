"""A run that is killed at any moment, and goes on, ends as if nobody had touched it.

``COTERIE_CRASHES`` sets how many kills there are, ``COTERIE_FAULTS_SEED`` which.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import crash_chain
import pytest
from crash_chain import CASES, KILLS_PER_CHAIN, Nursery, counts
from crash_victim import leftovers, outcome

COUNT = int(os.environ.get("COTERIE_CRASHES", "36"))
SEED = int(os.environ.get("COTERIE_FAULTS_SEED", "0"))

pytestmark = pytest.mark.timeout(600)

Reference = Callable[[tuple[str, str]], tuple[dict[str, str], float]]


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    made = Nursery(tmp_path_factory.mktemp("nursery"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def reference(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """What a run comes to that nobody kills, and how long it takes."""
    known: dict[tuple[str, str], tuple[dict[str, str], float]] = {}

    def look_up(case: tuple[str, str]) -> tuple[dict[str, str], float]:
        if case not in known:
            run, start = tmp_path_factory.mktemp("reference") / "run", time.monotonic()
            victim = nursery.start(crash_chain.plan_of(run, case, None))
            assert victim.finish() == 0, victim.errors
            known[case] = outcome(run), time.monotonic() - start
        return known[case]

    return look_up


@pytest.mark.parametrize("number", range(-(-COUNT // KILLS_PER_CHAIN)))
def test_a_run_that_is_killed_again_and_again(
    nursery: Nursery, reference: Reference, tmp_path: Path, number: int
) -> None:
    case, chance = CASES[number % len(CASES)], random.Random(f"{SEED} {number}")
    expected, seconds = reference(case)
    run, kills = tmp_path / "run", 0
    for _ in range(KILLS_PER_CHAIN):
        how = crash_chain.death(chance, case[0])
        plan = crash_chain.plan_of(run, case, how)
        victim = nursery.start(plan)
        if crash_chain.kill(victim, plan, how, seconds):
            kills += 1
            counts[f"{case[0]}, {how['where']}, {how['who']}"] += 1
            counts["in the middle of a save"] += crash_chain.in_flight(run, plan)
    last = nursery.start(crash_chain.plan_of(run, case, None))
    assert last.finish() == 0, last.errors
    counts["kills"] += kills
    assert outcome(run) == expected
    assert leftovers(run) == []
