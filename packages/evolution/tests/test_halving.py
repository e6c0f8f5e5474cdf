"""Successive halving in a run."""

import pytest

from coterie import ConfigError, MemberProgress
from coterie.testing import assert_same_state
from coterie_evolution import Halving


def by_index(progress: MemberProgress):
    return float(progress.member.index)


def test_the_worst_half_stops_at_each_rung(evolving):
    with evolving.trainer(Halving({"first": 10}, fitness=by_index), members=8) as trainer:
        summary = trainer.train()
    stops = [entry for entry in evolving.lineage(trainer) if entry["event"] == "stop"]
    when = {entry["member"]: entry["timestep"] for entry in stops}
    assert when == {f"sum-{i}": t for i, t in enumerate([10] * 4 + [20] * 2 + [40])}
    assert [member.status for member in summary.members] == ["stopped"] * 7 + ["trained"]
    assert "rung 1" in summary.members[4].stopped
    with evolving.trainer(Halving({"first": 1000}), members=8) as undisturbed:
        undisturbed.train()
    assert_same_state(trainer.agents[7].state_dict(), undisturbed.agents[7].state_dict())
    with evolving.trainer(Halving({"first": 1000}), members=8, steps=20) as shorter:
        shorter.train()
    for index in (4, 5):
        assert_same_state(trainer.agents[index].state_dict(), shorter.agents[index].state_dict())


def test_some_are_kept(evolving):
    with evolving.trainer(
        Halving({"first": 10, "reduction": 4, "keep": 3}, fitness=by_index), members=8
    ) as trainer:
        summary = trainer.train()
    assert [member.status for member in summary.members] == ["stopped"] * 5 + ["trained"] * 3


def test_who_has_nothing_to_show_is_the_worst(evolving):
    def some(progress: MemberProgress):
        return float("nan") if progress.member.index == 3 else float(progress.member.index)

    with evolving.trainer(Halving({"first": 30, "keep": 3}, fitness=some)) as trainer:
        summary = trainer.train()
    assert [member.status for member in summary.members] == ["trained"] * 3 + ["stopped"]


@pytest.mark.parametrize("study", [None, {"sampler": "random"}])
def test_members_begin_with_drawn_settings(evolving, study):
    pytest.importorskip("optuna")
    settings = {"first": 10, "ranges": evolving.ranges, "study": study}
    scales = []
    for _ in range(2):
        with evolving.trainer(Halving(settings)) as trainer:
            trainer.train()
        scales.append([agent.cfg.scale for agent in trainer.agents])
    assert scales[0] == scales[1]
    assert len(set(scales[0])) == 4


def test_interrupted_and_resumed_is_bit_identical(evolving, tmp_path):
    cfg = {"checkpoints": {"interval": 15, "keep": 9}}
    controller = {"first": 10, "ranges": evolving.ranges}
    with evolving.trainer(Halving(controller), run=tmp_path / "w", cfg=cfg) as whole:
        whole.train()
    for step in (0, 15, 30):
        at, run = tmp_path / "w" / "checkpoints" / f"step-{step:012d}", tmp_path / str(step)
        with evolving.trainer(Halving(controller), run=run, cfg=cfg, resume=at) as trainer:
            trainer.train()
        for left, right in zip(whole.agents, trainer.agents, strict=True):
            assert_same_state(left.state_dict(), right.state_dict())
        assert (run / "lineage.jsonl").read_text() == (tmp_path / "w/lineage.jsonl").read_text()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"freed": "survivors"}, ["scopes of one size", "'idle'"]),
        ({"reduction": 1}, ["at least 2"]),
        ({"study": {"sampler": "tpe"}}, ["give ranges"]),
        ({"frist": 3}, ["did you mean 'first'"]),
    ],
)
def test_bad_settings_are_refused(changes, words):
    with pytest.raises(ConfigError) as caught:
        Halving({"first": 10, **changes})
    assert all(word in str(caught.value) for word in words)


def test_there_must_be_somebody_to_compare(evolving):
    with pytest.raises(ConfigError, match="keep = 4"):
        evolving.trainer(Halving({"first": 10, "keep": 4}))
