"""The jobs come in turn, none is run twice, and a hopeless one is not repeated."""

from __future__ import annotations

from benchmarks.peers._cases import Case, all_cases
from benchmarks.peers._contenders import CONTENDERS, RATIOS, Contender
from benchmarks.peers._plan import Step, minutes, plan
from benchmarks.peers._store import Job

SMALL, LARGE = Case(measure="steady", agents=1), Case(measure="steady", agents=4)
BY_NAME = {contender.name: contender for contender in CONTENDERS}
A, B = BY_NAME["coterie-sequential"], BY_NAME["skrl-parallel"]


def job(contender: Contender, case: Case, number: int, **more) -> Job:
    told = {"outcome": "done", "date": "2026-01-01", **more}
    return Job(machine="m", contender=contender.name, case=case, round=number, **told)


def ordered(there: list[Job], pairs: int = 2, cases=(SMALL, LARGE)) -> list[tuple]:
    def refuses(contender: Contender, case: Case) -> str | None:
        return contender.refusal(case, cuda=False, cores=2)

    steps = plan(cases, (A, B), pairs, there, refuses)
    return [(s.round, s.case.agents, s.contender.name) for s in steps]


def test_contenders_follow_each_other_and_rounds_go_through_all_cases() -> None:
    a, b = A.name, B.name  # b can't train one agent
    expected = [(0, 1, a), (0, 4, a), (0, 4, b), (1, 1, a), (1, 4, a), (1, 4, b)]
    assert ordered([]) == expected


def test_a_later_run_does_what_is_left() -> None:
    there = [job(A, SMALL, 0), job(A, LARGE, 0), job(A, LARGE, 1)]
    assert ordered(there) == [(0, 4, B.name), (1, 1, A.name), (1, 4, B.name)]
    assert ordered(there, pairs=1) == [(0, 4, B.name)]


def test_what_did_not_end_in_time_is_not_repeated() -> None:
    there = [job(B, LARGE, 0, outcome="limit")]
    assert ordered(there, cases=[LARGE]) == [(0, 4, A.name), (1, 4, A.name)]


def test_the_estimate_knows_jobs_that_were_run() -> None:
    there = [job(A, SMALL, 0, whole=50.0)]
    steps = [Step(1, SMALL, A), Step(2, SMALL, A), Step(0, LARGE, A)]
    assert minutes(steps, there) == (50 + 50 + 10) / 60


def test_contenders_say_what_they_cannot_do() -> None:
    rejax, fused = BY_NAME["rejax"], BY_NAME["coterie-fused"]
    gpu = Case(measure="steady", device="cuda")
    two = Case(measure="steady", cores=2)
    assert fused.refusal(gpu, cuda=False, cores=2) == "no CUDA device"
    assert fused.refusal(gpu, cuda=True, cores=2) is None
    assert "JAX for processors" in str(rejax.refusal(gpu, cuda=True, cores=2))
    assert fused.refusal(two, cuda=False, cores=1) == "fewer than 2 cores"
    assert B.refusal(SMALL, cuda=False, cores=2) == "its parallel trainer needs two agents"


def test_threads_are_the_cores_or_one_for_each_process_or_nobodys_choice() -> None:
    two = Case(measure="steady", cores=2)
    free = Case(measure="whole", cores=2, pinned=False)
    told = [c.told(case, seed=0)["threads"] for c in (A, B) for case in (SMALL, two, free)]
    assert told == [1, 2, 0, 1, 1, 0]


def test_names_are_unique_and_ratios_name_contenders() -> None:
    assert len(BY_NAME) == len(CONTENDERS)
    assert {name for pair in RATIOS for name in pair} <= set(BY_NAME)
    cases = all_cases()
    assert len({case.name for case in cases}) == len(set(cases)) == len(cases)
