"""Arbitrary settings: taken exactly when an independent rule says so, else a ConfigError.

``COTERIE_FUZZ`` sets how many configurations are tried in all.
"""

import math
import os
from typing import Literal

from attrs import asdict, field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie import ConfigError, TrainerCfg, structure
from coterie._config.validators import at_least, more_than

COUNT = int(os.environ.get("COTERIE_FUZZ", "800"))
HUGE = 2**63


@frozen(kw_only=True)
class Cfg:
    steps: int = field(default=1, validator=at_least(1))
    rate: float = field(default=0.1, validator=more_than(0))
    flag: bool = False
    name: str = ""
    sizes: tuple[int, ...] = ()
    table: dict[str, float] = field(factory=dict)
    either: int | str | None = None
    mode: Literal["raise", "continue"] = "raise"


def is_int(value):
    return type(value) is int and -HUGE <= value < HUGE


def is_number(value):
    if type(value) is int:
        return abs(value) <= 10**308
    return type(value) is float and math.isfinite(value)


RULES = {
    "steps": lambda value: is_int(value) and value >= 1,
    "rate": lambda value: is_number(value) and 0 < float(value) < HUGE,
    "flag": lambda value: type(value) is bool,
    "name": lambda value: type(value) is str,
    "sizes": lambda value: type(value) in (list, tuple) and all(map(is_int, value)),
    "table": lambda value: (
        type(value) is dict
        and all(type(key) is str for key in value)
        and all(map(is_number, value.values()))
    ),
    "either": lambda value: value is None or is_int(value) or type(value) is str,
    "mode": lambda value: type(value) is str and value in ("raise", "continue"),
}

TAKEN_AS = {  # a number that no float has is taken as the nearest one
    "rate": float,
    "sizes": tuple,
    "table": lambda value: {key: float(number) for key, number in value.items()},
}

plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, -1, HUGE - 1, HUGE, -HUGE, -HUGE - 1, 10**300, 10**400]),
    st.floats(),
    st.sampled_from(["10", "raise", "continue", "true", "1e-3", "nan"]),
    st.text(max_size=5),
    st.binary(max_size=3),
)
values = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(st.text(max_size=3), st.integers()), inner, max_size=3),
    ),
    max_leaves=6,
)
keys = st.one_of(st.sampled_from(sorted(RULES)), st.text(max_size=6), st.integers(), st.none())


def same(left, right):
    return (left == right and type(left) is not bool) or left is right


@settings(max_examples=COUNT // 2, deadline=None)
@given(st.dictionaries(keys, values, max_size=4))
def test_settings_are_taken_exactly_when_they_follow_the_rules(given_settings):
    wrong = {
        key for key, value in given_settings.items() if key not in RULES or not RULES[key](value)
    }
    try:
        made = structure(Cfg, given_settings)
    except ConfigError:
        made = None
    assert (made is None) == bool(wrong)
    if made is None:
        return
    for key, value in given_settings.items():
        assert same(getattr(made, key), TAKEN_AS.get(key, lambda taken: taken)(value))


@settings(max_examples=COUNT // 4, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(RULES)), values, min_size=1, max_size=4))
def test_every_wrong_setting_is_named(given_settings):
    wrong = [key for key, value in given_settings.items() if not RULES[key](value)]
    try:
        structure(Cfg, given_settings)
    except ConfigError as error:
        places = {line.removeprefix("  - ").split(" = ")[0].split(".")[0] for line in lines(error)}
        assert places == set(wrong)


def lines(error):
    return str(error).splitlines()[1:]


@settings(max_examples=COUNT // 4, deadline=None)
@given(st.one_of(values, st.dictionaries(st.sampled_from(sorted(asdict(TrainerCfg()))), values)))
def test_trainers_settings_give_an_object_or_a_config_error(value):
    try:
        made = structure(TrainerCfg, value)
    except ConfigError:
        return
    assert type(made.timesteps) is int
    assert made.timesteps >= 1
    assert type(made.headless) is bool
    assert made.on_member_failure in ("raise", "continue")
