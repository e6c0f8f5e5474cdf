"""What a report tells of members that were changed while they trained."""

import csv
import json

import pytest

pytest.importorskip("scipy")
pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

import coterie._runs.drawing
from coterie import read_lineage
from coterie._report.build import Options, make_report
from coterie._report.evolution import Descent, read_evolution
from coterie._report.family import draw_family, draw_fitness, draw_settings
from coterie._report.reading import read_run

QUICK = Options(points=10, resamples=50)
EVIL = '<script>alert("a")</script>'
LINEAGE = [
    {"timestep": 0, "event": "settings", "member": "m0", "before": {"rate": 1},
     "after": {"rate": 0.1}},
    {"timestep": 0, "event": "settings", "member": "m1", "after": {"rate": 0.001, "kind": "a"}},
    {"timestep": 10, "event": "fitness", "member": "m0", "fitness": 1.0, "after": {"rate": 9}},
    {"timestep": 10, "event": "fitness", "member": "m1", "fitness": 5.0},
    {"timestep": 10, "event": "copy", "member": "m0", "donor": "m1", "after": {"rate": 0.002}},
    {"timestep": 20, "event": "copy", "member": "m2", "donor": "m0", "before": {"rate": 3.0},
     "after": {"rate": 0.003}, "note": EVIL},
    {"timestep": 20, "event": "copy", "member": "m0", "donor": "m2", "after": {"rate": 0.004}},
    {"timestep": 30, "event": "stop", "member": "m1", "fitness": 4.0},
]  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def coarse_pictures():
    """Fine ones take long to compress."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coterie._runs.drawing, "DPI", 30)
        yield


def write(runs, name="evolved", lines=None):
    folder = runs.seeds(name, [1.0, 2.0, 3.0])
    text = [json.dumps(entry) for entry in LINEAGE] if lines is None else lines
    (folder / "lineage.jsonl").write_text("".join(f"{line}\n" for line in text))
    return folder


def test_what_a_lineage_tells(runs):
    found = read_evolution(read_run(write(runs), "evolved"))
    assert found.settings == {
        "rate": {
            "m0": [(0, 0.1), (10, 0.002), (20, 0.004)],
            "m1": [(0, 0.001)],
            "m2": [(0, 3.0), (20, 0.003)],
        },
        "kind": {"m1": [(0, "a")]},
    }
    assert found.fitness == {"m0": [(10, 1.0)], "m1": [(10, 5.0)]}
    assert found.stops == {"m1": 30}
    assert found.end == 40
    # At timestep 20 members 0 and 2 change places: each goes on from the other as it was.
    assert found.ancestors() == [
        (Descent(timestep=10, heir="m0", donor="m1"), "m1"),
        (Descent(timestep=20, heir="m2", donor="m0"), "m1"),
        (Descent(timestep=20, heir="m0", donor="m2"), "m2"),
    ]


def test_the_page_shows_it(runs, tmp_path):
    folder = tmp_path / "out"
    make_report([write(runs)], folder, QUICK)
    page = (folder / "report.html").read_text()
    assert "Evolution of evolved" in page
    assert "of which 3 tell" in page
    assert EVIL not in page
    for name in ("settings", "family", "fitness"):
        assert (folder / f"{name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    with (folder / "lineage.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["event"] for row in rows] == [entry["event"] for entry in LINEAGE]
    assert rows[5]["note"] == EVIL
    assert json.loads(rows[4]["after"]) == {"rate": 0.002}


@pytest.mark.usefixtures("no_layout")
def test_several_runs_have_pictures_of_their_own_and_old_ones_go(runs, tmp_path):
    folder = tmp_path / "out"
    make_report([write(runs, "one"), write(runs, "two")], folder, QUICK)
    names = {path.name for path in folder.glob("family*.png")}
    assert names == {"family-1-one.png", "family-2-two.png"}
    make_report([runs.seeds("plain", [1.0, 2.0, 3.0])], folder, QUICK)
    left = {path.name for path in folder.iterdir()}
    assert not any(name.startswith(("family", "settings", "fitness", "lineage")) for name in left)
    assert "Evolution of" not in (folder / "report.html").read_text()


def test_damaged_lines_are_left_out(runs):
    lines = [
        '{"timestep": 1, "event": "fitn',
        "[1]",
        '{"timestep": -3, "event": "copy"}',
        '{"timestep": "soon"}',
        '{"timestep": 5, "event": "copy", "member": "nobody", "donor": "m1", "after": 7}',
        '{"timestep": 5, "event": "fitness", "member": "m1", "fitness": "NaN"}',
    ]
    folder = write(runs, lines=lines)
    assert len(read_lineage(folder)) == 4
    found = read_evolution(read_run(folder, "evolved"))
    assert len(found.rows) == 2
    assert (found.settings, found.descents, found.fitness) == ({}, (), {})
    assert draw_settings(found) is draw_family(found) is draw_fitness(found) is None


def test_a_run_without_changes_has_no_evolution(runs):
    assert read_evolution(read_run(runs.seeds("plain", [1.0]), "plain")) is None
    assert read_lineage(runs.folder / "nowhere") == []
