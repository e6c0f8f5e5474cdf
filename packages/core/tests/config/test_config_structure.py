"""Settings: what is taken, what is refused, and what the message says."""

import enum
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import attrs
import numpy as np
import pytest
import torch
from attrs import field, frozen

from coterie import ConfigError, structure
from coterie._config.structure import unstructure
from coterie._config.validators import at_least, between, more_than


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@frozen(kw_only=True)
class Inner:
    rate: float = field(default=0.5, validator=between(0, 1))
    mode: Literal["raise", "continue"] = "raise"


@frozen(kw_only=True)
class Outer:
    count: int = field(default=3, validator=at_least(1))
    flag: bool = False
    text: str = "a"
    sizes: tuple[int, ...] = field(default=(64, 64), validator=at_least(1))
    pair: tuple[int, float] = (1, 2.0)
    weights: dict[str, float] = field(factory=dict)
    nested_lists: Mapping[str, list[int]] = field(factory=dict)
    sequence: Sequence[str] = ()
    unique: frozenset[int] = frozenset()
    either: int | str | None = None
    maybe: Optional[float] = field(default=None, validator=more_than(0))  # noqa: UP045
    auto: float | Literal["auto"] = "auto"
    inner: Inner = field(factory=Inner)
    perhaps: Inner | None = None
    members: list[Inner] = field(factory=list)
    by_name: dict[str, Inner] = field(factory=dict)
    place: Path | None = None
    device: torch.device | None = None
    function: Callable[[int], int] | None = None
    colour: Colour = Colour.RED
    noted: Annotated[int, "a note"] = 1
    version: Literal[1, 2] = 1
    anything: Any = None
    least: int = field(default=5, validator=attrs.validators.ge(2))


def message(value, cls=Outer):
    with pytest.raises(ConfigError) as caught:
        structure(cls, value, source="cfg")
    return str(caught.value)


def test_everything_right_is_taken():
    made = structure(
        Outer,
        {
            "count": 2,
            "flag": True,
            "sizes": [8, 4],
            "pair": [3, 1],
            "weights": {"a": 1},
            "nested_lists": {"x": [1, 2]},
            "sequence": ["p"],
            "unique": [3, 3],
            "either": "x",
            "maybe": 2,
            "auto": 1,
            "inner": {"rate": 1},
            "perhaps": {"mode": "continue"},
            "members": [{"rate": 0.25}, Inner()],
            "by_name": {"one": {}},
            "place": "some/where",
            "device": torch.device("cpu"),
            "function": abs,
            "colour": "blue",
            "noted": 7,
            "version": 2,
            "anything": {"free": [1]},
        },
    )
    assert made == Outer(
        count=2,
        flag=True,
        sizes=(8, 4),
        pair=(3, 1.0),
        weights={"a": 1.0},
        nested_lists={"x": [1, 2]},
        sequence=("p",),
        unique=frozenset({3}),
        either="x",
        maybe=2.0,
        auto=1.0,
        inner=Inner(rate=1.0),
        perhaps=Inner(mode="continue"),
        members=[Inner(rate=0.25), Inner()],
        by_name={"one": Inner()},
        place=Path("some/where"),
        device=torch.device("cpu"),
        function=abs,
        colour=Colour.BLUE,
        noted=7,
        version=2,
        anything={"free": [1]},
    )
    assert type(made.weights["a"]) is float
    assert type(made.auto) is float
    assert type(made.sizes) is tuple


@pytest.mark.parametrize("value", [None, {}, Outer()])
def test_nothing_given_is_the_defaults(value):
    assert structure(Outer, value) == Outer()


