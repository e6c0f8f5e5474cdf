"""What a run's lineage tells: settings over time, who went on from whom, fitness."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from .._controllers.journal import read_lineage
from .plain import clean, number, table, whole
from .records import ReportedRun
from .tables import Row

CHANGE = (
    "run", "timestep", "by", "event", "member", "donor", "fitness", "before", "after", "note",
)  # fmt: skip


@frozen(kw_only=True)
class Descent:
    """A member that went on with what another had learned.

    Attributes:
        timestep: When.
        heir: The member.
        donor: The other.
    """

    timestep: int
    heir: str
    donor: str


@frozen(kw_only=True)
class Evolution:
    """What was done to the members of a run.

    Attributes:
        run: Name of the run in the report.
        members: Names of its members, in order of scope.
        end: The last timestep.
        settings: For each setting that changed, by member: when, and to what.
        descents: Who went on from whom, in order of time.
        fitness: By member: when it was measured, and the value.
        stops: When members were stopped, by name.
        rows: Every change, for ``lineage.csv``.
    """

    run: str
    members: tuple[str, ...]
    end: int
    settings: dict[str, dict[str, list[tuple[int, Any]]]]
    descents: tuple[Descent, ...]
    fitness: dict[str, list[tuple[int, float]]]
    stops: dict[str, int]
    rows: tuple[Row, ...] = field(repr=False)

    def ancestors(self) -> list[tuple[Descent, str]]:
        """Tell for each descent whose weights of the beginning the heir goes on with.

        Of descents at one timestep, each donor is as it was before all of them.
        """
        root = {member: member for member in self.members}
        found = []
        for timestep in sorted({descent.timestep for descent in self.descents}):
            before = dict(root)
            for descent in self.descents:
                if descent.timestep == timestep:
                    root[descent.heir] = before[descent.donor]
                    found.append((descent, root[descent.heir]))
        return found


def read_evolution(run: ReportedRun) -> Evolution | None:
    """Read what was done to the members of a run; ``None``: nothing."""
    changes = [change for entry in read_lineage(run.path) if (change := _checked(entry))]
    if not changes:
        return None
    members = tuple(member.name for member in run.members)
    known = [change for change in changes if change["member"] in members]
    told = max(change["timestep"] for change in changes)
    return Evolution(
        run=run.name,
        members=members,
        end=max(told, *(round(own.steps / max(1, own.instances)) for own in run.members)),
        settings=_settings(known),
        descents=tuple(
            Descent(timestep=change["timestep"], heir=change["member"], donor=change["donor"])
            for change in known
            if change["donor"] in members
        ),
        fitness=_fitness(known),
        stops={c["member"]: c["timestep"] for c in known if c["event"] == "stop"},
        rows=tuple(_row(run.name, change) for change in changes),
    )


def _checked(entry: Mapping[str, Any]) -> Row | None:
    timestep = whole(entry.get("timestep"))
    if timestep is None or timestep < 0:
        return None
    texts = {key: clean(entry.get(key, "")) for key in ("by", "event", "member", "donor", "note")}
    return {
        "timestep": timestep,
        **texts,
        "before": {clean(k): v for k, v in table(entry.get("before")).items()},
        "after": {clean(k): v for k, v in table(entry.get("after")).items()},
        "fitness": number(entry.get("fitness")),
    }


def _settings(changes: Iterable[Row]) -> dict[str, dict[str, list[tuple[int, Any]]]]:
    found: dict[str, dict[str, list[tuple[int, Any]]]] = {}
    for change in changes:
        if change["event"] == "fitness":
            continue
        for name, value in change["after"].items():
            own = found.setdefault(name, {}).setdefault(change["member"], [])
            if not own and name in change["before"] and change["timestep"] > 0:
                own.append((0, change["before"][name]))
            own.append((change["timestep"], value))
    return found


def _fitness(changes: Sequence[Row]) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for change in changes:
        if change["event"] == "fitness" and change["fitness"] is not None:
            point = change["timestep"], change["fitness"]
            found.setdefault(change["member"], []).append(point)
    return found


def _row(run: str, change: Row) -> Row:
    texts = {
        key: clean(json.dumps(change[key], default=str), 2000) if change[key] else ""
        for key in ("before", "after")
    }
    return {"run": run, **change, **texts}
