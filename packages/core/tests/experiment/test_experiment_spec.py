"""The experiment as a value: what is filled in, what is refused, how it is written down."""

import json

import attrs
import pytest

from coterie import EnvironmentSpec, Experiment, MemberSpec, TrainerSpec, load_experiment
from coterie._config.structure import unstructure
from coterie._experiment.spec import LoggerSpec

WHERE = EnvironmentSpec(id="testing:Counting-v0", num_envs=6)


def population(*members, **more):
    return Experiment(environment=WHERE, members=members, **more)


def test_names_and_seeds_are_filled_in_by_position():
    made = population(MemberSpec(agent="sum"), MemberSpec(agent="raising"), MemberSpec(agent="sum"))
    assert [member.name for member in made.members] == ["sum-0", "raising-1", "sum-2"]
    assert [member.seed for member in made.members] == [0, 1, 2]


def test_names_and_seeds_that_are_given_stay():
    made = population(MemberSpec(agent="sum", name="left", seed=9), MemberSpec(agent="sum", seed=0))
    assert [(member.name, member.seed) for member in made.members] == [("left", 9), ("sum-1", 0)]


def test_scopes_are_none_unless_every_member_has_one():
    assert population(MemberSpec(agent="sum"), MemberSpec(agent="sum")).scopes is None
    assert population(
        MemberSpec(agent="sum", scope=4), MemberSpec(agent="sum", scope=2)
    ).scopes == [
        4,
        2,
    ]


def test_it_is_frozen():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        population(MemberSpec(agent="sum")).members = ()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: population(), "at least one"),
        (lambda: EnvironmentSpec(id="", num_envs=1), "id must be a text that is not empty"),
        (lambda: EnvironmentSpec(id="a:b", num_envs=0), "num_envs = 0: expected at least 1"),
        (lambda: MemberSpec(agent="sum", seed=-1), "seed = -1: expected at least 0"),
        (lambda: MemberSpec(agent="sum", scope=0), "scope = 0: expected at least 1"),
        (lambda: MemberSpec(agent=3), "agent must be a text that is not empty, got 3"),
        (lambda: TrainerSpec(name=" "), "name must be a text that is not empty"),
    ],
)
def test_wrong_values_are_refused_by_the_classes_themselves(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_json_gives_the_same_value_back(made_envs, tmp_path):
    made = population(
        MemberSpec(agent="sum", scope=4, settings={"scale": 0.5}),
        MemberSpec(agent="raising", scope=2, device="cpu", settings={"at": 7}),
        trainer=TrainerSpec(settings={"timesteps": 12, "on_member_failure": "continue"}),
        loggers=(LoggerSpec(name="jsonl"),),
    )
    path = tmp_path / "experiment.json"
    path.write_text(json.dumps(unstructure(made)))
    assert load_experiment(path) == made
    assert load_experiment(made) == made
