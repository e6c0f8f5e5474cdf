"""Settings from an Optuna study."""

import logging
import math

import pytest
import torch

from coterie import CheckpointMismatch, ConfigError
from coterie.testing import assert_same_state
from coterie_evolution import Range, Search, StudyCfg
from coterie_evolution._search.study import Study

pytest.importorskip("optuna")

RANGES = {
    "rate": Range(type="log", low=1e-4, high=1.0),
    "size": Range(type="int", low=1, high=8),
    "kind": Range(type="choice", values=("a", "b")),
}


def play(study, rounds):
    found = []
    for _ in range(rounds):
        trials = [study.ask() for _ in range(3)]
        found += [settings for _, settings in trials]
        for number, settings in trials:
            study.tell(number, -abs(math.log10(settings["rate"]) + 2) - (settings["kind"] == "a"))
    return found


def test_the_same_questions_give_the_same_suggestions():
    cfg = StudyCfg(startup=4)
    one, other = Study(RANGES, cfg, 5), Study(RANGES, cfg, 5)
    assert play(one, 6) == play(other, 6)
    assert play(Study(RANGES, cfg, 6), 6) != play(Study(RANGES, cfg, 5), 6)


def test_a_study_goes_on_from_its_state():
    cfg = StudyCfg(startup=4)
    one = Study(RANGES, cfg, 5)
    play(one, 4)
    given = {"rate": 0.5, "size": 3, "kind": "b"}
    number = one.take(given)
    other = Study(RANGES, cfg, 5)
    other.load_state_dict(one.state_dict())
    for study in (one, other):
        study.tell(number, 100.0)
    assert one.best() == other.best() == (number, given, 100.0)
    assert play(one, 4) == play(other, 4)
    with pytest.raises(CheckpointMismatch, match="gone through again"):
        Study(RANGES, cfg, 5).load_state_dict({"log": '[["tell", 7, 1.0]]'})


def test_suggestions_lie_in_their_ranges_and_get_better():
    found = play(Study(RANGES, StudyCfg(startup=9), 3), 16)
    for name, own in RANGES.items():
        assert all(own.holds(settings[name]) for settings in found)

    def far(settings):
        return abs(math.log10(settings["rate"]) + 2)

    early, late = found[:9], found[-9:]
    assert sum(map(far, late)) < sum(map(far, early))


def test_what_failed_counts_for_nothing():
    study = Study(RANGES, StudyCfg(), 0)
    study.tell(study.ask()[0], None)
    assert study.best() is None


def test_nothing_is_told_and_nothing_stays_changed(capfd):
    logger = logging.getLogger("optuna")
    before = logger.level
    study = Study(RANGES, StudyCfg(), 0)
    study.tell(study.ask()[0], 1.0)
    assert logger.level == before
    assert capfd.readouterr() == ("", "")


def test_every_trial_begins_from_scratch(evolving):
    seen = {}

    class Watched(Search):
        def begin(self, population):
            super().begin(population)
            seen["scratch"] = population.snapshot(population.members)

        def act(self, population):
            super().act(population)
            seen[population.timestep] = population.snapshot(population.members)

    controller = Watched({"ranges": evolving.ranges, "trial": 12, "study": {"startup": 4}})
    with evolving.trainer(controller, steps=60) as trainer:
        trainer.train()
    assert sorted(key for key in seen if key != "scratch") == [12, 24, 36, 48]
    for step in (12, 24, 36, 48):
        for index, state in seen[step].items():
            scratch = seen["scratch"][index]["agent"]
            assert torch.equal(state["agent"]["sum"], scratch["sum"])
            assert state["agent"]["steps"] == scratch["steps"]
    entries = evolving.lineage(trainer)
    trials = [entry["note"] for entry in entries if entry["event"] == "settings"]
    assert trials == [f"trial {number}" for number in range(20)]
    results = [entry for entry in entries if entry["event"] == "fitness"]
    best = [entry for entry in entries if entry["event"] == "best"]
    assert len(results) == 20
    assert len(best) == 5
    assert best[-1]["fitness"] == max(entry["fitness"] for entry in results)
    winner = next(entry for entry in results if entry["fitness"] == best[-1]["fitness"])
    assert winner["after"] == best[-1]["after"]


def test_interrupted_and_resumed_is_bit_identical(evolving, tmp_path):
    cfg = {"checkpoints": {"interval": 15, "keep": 9}}
    settings = {"ranges": evolving.ranges, "trial": 10, "study": {"startup": 4}}
    with evolving.trainer(Search(settings), run=tmp_path / "w", cfg=cfg) as whole:
        whole.train()
    for step in (0, 15, 30, 45):
        at, run = tmp_path / "w" / "checkpoints" / f"step-{step:012d}", tmp_path / str(step)
        with evolving.trainer(Search(settings), run=run, cfg=cfg, resume=at) as trainer:
            trainer.train()
        for left, right in zip(whole.agents, trainer.agents, strict=True):
            assert_same_state(left.state_dict(), right.state_dict())
        assert (run / "lineage.jsonl").read_text() == (tmp_path / "w/lineage.jsonl").read_text()


def test_bad_settings_are_refused(evolving):
    with pytest.raises(ConfigError, match="at least one setting"):
        Search({"ranges": {}, "trial": 3})
    scael = {"scael": evolving.ranges["scale"]}
    with pytest.raises(ConfigError, match="did you mean 'scale'"):
        evolving.trainer(Search({"ranges": scael, "trial": 3}))
