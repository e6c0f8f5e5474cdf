"""The files of a report, and the command."""

import csv
import json
import re
from html.parser import HTMLParser

import pytest

pytest.importorskip("scipy")
pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

import coterie._runs.drawing
from coterie import ConfigError
from coterie._cli.main import main
from coterie._report.build import Options, make_report
from coterie._report.tables import interval_text, shown, terminal_table

QUICK = Options(points=10, resamples=100)
VOID = {"meta", "br", "path", "use", "rect", "image"}
EVIL = '<script>alert("a")</script>'


class Page(HTMLParser):
    """Collects what a page is made of, and checks that elements are closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.ids, self.attributes, self.open, self.texts = [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append(tag)
        self.attributes += attributes
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(autouse=True, scope="module")
def coarse_pictures():
    """Fine ones take long to compress."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coterie._runs.drawing, "DPI", 30)
        yield


def write_two_groups(runs):
    return [
        runs.seeds("slow", [1.0, 2.0, 3.0, 4.0, 5.0], settings={"rate": 0.1}),
        runs.seeds("fast", [6.0, 7.0, 8.0, 2.0, 9.0], settings={"rate": 0.2}),
    ]


@pytest.fixture
def two_groups(runs):
    return write_two_groups(runs)


@pytest.fixture(scope="module")
def out(runs_of_module):
    """A report that several tests look at."""
    folder = runs_of_module.folder / "out"
    make_report(write_two_groups(runs_of_module), folder, QUICK)
    return folder


def test_the_numbers_in_the_files(out):
    slow, fast = rows(out / "groups.csv")
    assert (slow["group"], slow["label"], slow["seeds"]) == ("A", "rate=0.1", "5")
    assert (slow["mean"], slow["median"], slow["best"]) == ("3.0", "3.0", "5.0")
    assert (fast["mean"], fast["median"], fast["average"], fast["worst"]) == (
        "7.0", "7.0", "6.4", "2.0",
    )  # fmt: skip
    assert float(slow["low"]) < 3 < float(slow["high"])
    there, back = rows(out / "improvement.csv")
    # Of 25 pairs, 5 * 4 of the first kind lose to 6, 7, 8 and 9; against 2: 1 loses, 2 ties.
    assert float(back["probability"]) == pytest.approx((20 + 1 + 0.5) / 25)
    assert float(there["probability"]) == pytest.approx(1 - 21.5 / 25)
    assert [row["result"] for row in rows(out / "members.csv")][:2] == ["1.0", "2.0"]
    curve = [r for r in rows(out / "curves.csv") if (r["group"], r["axis"]) == ("A", "steps")]
    # The last 20 episodes are those of all four intervals, the last of which has 5 of them.
    assert (curve[-1]["x"], curve[-1]["seeds"]) == ("160.0", "5")
    assert float(curve[-1]["mean"]) == pytest.approx(3 * (1 + 2 + 3 + 4) / 16)
    members = rows(out / "member-curves.csv")
    assert {row["axis"] for row in members} == {"steps", "time"}
    assert {row["run"] for row in members} == {"slow", "fast"}


