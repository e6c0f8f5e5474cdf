"""From options to an experiment."""

import pytest

from coterie import ConfigError, load_experiment
from coterie._cli.main import parse
from coterie._cli.request import experiment_of

pytestmark = pytest.mark.usefixtures("made_envs")

FILE = """
[environment]
id = "testing:Counting-v0"
num_envs = 8
[trainer.settings]
timesteps = 50
headless = false
[[members]]
agent = "sum"
name = "a"
settings = { scale = 0.5 }
[[members]]
agent = "sum"
name = "b"
"""


def request(*arguments):
    raw, label = experiment_of(parse(["train", *arguments]))
    return load_experiment(raw, label=label)


def test_a_population_of_seeds():
    found = request("testing:Counting-v0", "--agent", "sum", "--members", "3", "--seed", "5")
    assert [member.name for member in found.members] == ["sum-s5", "sum-s6", "sum-s7"]
    assert [member.seed for member in found.members] == [5, 6, 7]
    assert (found.environment.seed, found.environment.num_envs) == (5, 48)
    assert found.trainer.name == "sequential"
    assert found.trainer.settings == {"headless": True, "disable_progressbar": None}


def test_values_are_dealt_out_in_turn():
    found = request(
        *("testing:Counting-v0", "--agent", "sum", "--members", "4", "--num-envs", "4"),
        *("--set", "scale=0.5,2.0"),
    )
    assert [member.settings["scale"] for member in found.members] == [0.5, 2.0, 0.5, 2.0]
    assert [member.seed for member in found.members] == [0, 1, 2, 3]


def test_there_are_as_many_members_as_values_and_agents_are_dealt_out_too():
    found = request("testing:Counting-v0", "--agent", "sum,raising", "--set", "scale=1.0,2.0,3,4")
    assert [member.name for member in found.members] == [
        "sum-s0",
        "raising-s1",
        "sum-s2",
        "raising-s3",
    ]


def test_settings_of_trainer_and_environment():
    found = request(
        *("testing:Counting-v0", "--agent", "sum", "--timesteps", "7", "--device", "cpu"),
        *("--trainer", "step", "--trainer-set", "on_member_failure=continue"),
        *("--trainer-set", "environment_info=log", "--env-set", "reset_reward=0.5"),
        *("--logger", "jsonl", "--logger", "csv", "--progress", "bar", "--render"),
    )
    assert found.trainer.name == "step"
    assert found.trainer.settings == {
        "on_member_failure": "continue",
        "environment_info": "log",
        "timesteps": 7,
        "headless": False,
        "progress": "bar",
        "disable_progressbar": False,
    }
    assert found.environment.settings == {"reset_reward": 0.5}
    assert [logger.name for logger in found.loggers] == ["jsonl", "csv"]


def test_what_the_file_says_counts_unless_an_option_says_otherwise(tmp_path):
    path = tmp_path / "two.toml"
    path.write_text(FILE)
    found = request("--experiment", str(path))
    assert found.trainer.settings == {
        "timesteps": 50,
        "headless": False,
        "disable_progressbar": None,
    }
    changed = request(
        *("--experiment", str(path), "--timesteps", "3", "--trainer", "step", "--headless"),
        *("--num-envs", "10", "--set", "scale=2.0,3.0", "--no-progress", "--logger", "jsonl"),
    )
    assert changed.trainer.name == "step"
    assert changed.trainer.settings == {
        "timesteps": 3,
        "headless": True,
        "disable_progressbar": True,
    }
    assert changed.environment.num_envs == 10
    assert [member.settings for member in changed.members] == [{"scale": 2.0}, {"scale": 3.0}]
    assert path.read_text() == FILE


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "what to train in"),
        (("testing:Counting-v0", "--experiment", "x.toml"), "environment: the file x.toml says"),
        (("--experiment", "x.toml", "--seed", "1", "--agent", "sum"), "--agent and --seed: the"),
        (("--experiment", "missing.toml"), "there is no file missing.toml"),
        (("testing:X", "--render", "--headless"), "--render or --headless, not both"),
        (
            ("testing:X", "--progress", "rich", "--no-progress"),
            "--progress or --no-progress, not both",
        ),
        (("testing:X", "--members", "0"), "--members must be at least 1, got 0"),
        (("testing:X", "--num-envs", "0"), "--num-envs must be at least 1, got 0"),
        (("testing:X", "--seed", "-1"), "--seed must be at least 0, got -1"),
        (("testing:X", "--members", "3", "--set", "scale=1,2"), "2 values can't be dealt out"),
        (("testing:X", "--members", "3", "--agent", "sum,ppo"), "--agent sum,ppo: 2 values"),
        (("testing:X", "--set", "scale"), "--set takes KEY=VALUE"),
        (("testing:X", "--trainer-set", "timesteps=1,2"), "'timesteps' takes one value"),
    ],
)
def test_options_that_contradict_each_other(arguments, words):
    with pytest.raises(ConfigError) as caught:
        request(*arguments)
    assert words in str(caught.value)


@pytest.mark.parametrize("content", ["members = 3", "trainer = 1\nloggers = 2", "environment = []"])
def test_a_file_that_holds_nonsense_is_a_configuration_error(tmp_path, content):
    path = tmp_path / "bad.toml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"bad\.toml"):
        request("--experiment", str(path), "--timesteps", "3", "--set", "scale=1", "--logger", "x")
