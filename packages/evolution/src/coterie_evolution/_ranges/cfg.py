"""Where the values of a hyper-parameter lie. Free of torch."""

from __future__ import annotations

from typing import Any, Literal

from attrs import field, frozen

from coterie.config import did_you_mean, more_than

_KINDS_WITH_BOUNDS = ("log", "linear", "int")


@frozen(kw_only=True)
class Range:
    """Where the values of one setting lie, and how far a disturbed one moves.

    Attributes:
        type: ``"log"``: numbers between two bounds whose logarithms are drawn evenly, such as
            learning rates; ``"linear"``: numbers drawn evenly; ``"int"``: whole numbers, drawn
            evenly; ``"choice"``: one of ``values``.
        low: The lower bound, which belongs to the range.
        high: The upper bound, which belongs to the range.
        values: Of a choice: the values.
        factors: Of ``"log"``: a disturbed value is multiplied by one of these.
        step: Of ``"linear"`` and ``"int"``: a disturbed value moves up or down by this part of
            the range, an integer by at least 1.
        ordered: Of a choice: whether a disturbed value is a neighbour of the old one in
            ``values``, instead of any other.
    """

    type: Literal["log", "linear", "int", "choice"]
    low: float | None = None
    high: float | None = None
    values: tuple[Any, ...] = ()
    factors: tuple[float, ...] = field(default=(0.8, 1.25), validator=more_than(0))
    step: float = field(default=0.1, validator=more_than(0))
    ordered: bool = False

    def __attrs_post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise ValueError(problem)

    @property
    def bounds(self) -> tuple[float, float]:
        """The lower and the upper bound, of a range that has them."""
        assert self.low is not None
        assert self.high is not None
        return self.low, self.high

    @property
    def extremes(self) -> tuple[Any, ...]:
        """Values that must be allowed for all to be: the bounds, or each choice."""
        if self.type == "choice":
            return self.values
        return tuple(int(bound) if self.type == "int" else bound for bound in self.bounds)

    def holds(self, value: Any) -> bool:
        """Whether a value lies in the range."""
        if self.type == "choice":
            return value in self.values
        low, high = self.bounds
        return bool(low <= value <= high)

    def _problem(self) -> str:
        if self.type == "choice":
            return self._problem_of_choice()
        if self.values:
            return f"values are for type 'choice', this is {self.type!r}: give low and high"
        if self.low is None or self.high is None:
            return f"type {self.type!r} needs low and high"
        if not self.low < self.high:
            return f"low must be less than high, got {self.low:g} and {self.high:g}"
        if self.type == "log" and self.low <= 0:
            return f"low must be more than 0 for type 'log', got {self.low:g}"
        if self.type == "int" and not (
            float(self.low).is_integer() and float(self.high).is_integer()
        ):
            return f"low and high must be whole numbers, got {self.low:g} and {self.high:g}"
        if all(factor == 1 for factor in self.factors):
            return "factors must hold a number other than 1"
        return ""

    def _problem_of_choice(self) -> str:
        if self.low is not None or self.high is not None:
            return "low and high are not for type 'choice': give values"
        if len(self.values) < 2:
            return "type 'choice' needs at least two values"
        if len({repr(value) for value in self.values}) < len(self.values):
            return "values must differ"
        return ""


def unknown_names(ranges: dict[str, Range], known: tuple[str, ...]) -> list[str]:
    """Say which names of ranges are not among those that are known."""
    return [
        f"{name!r} is no setting that can change while the agent lives"
        f"{did_you_mean(name, known) or '; these can: ' + (', '.join(known) or 'none')}"
        for name in ranges
        if name not in known
    ]