def test_numbers_of_numpy_become_plain_ones():
    made = structure(Outer, {"count": np.int32(4), "maybe": np.float32(0.5), "text": np.str_("q")})
    assert [type(value) for value in (made.count, made.maybe, made.text)] == [int, float, str]
    assert (made.count, made.maybe, made.text) == (4, 0.5, "q")


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"count": True}, "count = True: expected an integer"),
        ({"count": "10"}, "count = '10': expected an integer"),
        ({"count": 2.0}, "count = 2.0: expected an integer"),
        ({"count": None}, "count = None: expected an integer"),
        ({"count": 0}, "count = 0: expected at least 1"),
        ({"count": -5}, "count = -5: expected at least 1"),
        ({"count": 2**63}, "count = 9223372036854775808: expected an integer of at most 64 bits"),
        ({"count": 10**5000}, "count = <int>: expected an integer of at most 64 bits"),
        ({"flag": 1}, "flag = 1: expected true or false"),
        ({"flag": "yes"}, "flag = 'yes': expected true or false"),
        ({"text": 3}, "text = 3: expected a text"),
        ({"text": b"a"}, "text = b'a': expected a text"),
        ({"maybe": float("nan")}, "maybe = nan: expected a finite number or none"),
        ({"maybe": float("inf")}, "maybe = inf: expected a finite number or none"),
        ({"maybe": 10**400}, "expected a finite number or none"),
        ({"maybe": False}, "maybe = False: expected a finite number or none"),
        ({"maybe": 0}, "maybe = 0: expected more than 0"),
        ({"sizes": "12"}, "sizes = '12': expected a list, each an integer"),
        ({"sizes": {"1": 2}}, "sizes = {'1': 2}: expected a list, each an integer"),
        ({"sizes": {1, 2}}, "sizes = {1, 2}: expected a list, each an integer"),
        ({"sizes": 3}, "sizes = 3: expected a list, each an integer"),
        ({"sizes": [1, 2.5]}, "sizes.1 = 2.5: expected an integer"),
        ({"sizes": [4, 0]}, "sizes = [4, 0]: expected at least 1"),
        ({"pair": [1]}, "pair = [1]: expected a list of 2: an integer, a finite number"),
        ({"pair": [1, "2"]}, "pair.1 = '2': expected a finite number"),
        ({"weights": [1]}, "expected a table whose values are each a finite number"),
        ({"weights": {"a": 1, "b": "2"}}, "weights.b = '2': expected a finite number"),
        ({"weights": {3: 1.0}}, "weights.3 = 3: expected a text"),
        ({"nested_lists": {"x": [1, "2"]}}, "nested_lists.x.1 = '2': expected an integer"),
        ({"sequence": "abc"}, "sequence = 'abc': expected a list, each a text"),
        ({"either": 1.5}, "either = 1.5: expected an integer or a text or none"),
        ({"either": True}, "either = True: expected an integer or a text or none"),
        ({"auto": "atuo"}, "expected a finite number or one of 'auto'; did you mean 'auto'?"),
        ({"inner": 3}, "inner = 3: expected a table of settings (Inner)"),
        ({"inner": {"rate": 2}}, "inner.rate = 2: expected from 0 to 1"),
        ({"inner": {"mode": "contnue"}}, "'continue'; did you mean 'continue'?"),
        ({"inner": {"rat": 1}}, "inner.rat = 1: no such key; did you mean 'rate'?"),
        ({"inner": {"zz": 1}}, "inner.zz = 1: no such key; known are mode, rate"),
        ({"inner": None}, "inner = None: expected a table of settings (Inner)"),
        ({"perhaps": {"rate": 2}}, "perhaps.rate = 2: expected from 0 to 1"),
        ({"members": [{}, {"rate": "x"}]}, "members.1.rate = 'x': expected a finite number"),
        ({"members": {"0": {}}}, "members = {'0': {}}: expected a list, each a table of settings"),
        ({"by_name": {"one": {"rate": 9}}}, "by_name.one.rate = 9: expected from 0 to 1"),
        ({"place": 3}, "place = 3: expected a path or none"),
        ({"device": "cpu"}, "device = 'cpu': expected an object of torch.device or none"),
        ({"function": 3}, "function = 3: expected a function or none"),
        ({"colour": "green"}, "colour = 'green': expected one of 'red', 'blue'"),
        ({"noted": "x"}, "noted = 'x': expected an integer"),
        ({"version": True}, "version = True: expected one of 1, 2"),
        ({"version": 1.0}, "version = 1.0: expected one of 1, 2"),
        ({"least": 1}, "least = 1: 'least' must be >= 2: 1"),
        ({"countt": 1}, "countt = 1: no such key; did you mean 'count'?"),
        ({"a\nb": 1}, "'a\\nb' = 1: no such key; known are "),
        ({3: 1}, "3 = 1: no such key; known are "),
        (3, "(top) = 3: expected a table of settings (Outer)"),
        ("count", "(top) = 'count': expected a table of settings (Outer)"),
        ([], "(top) = []: expected a table of settings (Outer)"),
        (Inner(), "expected an object of Outer or a mapping of its fields, not of Inner"),
        (
            {"inner": Outer()},
            "expected an object of Inner or a mapping of its fields, not of Outer",
        ),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(given, line):
    assert line in message(given)


