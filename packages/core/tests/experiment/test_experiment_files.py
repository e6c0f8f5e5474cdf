"""Experiments from files and mappings: expansion, and everything that is wrong at once."""

import pytest

from coterie import ConfigError, PluginError, PluginNotFound, load_experiment

WHERE = {"id": "testing:Counting-v0", "num_envs": 8}

pytestmark = pytest.mark.usefixtures("made_envs")


def load(*members, **more):
    return load_experiment({"environment": WHERE, "members": list(members), **more})


def problems(*members, **more):
    with pytest.raises(ConfigError) as caught:
        load(*members, **more)
    return str(caught.value)


def test_a_toml_file(tmp_path):
    path = tmp_path / "two.toml"
    path.write_text("""
        [environment]
        id = "testing:Counting-v0"
        num_envs = 8
        seed = 3
        [environment.settings]
        reset_reward = 0.5

        [trainer]
        name = "sequential"
        [trainer.settings]
        timesteps = 20

        [[members]]
        agent = "sum"
        name = "calm"
        seed = 11
        scope = 6
        [members.settings]
        scale = 0.1

        [[members]]
        agent = "sum"
        scope = 2

        [[loggers]]
        name = "jsonl"
    """)
    found = load_experiment(path)
    assert (found.environment.seed, found.environment.settings) == (3, {"reset_reward": 0.5})
    assert [member.name for member in found.members] == ["calm", "sum-1"]
    assert [member.seed for member in found.members] == [11, 1]
    assert found.members[0].settings == {"scale": 0.1}
    assert found.scopes == [6, 2]
    assert found.trainer.settings == {"timesteps": 20}
    assert [logger.name for logger in found.loggers] == ["jsonl"]


def test_seeds_stand_for_a_member_each():
    found = load(
        {"agent": "sum", "name": "slow", "seeds": [0, 5], "settings": {"scale": 0.1}, "scope": 2},
        {"agent": "raising", "seeds": [7], "scope": 2},
        {"agent": "sum", "scope": 2},
    )
    assert [member.name for member in found.members] == [
        "slow-s0",
        "slow-s5",
        "raising-s7",
        "sum-3",
    ]
    assert [member.seed for member in found.members] == [0, 5, 7, 3]
    assert [member.settings for member in found.members] == [{"scale": 0.1}] * 2 + [{}] * 2
    assert found.scopes == [2, 2, 2, 2]


def test_everything_that_is_wrong_is_told_at_once_with_its_place():
    text = problems(
        {"agent": "sum", "settings": {"scael": 2.0}},
        {"agent": "raising", "seed": -1, "settings": {"at": "soon", "phase": "akt"}},
        {"agent": "summ"},
        environment={"id": "testing:Counting-v0", "num_envs": 8, "sede": 3},
        trainer={"name": "sequential", "settings": {"timesteps": 0}},
        loggers=[{"name": "jsonl", "settings": {"folder": "x"}}],
    )
    for line in (
        "environment.sede = 3: no such key; did you mean 'seed'?",
        "members.0.settings.scael = 2.0: no such key; did you mean 'scale'?",
        "members.1.seed = -1: expected at least 0",
        "members.1.settings.at = 'soon': expected an integer",
        "members.1.settings.phase = 'akt':",
        "members.2.agent = 'summ': there is no agent 'summ'; did you mean 'sum'?",
        "trainer.settings.timesteps = 0: expected at least 1",
        "loggers.0.settings.folder = 'x': no such key",
    ):
        assert line in text
    assert text.startswith("8 problems in experiment:")


@pytest.mark.usefixtures("not_installed")
def test_names_without_a_plugin_alone_are_a_plugin_error():
    with pytest.raises(PluginNotFound, match="there is no agent 'summ'"):
        load({"agent": "summ"}, {"agent": "summ"})
    with pytest.raises(PluginNotFound, match="pip install coterie-backends-absent"):
        load({"agent": "sum"}, trainer={"name": "absent"})
    with pytest.raises(PluginNotFound, match="there is no environment 'nowhere'"):
        load({"agent": "sum"}, environment={"id": "nowhere:X-v0", "num_envs": 2})


@pytest.mark.usefixtures("not_installed")
def test_a_plugin_that_did_not_load_is_named_as_broken(monkeypatch):
    from coterie._registry.entries import FailedPlugin, Source
    from coterie._registry.manager import registry

    source = Source(plugin="absent", distribution="coterie-backends-absent", version="9")
    failure = FailedPlugin(source=source, reason="ImportError: no such thing")
    monkeypatch.setattr(registry(), "_failed", [failure])
    with pytest.raises(PluginError, match="no such thing") as caught:
        load({"agent": "sum"}, trainer={"name": "absent"})
    assert not isinstance(caught.value, PluginNotFound)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([], "there are no members: give at least one"),
        (["sum"], "members.0 = 'sum': expected"),
        ([{"agent": "sum", "seed": 0, "seeds": [1]}], "either seed or seeds, not both"),
        ([{"agent": "sum", "seeds": []}], "seeds must hold at least one seed"),
        ([{"agent": "sum", "seeds": [0, True]}], "members.0.seeds.1 = True: expected an integer"),
        ([{"agent": "sum", "seeds": [2, 2]}], "'sum-s2': 2 members have this name"),
        ([{"agent": "sum", "scope": 4}, {"agent": "sum"}], "scope, or none; sum-1 have none"),
        ([{"agent": "sum", "scope": 3}, {"agent": "sum", "scope": 4}], "sum to 7"),
        ([{"agent": "sum", "seeds": list(range(9))}], "9 agents need at least 9 instances"),
    ],
)
def test_what_does_not_fit_together(members, words):
    assert words in problems(*members)


def test_an_environment_without_its_kind_gets_a_suggestion():
    text = problems({"agent": "sum"}, environment={"id": "Counting-v0", "num_envs": 2})
    assert "did you mean 'testing:Counting-v0'?" in text


def test_something_else_than_an_experiment():
    with pytest.raises(ConfigError, match="a file, a mapping or an Experiment, got list"):
        load_experiment([1])
    with pytest.raises(ConfigError, match="there is no file"):
        load_experiment("missing.toml")
    with pytest.raises(ConfigError, match="environment is missing"):
        load_experiment({"members": [{"agent": "sum"}]})
