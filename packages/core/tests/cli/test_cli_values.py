"""KEY=VALUE on the command line."""

import pytest

from coterie import ConfigError
from coterie._cli.values import parse_assignments, parse_single, put, split_values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=1", [1]),
        ("a=1e-3,3e-4", [1e-3, 3e-4]),
        ("a=true,False,null,None", [True, False, None, None]),
        ("a=linear", ["linear"]),
        ('a="1,5",2', ["1,5", 2]),
        ('a="say \\",\\"",2', ['say ","', 2]),
        ("a=[64,64],[32]", [[64, 64], [32]]),
        ('a={"x": [1,2], "y": 3}', [{"x": [1, 2], "y": 3}]),
        ("a=x=y", ["x=y"]),
        ('a=""', [""]),
        (" a =1, 2", [1, 2]),
    ],
)
def test_values_are_json_or_text_and_commas_part_them(text, values):
    assert parse_assignments("--set", [text]) == {"a": values}
    assert [type(v) for v in parse_assignments("--set", [text])["a"]] == [type(v) for v in values]


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["a"], "--set takes KEY=VALUE, got 'a'"),
        (["=1"], "--set takes KEY=VALUE"),
        (["a="], "lacks a value"),
        (["a=1,"], "lacks a value"),
        (["a=1", "a=2"], "'a' is given twice"),
    ],
)
def test_what_can_not_be_read(texts, words):
    with pytest.raises(ConfigError, match=words):
        parse_assignments("--set", texts)


def test_some_options_take_one_value():
    assert parse_single("--env-set", ["a=[1,2]", "b=x"]) == {"a": [1, 2], "b": "x"}
    with pytest.raises(ConfigError, match=r"'a' takes one value; a list is written \[1,2\]"):
        parse_single("--env-set", ["a=1,2"])


def test_brackets_that_never_close_part_nothing():
    assert split_values("[1,2") == ["[1,2"]


def test_dots_lead_into_tables():
    settings = {"model": {"activation": "tanh"}, "rate": 1}
    put(settings, "model.hidden_sizes", [8])
    put(settings, "new.table.key", 2)
    assert settings == {
        "model": {"activation": "tanh", "hidden_sizes": [8]},
        "rate": 1,
        "new": {"table": {"key": 2}},
    }
    with pytest.raises(ConfigError, match="'rate' is no table of settings, it holds 1"):
        put(settings, "rate.x", 1)
