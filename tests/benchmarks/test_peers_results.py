"""Results gather over several runs and machines; figures and tables are made from all of them."""

from __future__ import annotations

import pytest
from benchmarks.peers._cases import Case
from benchmarks.peers._page import END, START, write
from benchmarks.peers._store import Job, Results, load, merge, save, without
from benchmarks.peers._summary import Spread, learned, ratios, speeds

CASE = Case(measure="steady", agents=4)
LEARN = Case(measure="learn", agents=4)
MACHINE = {
    "processor": "Some CPU",
    "cores": 2,
    "memory_gib": 8,
    "system": "Linux 6",
    "python": "3.11",
    "gpu": None,
}
OURS, THEIRS = "coterie-sequential", "skrl-sequential"


def job(contender: str, number: int = 0, steps: int = 0, *, machine: str = "m", **more) -> Job:
    told = {"outcome": "done", "date": "2026-01-02", "case": CASE, "seconds": 2.0, **more}
    return Job(machine=machine, contender=contender, round=number, steps=steps, **told)


def test_the_later_run_of_a_job_counts_whichever_file_it_is_in() -> None:
    old, new = job(OURS, steps=1), job(OURS, steps=2, date="2026-01-03")
    other = job(OURS, number=1, steps=3)
    for first, second in (([old, other], [new]), ([new], [old, other])):
        found = merge(Results(jobs=tuple(first)), Results(jobs=tuple(second)))
        assert found.jobs == (new, other)


def test_machines_stay_apart() -> None:
    here, there = job(OURS, machine="a"), job(OURS, machine="b")
    found = merge(
        Results(machines={"a": MACHINE}, jobs=(here,)),
        Results(machines={"b": MACHINE}, jobs=(there,)),
    )
    assert found.jobs == (here, there)
    assert set(found.machines) == {"a", "b"}
    assert without(found, [("a", OURS, CASE)]).jobs == (there,)


def test_a_file_gives_back_what_was_saved(tmp_path) -> None:
    told = job(OURS, steps=7, reached=[[1.5, 100], None], versions={"torch": "2"}, case=LEARN)
    results = Results(machines={"m": MACHINE}, jobs=(job(THEIRS), told))
    save(results, tmp_path / "there" / "benchmarks.json")
    assert load(tmp_path / "there" / "benchmarks.json") == results
    assert load(tmp_path / "none.json") == Results()


def test_a_file_of_another_format_is_refused(tmp_path) -> None:
    path = tmp_path / "benchmarks.json"
    path.write_text('{"format": 0}')
    with pytest.raises(ValueError, match="format 0"):
        load(path)


def test_speeds_are_medians_with_their_spread() -> None:
    jobs = [job(OURS, k, steps) for k, steps in enumerate((200, 600, 300))]
    assert speeds(jobs) == Spread(150.0, 100.0, 300.0, 3)
    assert speeds([job(OURS, outcome="limit")]) is None
    whole = Case(measure="whole", timesteps=128)
    assert job(OURS, case=whole, total_steps=90, whole=3.0, steps=5).speed == 30.0


def test_ratios_are_taken_within_a_round() -> None:
    ours = [job(OURS, 0, 200), job(OURS, 1, 900), job(OURS, 2, 400)]
    theirs = [job(THEIRS, 1, 300), job(THEIRS, 0, 100), job(THEIRS, 3, 1)]
    assert ratios(ours, theirs) == Spread(2.5, 2.0, 3.0, 2)
    assert ratios(ours, []) is None


def test_learning_waits_for_half_of_the_agents_of_each_job() -> None:
    first = job(OURS, 0, case=LEARN, reached=[[9.0, 50], [3.0, 20], None, [5.0, 30]])
    second = job(OURS, 1, case=LEARN, reached=[[7.0, 40]], outcome="limit")
    half, steps, some, agents = learned([first, second])
    assert half == Spread(5.0, 5.0, 5.0, 1)  # one of four is not half
    assert steps == Spread(35.0, 20, 50, 4)
    assert (some, agents) == (4, 8)


@pytest.fixture
def results() -> Results:
    jobs = (
        job(OURS, 0, 40_000, memory=250.0, first_action=2.0, first_update=3.0),
        job(THEIRS, 0, 20_000, memory=300.0, first_action=2.5, first_update=4.0),
        job(OURS, 0, 9_000, case=Case(measure="steady", agents=16, instances=4)),
        job("skrl-parallel", 0, 1_000, outcome="limit", memory=900.0),
        job("agilerl", outcome="failed", reason="ImportError: no peft"),
        job("rejax", case=LEARN, reached=[[9.0, 5], [8.0, 4]], curve=[[1, 2, 20], [2, 4, 480]]),
    )
    return Results(machines={"m": MACHINE}, jobs=jobs)


def test_the_page_tells_all_that_was_measured_and_what_was_not(results, tmp_path) -> None:
    write(results, tmp_path)
    page = (tmp_path / "benchmarks.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert "| Coterie sequential | not measured | 20,000 | not measured | not measured |" in rows
    assert any(row.startswith("| skrl parallel | - (") and "500 †" in row for row in rows)
    assert "| Coterie sequential over skrl sequential | - | 2.00 | - | - |" in rows
    assert "| rejax | 9.0 | 4 (4 to 5) | 2 of 4 | 1 |" in rows
    assert "AgileRL: ImportError: no peft" in page
    assert "its parallel trainer needs two agents" in page
    assert "2 cores" in page
    assert "CUDA" not in page
    pictures = {path.name for path in tmp_path.glob("*.png")}
    assert pictures == {
        f"benchmarks-m-{kind}.png" for kind in ("population", "instances", "weight", "learning")
    }
    assert all(f"({name})" in page for name in pictures)


def test_what_people_wrote_on_the_page_stays(results, tmp_path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(f"# Title\n\nBefore.\n\n{START}old\n{END}\nAfter.\n")
    write(results, tmp_path)
    once = page.read_text()
    assert once.startswith("# Title\n\nBefore.\n\n")
    assert once.endswith("\nAfter.\n")
    assert "old" not in once
    write(results, tmp_path)
    assert page.read_text() == once


def test_a_page_of_nothing_says_so(tmp_path) -> None:
    write(Results(), tmp_path)
    assert "Nothing has been measured yet." in (tmp_path / "benchmarks.md").read_text()
