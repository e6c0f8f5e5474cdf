"""Population based training in a run."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie import ConfigError, MemberProgress
from coterie.testing import CountingEnv, LeanSumAgent, SumAgent, agents_for, assert_same_state
from coterie_evolution import PBT


def pbt(evolving, **changes):
    base = {"ranges": evolving.ranges, "interval": 10, "episodes": 1}
    return PBT({**base, **changes})


class Better:
    """A fitness that says who is better, and remembers whom it was asked about."""

    def __init__(self, *order):
        self.order, self.asked = order, []

    def __call__(self, progress: MemberProgress):
        self.asked.append((progress.timestep, progress.member.name))
        return float(self.order.index(progress.member.index))


def test_an_heir_goes_on_with_what_the_donor_learned(evolving):
    seen = {}

    class Watched(PBT):
        def act(self, population):
            seen["before"] = population.snapshot(population.members)
            super().act(population)
            seen["after"] = population.snapshot(population.members)

    controller = Watched(
        {"ranges": evolving.ranges, "interval": 10, "episodes": 0, "resample_probability": 0.0},
        fitness=Better(2, 0, 3, 1),  # 2 is the worst, 1 the best
    )
    with evolving.trainer(controller, steps=15) as trainer:
        trainer.train()
    before, after = seen["before"], seen["after"]
    heir, donor = after[2]["agent"], before[1]["agent"]
    assert torch.equal(heir["generator"], before[2]["agent"]["generator"])
    assert torch.equal(heir["sum"], donor["sum"])
    for index in (0, 1, 3):
        assert_same_state(after[index], before[index])
    (copy,) = [entry for entry in evolving.lineage(trainer) if entry["event"] == "copy"]
    assert (copy["member"], copy["donor"], copy["timestep"]) == ("sum-2", "sum-1", 10)
    assert copy["before"] == {"scale": before[2]["agent"]["settings"]["scale"]}
    assert copy["after"] == heir["settings"]
    disturbed = [min(10.0, donor["settings"]["scale"] * factor) for factor in (0.8, 1.25)]
    assert copy["after"]["scale"] in disturbed


@settings(deadline=None, max_examples=15)
@given(
    seed=st.integers(0, 2**31),
    members=st.integers(2, 6),
    selection=st.sampled_from(["truncation", "tournament"]),
    interval=st.integers(4, 15),
    initial=st.sampled_from(["drawn", "given"]),
)
def test_lineages_hold_together(evolving, seed, members, selection, interval, initial):
    controller = pbt(evolving, selection=selection, interval=interval, seed=seed, initial=initial)
    with evolving.trainer(controller, members=members, steps=50, env_seed=seed) as trainer:
        places = [(m.name, m.scope, m.seed, m.agent) for m in trainer.members]
        trainer.train()
        assert [(m.name, m.scope, m.seed, m.agent) for m in trainer.members] == places
        assert all(member.active for member in trainer.members)
    entries = evolving.lineage(trainer)
    names, now = {name for name, *_ in places}, {}
    for entry in entries:
        assert entry["member"] in names
        if entry["event"] == "copy":
            assert entry["donor"] in names - {entry["member"]}
            assert entry["timestep"] % interval == 0
        if entry["event"] in ("copy", "settings"):
            assert entry["before"] == now.get(entry["member"], {"scale": 1.0})
            now[entry["member"]] = entry["after"]
            assert 0.1 <= entry["after"]["scale"] <= 10.0
        assert entry["event"] != "fitness" or entry["after"] == now[entry["member"]]
    for name, _, _, agent in places:
        assert agent.cfg.scale == now[name]["scale"]
    assert [entry["timestep"] for entry in entries] == sorted(e["timestep"] for e in entries)


def test_groups_keep_to_themselves_and_to_their_intervals(evolving):
    groups = [
        {"members": ["sum-0", "sum-1"], "interval": 6},
        {"members": ["sum-2", "sum-3"], "interval": 15},
    ]
    with evolving.trainer(pbt(evolving, groups=groups), steps=70) as trainer:
        trainer.train()
    copies = [entry for entry in evolving.lineage(trainer) if entry["event"] == "copy"]
    groups_of = {"sum-0": 6, "sum-1": 6, "sum-2": 15, "sum-3": 15}
    assert {groups_of[entry["member"]] for entry in copies} == {6, 15}
    for entry in copies:
        assert groups_of[entry["member"]] == groups_of[entry["donor"]]
        assert entry["timestep"] % groups_of[entry["member"]] == 0


def test_migrants_keep_their_settings(evolving):
    groups = [{"members": ["sum-0", "sum-1"]}, {"members": ["sum-2", "sum-3"]}]
    controller = PBT(
        {"ranges": evolving.ranges, "interval": 100, "groups": groups, "migration": 20},
        fitness=Better(0, 1, 2, 3),
    )
    controller.fitness._episodes = 0
    with evolving.trainer(controller, steps=30) as trainer:
        trainer.train()
    (moved,) = [entry for entry in evolving.lineage(trainer) if entry["event"] == "migrate"]
    assert (moved["member"], moved["donor"], moved["timestep"]) == ("sum-0", "sum-3", 20)
    assert moved["before"] == moved["after"]


def test_only_episodes_since_the_last_change_count(evolving):
    asked = []

    class Watched(PBT):
        def act(self, population):
            before = dict(self.fitness.since)
            super().act(population)
            for name, count in self.fitness.since.items():
                if before.get(name) != count:
                    member = population.member(name)
                    asked.append((count, population.episodes(member)))
                    assert population.mean_return(member, count) is None

    controller = Watched({"ranges": evolving.ranges, "interval": 10, "episodes": 1})
    with evolving.trainer(controller) as trainer:
        trainer.train()
    assert asked
    assert all(count == episodes for count, episodes in asked)


def test_less_can_be_better(evolving):
    directions = {}
    for maximise in (True, False):
        controller = PBT(
            {"ranges": evolving.ranges, "interval": 10, "maximise": maximise, "episodes": 0},
            fitness=Better(0, 1, 2, 3),
        )
        with evolving.trainer(controller, steps=15) as trainer:
            trainer.train()
        (copy,) = [entry for entry in evolving.lineage(trainer) if entry["event"] == "copy"]
        directions[maximise] = copy["member"], copy["donor"], copy["fitness"]
    assert directions == {True: ("sum-0", "sum-3", 0.0), False: ("sum-3", "sum-0", 3.0)}


def test_a_metric_can_be_the_fitness(evolving):
    with evolving.trainer(pbt(evolving, fitness="sum", episodes=0), steps=25) as trainer:
        trainer.train()
    found = [entry for entry in evolving.lineage(trainer) if entry["event"] == "fitness"]
    assert {entry["timestep"] for entry in found} == {10, 20, 25}
    assert len({entry["fitness"] for entry in found}) > 4


@pytest.mark.parametrize("study", [None, {"sampler": "tpe", "startup": 2}])
def test_interrupted_and_resumed_is_bit_identical(evolving, tmp_path, study):
    pytest.importorskip("optuna")
    cfg = {"checkpoints": {"interval": 15, "keep": 9}}
    with evolving.trainer(pbt(evolving, study=study), run=tmp_path / "w", cfg=cfg) as whole:
        whole.train()
    assert sum(entry["event"] == "copy" for entry in evolving.lineage(whole)) > 2
    for step in (0, 15, 30, 45):
        at = tmp_path / "w" / "checkpoints" / f"step-{step:012d}"
        run = tmp_path / str(step)
        with evolving.trainer(pbt(evolving, study=study), run=run, cfg=cfg, resume=at) as trainer:
            trainer.train()
        for left, right in zip(whole.agents, trainer.agents, strict=True):
            assert_same_state(left.state_dict(), right.state_dict())
        assert (run / "lineage.jsonl").read_text() == (tmp_path / "w/lineage.jsonl").read_text()


def test_the_seed_decides(evolving):
    lines = []
    for seed in (1, 1, 2):
        with evolving.trainer(pbt(evolving, seed=seed)) as trainer:
            trainer.train()
            lines.append(trainer._controllers.journal.lines)
    assert lines[0] == lines[1] != lines[2]


def test_a_failed_member_takes_no_part(evolving):
    class Fails(SumAgent):
        def post_interaction(self, *, timestep, timesteps):
            super().post_interaction(timestep=timestep, timesteps=timesteps)
            if timestep == 12 and self.seed == 3:
                raise RuntimeError("out of ideas")

    agents = agents_for(CountingEnv(8), *[Fails] * 4)
    cfg = {"on_member_failure": "continue"}
    with evolving.trainer(pbt(evolving), agents=agents, cfg=cfg) as trainer:
        summary = trainer.train()
    assert [member.status for member in summary.members] == ["trained"] * 3 + ["failed"]
    later = [e for e in evolving.lineage(trainer) if e["timestep"] > 12]
    assert later
    assert not any("sum-3" in (entry["member"], entry["donor"]) for entry in later)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"intervall": 3}, ["intervall", "did you mean 'interval'"]),
        ({"ranges": {}}, ["at least one setting"]),
        ({"ranges": {"scale": {"type": "log", "low": 2.0, "high": 1.0}}}, ["low must be less"]),
        ({"fraction": 0.7}, ["fraction", "0 to 0.5"]),
        ({"selection": "truncate"}, ["did you mean 'truncation'"]),
        ({"migration": 5}, ["at least two"]),
        ({"groups": [{"members": ["a", "b"]}, {"members": ["b", "c"]}]}, ["one group only", "b"]),
    ],
)
def test_bad_settings_are_refused(evolving, changes, words):
    with pytest.raises(ConfigError) as caught:
        pbt(evolving, **changes)
    assert all(word in str(caught.value) for word in words)


SCALE = {"type": "log", "low": 0.1, "high": 10.0}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ranges": {"scael": SCALE}}, ["'scael'", "did you mean 'scale'"]),
        ({"ranges": {"scale": {"type": "choice", "values": [1.0, "x"]}}}, ["'x'", "is in its"]),
        ({"groups": [{"members": ["sum-0", "sum-9"]}]}, ["sum-9", "in no group"]),
        ({"groups": [{"members": ["sum-0"]}]}, ["one member", "sum-1, sum-2, sum-3"]),
        (
            {"initial": "given", "ranges": {"scale": {**SCALE, "low": 2.0}}},
            ["begins with scale = 1.0", "widen"],
        ),
        ({"fitness": "nowhere.at_all:function"}, ["nowhere", "can't be imported"]),
    ],
)
def test_what_does_not_go_with_the_population_is_refused_before_anything_starts(
    evolving, tmp_path, changes, words
):
    with pytest.raises(ConfigError) as caught:
        evolving.trainer(pbt(evolving, **changes), run=tmp_path / "run")
    assert all(word in str(caught.value) for word in words), caught.value
    assert not (tmp_path / "run").exists()


def test_members_of_different_kinds_can_not_copy_each_other(evolving):
    env = CountingEnv(4)
    agents = agents_for(env, SumAgent, LeanSumAgent)
    with pytest.raises(ConfigError, match="'sum', 'lean-sum'"):
        evolving.trainer(pbt(evolving), agents=agents, members=2)