def test_all_problems_are_told_at_once():
    text = message(
        {"cuont": 1, "count": 0, "sizes": ["a", 1, "b"], "inner": {"rate": 2, "mode": "no"}}
    )
    assert text.splitlines() == [
        "6 problems in cfg:",
        "  - cuont = 1: no such key; did you mean 'count'?",
        "  - count = 0: expected at least 1",
        "  - sizes.0 = 'a': expected an integer",
        "  - sizes.2 = 'b': expected an integer",
        "  - inner.rate = 2: expected from 0 to 1",
        "  - inner.mode = 'no': expected one of 'raise', 'continue'",
    ]


def test_a_flood_of_problems_is_cut():
    text = message({"sizes": ["a"] * 1000})
    assert text.startswith("1000 problems in cfg:")
    assert text.endswith("  - and 970 more")
    assert len(text.splitlines()) == 32


def test_a_missing_key_is_told():
    @frozen(kw_only=True)
    class Needs:
        env: str
        seed: int = 0

    assert "env is missing: expected a text" in message({"seed": 1}, Needs)


def test_an_object_is_checked_like_a_mapping():
    assert "count = True: expected an integer" in message(Outer(count=True))
    assert "inner.mode = 'no': expected one of" in message(Outer(inner=Inner(mode="no")))
    assert "members.1.rate = True" in message(Outer(members=[Inner(), Inner(rate=True)]))


def test_an_object_of_a_subclass_is_taken_and_of_a_superclass_refused():
    @frozen(kw_only=True)
    class More(Inner):
        extra: int = 1

    more = More(extra=2)
    assert structure(Inner, more) is more
    assert "expected an object of More" in message(Inner(), More)


def test_a_check_of_the_whole_object_is_told():
    @frozen(kw_only=True)
    class Range:
        low: int = 0
        high: int = 1

        def __attrs_post_init__(self):
            if self.low > self.high:
                raise ValueError("low must not be above high")

    assert "(top) = {'low': 3}: low must not be above high" in message({"low": 3}, Range)


def test_a_validator_that_looks_at_other_fields_works():
    @frozen(kw_only=True)
    class Pair:
        low: int = 0
        high: int = field(default=1)

        @high.validator
        def _check(self, attribute, value):
            if value < self.low:
                raise ValueError("high must be at least low")

    assert structure(Pair, {"low": 1, "high": 2}) == Pair(low=1, high=2)
    assert "high must be at least low" in message({"low": 3, "high": 2}, Pair)


def test_a_converter_of_the_class_is_used():
    @frozen(kw_only=True)
    class Upper:
        name: str = field(default="a", converter=str.upper, validator=attrs.validators.in_("AB"))

    assert structure(Upper, {"name": "b"}).name == "B"
    assert "'name' must be in" in message({"name": "c"}, Upper)


@frozen(kw_only=True)
class Node:
    child: "Node | None" = None


def test_what_is_nested_too_deeply_is_refused():
    value: dict = {}
    for _ in range(100_000):
        value = {"child": value}
    assert "nested too deeply" in message(value, Node)


def test_objects_that_can_not_be_shown_do_not_hide_the_problem():
    class Shy:
        def __repr__(self):
            raise RuntimeError("no")

    assert "count = <Shy>: expected an integer" in message({"count": Shy()})


def test_annotations_that_can_not_be_read_are_the_class_s_fault():
    @frozen
    class Wrong:
        x: "NowhereToBeFound" = 1  # noqa: F821

    with pytest.raises(TypeError, match=r"annotations of Wrong can't be read: .*NowhereToBeFound"):
        structure(Wrong, {})


def test_a_validator_names_the_field_when_an_object_is_made_directly():
    with pytest.raises(ConfigError, match=r"^count = 0: expected at least 1$"):
        Outer(count=0)
    with pytest.raises(ConfigError, match=r"^count = '10': expected at least 1$"):
        Outer(count="10")


def test_plain_values_come_back():
    value = Outer(sizes=(1, 2), inner=Inner(rate=0.25), members=[Inner()])
    plain = unstructure(value)
    assert plain["sizes"] == [1, 2]
    assert plain["inner"] == {"rate": 0.25, "mode": "raise"}
    assert structure(Outer, plain) == value
