"""A run that is killed at any moment, and goes on, ends as if nobody had touched it.

``COTERIE_CRASHES`` sets how many kills there are, ``COTERIE_FAULTS_SEED`` which.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
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


def test_victims_are_different_from_each_other(reference: Reference) -> None:
    """A digest that is always the same would hide whatever a kill does."""
    found = [reference(case)[0] for case in dict.fromkeys(CASES)]
    assert len({outcome["metrics"] for outcome in found}) == 2
    assert len({outcome["run"] for outcome in found}) == 2


@pytest.mark.parametrize("number", range(-(-COUNT // KILLS_PER_CHAIN)))
def test_a_run_that_is_killed_again_and_again(
    nursery: Nursery, reference: Reference, tmp_path: Path, number: int
) -> None:
    case, chance = CASES[number % len(CASES)], random.Random(f"{SEED} {number}")
    expected, seconds = reference(case)
    run, kills = tmp_path / "0", 0
    for attempt in range(6 * KILLS_PER_CHAIN):
        how = crash_chain.death(chance, case[0])
        plan = crash_chain.plan_of(run, case, how if kills < KILLS_PER_CHAIN else None)
        victim = nursery.start(plan)
        if plan["calm"]:
            assert victim.finish() == 0, victim.errors
        elif crash_chain.kill(victim, plan, how, seconds):
            kills += 1
            counts[f"{case[0]}, {how['where']}, {how['who']}"] += 1
            counts["in the middle of a save"] += crash_chain.in_flight(run, plan)
        if victim.finish() == 0:
            assert outcome(run) == expected
            assert leftovers(run) == []
            run = tmp_path / str(attempt + 1)
        if plan["calm"]:
            break
    assert kills == KILLS_PER_CHAIN
    counts["kills"] += kills