def test_the_files_of_a_report(out):
    pictures = {"curves-steps", "curves-time", "members", "results", "improvement"}
    numbers = {"curves", "member-curves", "members", "groups", "improvement"}
    expected = {f"{name}.{kind}" for name in pictures for kind in ("png", "svg")}
    expected |= {f"{name}.csv" for name in numbers} | {"report.html"}
    assert {path.name for path in out.iterdir()} == expected
    for name in pictures:
        assert (out / f"{name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_same_runs_and_seed_give_the_same_bytes(out, two_groups, tmp_path):
    make_report(two_groups, tmp_path / "again", QUICK)
    different = [
        path.name
        for path in out.iterdir()
        if path.suffix != ".png"
        and path.read_bytes() != (tmp_path / "again" / path.name).read_bytes()
    ]
    assert different == []
    make_report(two_groups, tmp_path / "other", Options(points=10, resamples=100, seed=1))
    other = (tmp_path / "other" / "groups.csv").read_bytes()
    assert other != (out / "groups.csv").read_bytes()


def test_the_page_stands_alone(out):
    text = (out / "report.html").read_text()
    page = Page(text)
    assert page.open == []
    assert page.elements.count("svg") == 5
    assert not {"script", "link", "iframe", "img", "object"} & set(page.elements)
    addresses = [
        v for name, v in page.attributes if name in ("src", "href", "action", "xlink:href")
    ]
    assert addresses
    assert [address for address in addresses if not address.startswith(("#p", "data:"))] == []
    assert "://" not in text
    assert len(page.ids) == len(set(page.ids))
    used = [address[1:] for address in addresses if address.startswith("#")]
    used += re.findall(r"url\(#([^)]+)\)", text)
    assert set(used) <= set(page.ids)
    assert "@media print" in text


def test_names_are_texts_wherever_they_come_from(runs, tmp_path):
    member = runs.member(EVIL, 0, kind=EVIL, **{EVIL: EVIL})
    other = runs.member("_b$x_$", 1, kind=EVIL)
    path = runs.write(
        "r", [member, other], runs.episodes(EVIL, [1.0, 2.0]) + runs.episodes("_b$x_$", [1.0]),
        [runs.ended(EVIL, 2.0, failure=EVIL, failed_in=EVIL), runs.ended("_b$x_$", 1.0)],
        env=EVIL, env_settings={EVIL: EVIL}, trainer=EVIL, versions={EVIL: EVIL}, command=[EVIL],
    )  # fmt: skip
    (path / "traceback.txt").write_text(f"{EVIL}\x1b[2J")
    make_report([path], tmp_path / "out", QUICK)
    text = (tmp_path / "out" / "report.html").read_text()
    page = Page(text)
    assert "script" not in page.elements
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "".join(page.texts).count(EVIL) > 8
    assert "\x1b" not in text
    assert r"\x1b[2J" in text


def test_controls_and_halves_of_letters_are_written_as_escapes(runs, tmp_path):
    name = "a\x00\x1b\ud800\u4e2d"
    path = runs.write("r", [runs.member(name)], [], [runs.ended(name, 2.0)], env=name)
    make_report([path], tmp_path / "out", QUICK)
    assert r"a\x00\x1b\ud800中" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.usefixtures("no_layout")
def test_several_environments_have_sections_and_are_compared_across(runs, tmp_path):
    paths = [
        runs.seeds(f"{env}{rate}", [base + k for k in range(3)], settings={"rate": rate},
                   env=f"torch:{env}")
        for env, top in (("X", 0.0), ("Y", 100.0))
        for rate, base in ((1, top), (2, top + 10))
    ]  # fmt: skip
    report = make_report(paths, tmp_path / "out", QUICK)
    assert [row["environment"] for row in report.groups] == ["torch:X"] * 2 + ["torch:Y"] * 2
    assert (tmp_path / "out" / "curves-steps-2-torch-Y.png").exists()
    across = [
        r for r in rows(tmp_path / "out" / "groups.csv") if r["environment"] == "all environments"
    ]
    # Results 0, 1, 2 and 10, 11, 12 in each, scaled by 12.
    assert [float(row["mean"]) for row in across] == pytest.approx([1 / 12, 11 / 12])
    assert [row["seeds"] for row in across] == ["6", "6"]
    pairs = rows(tmp_path / "out" / "improvement.csv")
    last = [row for row in pairs if row["environment"] == "all environments"]
    assert [float(row["probability"]) for row in last] == [0.0, 1.0]
    assert "Across environments" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.usefixtures("no_layout")
def test_failures_are_told(runs, tmp_path):
    ends = [runs.ended("a", 1.0, status="failed", failure="it broke", failed_in="act", failed_at=7)]
    path = runs.write("r", [runs.member()], runs.episodes("a", [1.0]), ends)
    report = make_report([path], tmp_path / "out", QUICK)
    text = "".join(Page((tmp_path / "out" / "report.html").read_text()).texts)
    assert re.search(r"a\s*r\s*act\s*7\s*it broke", text)
    assert report.groups[0]["failed"] == 1


def test_no_finished_episode(runs, tmp_path):
    path = runs.write("r", [runs.member()], [], [runs.ended("a", None)])
    report = make_report([path], tmp_path / "out", QUICK)
    assert report.groups[0]["seeds"] == 0
    assert not (tmp_path / "out" / "curves-steps.png").exists()
    assert "nothing to draw" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.usefixtures("no_layout")
def test_an_earlier_report_is_replaced_and_nothing_else(two_groups, runs, tmp_path):
    out = tmp_path / "out"
    make_report(two_groups, out, QUICK)
    (out / "notes.txt").write_text("mine")
    make_report(two_groups[:1], out, QUICK)
    assert not (out / "improvement.png").exists()
    assert (out / "notes.txt").read_text() == "mine"
    with pytest.raises(ConfigError, match="holds other files"):
        make_report(two_groups, runs.folder / "slow", QUICK)
    with pytest.raises(ConfigError, match="is a file"):
        make_report(two_groups, two_groups[0] / "run.json", QUICK)


@pytest.mark.usefixtures("no_layout")
def test_matplotlib_is_as_it_was(two_groups, tmp_path):
    import matplotlib

    before = matplotlib.rcParams["axes.facecolor"], matplotlib.rcParams["svg.hashsalt"]
    matplotlib.rcParams["axes.facecolor"] = "black"
    try:
        make_report(two_groups, tmp_path / "out", QUICK)
        assert matplotlib.rcParams["axes.facecolor"] == "black"
        assert matplotlib.rcParams["svg.hashsalt"] == before[1]
    finally:
        matplotlib.rcParams["axes.facecolor"] = before[0]


@pytest.mark.usefixtures("no_layout")
def test_the_command_prints_the_groups_and_where_the_page_is(two_groups, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["report", *map(str, two_groups), "--resamples", "100"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines()[:-1])) <= 80
    assert re.search(r"A: rate=0.1 +5 +3 ", out)
    page = two_groups[0] / "report-2-runs" / "report.html"
    assert out.splitlines()[-1] == f"report: {page}"
    assert page.exists()


@pytest.mark.usefixtures("no_layout")
def test_a_single_run_has_its_report_inside(two_groups, capsys):
    assert main(["report", str(two_groups[0]), "--resamples", "100", "--points", "5"]) == 0
    assert (two_groups[0] / "report" / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give the folder of at least one run"),
        (["nothing"], "there is no run nothing"),
        (["."], "holds no run"),
        (["x", "--points", "1"], "--points must be 2 to 10000, got 1"),
        (["x", "--resamples", "0"], "--resamples must be 100"),
        (["x", "--seed", "-1"], "--seed must be 0"),
    ],
)
def test_what_the_command_refuses(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["report", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_layout")
@pytest.mark.parametrize("module", ["scipy", "jinja2", "matplotlib.figure"])
def test_what_is_not_installed_is_told(module, two_groups, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=r'pip install "coterie-core\[report\]"'):
        make_report(two_groups, tmp_path / "out", QUICK)


def test_numbers_for_people():
    assert [shown(v) for v in (0.123456, 87.654, 1234.5, -1388.7, 12_000, None, float("nan"))] == [
        "0.1235", "87.65", "1,234", "-1,389", "12,000", "-", "-",
    ]  # fmt: skip
    assert interval_text(0.5, 1200.0) == "0.5 to 1,200"
    assert interval_text(float("nan"), None) == "-"


def test_long_labels_are_cut_for_the_terminal():
    row = {"group": "A", "label": "x" * 200, "seeds": 3, "mean": 1.0, "low": 0.5, "high": 2.0,
           "median": 1.0, "best": 2.0}  # fmt: skip
    lines = terminal_table([row], 80).splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" in lines[-1]


@pytest.mark.usefixtures("no_layout")
def test_what_the_trainer_writes_is_what_the_report_reads(made_envs, tmp_path, capsys):
    run = tmp_path / "run"
    command = [
        "train",
        "testing:Counting-v0",
        "--agent",
        "sum",
        "--members",
        "3",
        "--num-envs",
        "6",
    ]
    assert main([*command, "--timesteps", "60", "--run-dir", str(run), "--no-progress"]) == 0
    assert main(["report", str(run), "--resamples", "100", "--points", "20"]) == 0
    (group,) = rows(run / "report" / "groups.csv")
    summary = json.loads((run / "summary.json").read_text())
    results = [member["mean_return"] for member in summary["members"]]
    assert float(group["average"]) == pytest.approx(sum(results) / 3)
    assert {row["env_steps"] for row in rows(run / "report" / "members.csv")} == {"120"}
    assert (run / "report" / "time-shares.png").exists()
