"""Learning curves from a metrics.csv."""

import json
import sys
from importlib.util import find_spec

import pytest
from attrs import field, frozen

from coterie import ConfigError
from coterie._runs.curves import Curve, mean_of_last, plot_curves, read_curves
from coterie._runs.drawing import step_text
from coterie._runs.settings import settings_text, split_settings, told_settings

draws = pytest.mark.skipif(find_spec("matplotlib") is None, reason="needs the extra plot")

ROWS = """timestep,env_steps,wall_time,member,name,value
10,40,0.5,a,episode/return,10.0
10,40,0.5,a,episode/length,10.0
10,40,0.5,a,episode/count,4.0
10,20,0.5,b,loss/policy,0.25
20,80,1.0,a,loss/policy,0.5
30,120,1.5,a,episode/return,30.0
30,120,1.5,a,episode/count,5.0
30,60,1.5,b,episode/return,7.0
30,60,1.5,b,episode/count,2.0
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "metrics.csv").write_text(ROWS)
    about = {"environment": {"name": "testing:Curves-v0"}}
    (tmp_path / "run.json").write_text(json.dumps(about))
    changed = [
        {"name": "a", "settings": {"rate": 0.1, "model.size": 8}},
        {"name": "b", "settings": {"rate": 0.5, "model.size": 8}},
    ]
    (tmp_path / "summary.json").write_text(json.dumps({"members": changed}))
    return tmp_path


def test_only_episodes_are_read_with_how_many_ended(run):
    assert read_curves(run / "metrics.csv") == [
        Curve("a", steps=(40, 120), returns=(10.0, 30.0), episodes=(4, 1)),
        Curve("b", steps=(60,), returns=(7.0,), episodes=(2,)),
    ]


def test_the_mean_of_the_last_episodes_by_hand():
    # Four episodes of 10, then one of 30, then two of 0; the window is 3 episodes.
    assert mean_of_last([10.0, 30.0, 0.0], [4, 1, 2], 3) == [10.0, (40 + 30) / 5, 30 / 3]
    assert mean_of_last([10.0, 30.0, 0.0], [4, 1, 2], 2) == [10.0, (40 + 30) / 5, 0.0]
    assert mean_of_last([5.0], [1], 20) == [5.0]


@draws
def test_a_picture_and_the_same_as_vectors(run):
    path = plot_curves(run)
    assert path == run / "learning-curves.png"
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    text = (run / "learning-curves.svg").read_text()
    assert text.count("<svg") == 1


@draws
def test_what_the_picture_says(run, monkeypatch):
    import matplotlib.figure

    drawn = []
    save = matplotlib.figure.Figure.savefig
    monkeypatch.setattr(
        matplotlib.figure.Figure,
        "savefig",
        lambda self, *a, **k: (drawn.append(self), save(self, *a, **k)),
    )
    plot_curves(run)
    (axes,) = drawn[0].axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["a: rate=0.1", "b: rate=0.5"]
    assert axes.get_title(loc="left") == "testing:Curves-v0\nmodel.size=8"
    assert axes.get_xlabel() == "environment steps of each member"
    assert axes.get_ylabel() == "mean return per episode"
    bold = [line for line in axes.get_lines() if line.get_marker() != "None"]
    assert list(bold[0].get_xdata()) == [40, 120]
    assert list(bold[0].get_ydata()) == [10.0, (4 * 10 + 30) / 5]
    assert (
        len({line.get_color() for line in bold}) == len({line.get_marker() for line in bold}) == 2
    )


@draws
def test_pyplot_is_left_alone(run):
    plot_curves(run)
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []


@draws
def test_a_run_without_other_files_is_drawn_by_names(tmp_path):
    (tmp_path / "metrics.csv").write_text(ROWS)
    assert plot_curves(tmp_path) == tmp_path / "learning-curves.png"


@draws
def test_forty_members_are_drawn_without_a_legend(tmp_path):
    lines = [f"1,{step},0.1,m{k},episode/return,{k}" for k in range(40) for step in (10, 20)]
    (tmp_path / "metrics.csv").write_text("\n".join([ROWS.splitlines()[0], *lines]) + "\n")
    assert plot_curves(tmp_path) is not None


def test_no_episode_no_picture(tmp_path):
    head, *rows = ROWS.splitlines(keepends=True)
    (tmp_path / "metrics.csv").write_text(head + "".join(r for r in rows if "episode" not in r))
    assert plot_curves(tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]


@pytest.mark.parametrize("content", [None, "a,b\n1,2\n", ROWS.replace("120", "many")])
def test_what_holds_no_metrics(tmp_path, content):
    if content is not None:
        (tmp_path / "metrics.csv").write_text(content)
    with pytest.raises(ConfigError, match=r"metrics\.csv|no metrics"):
        plot_curves(tmp_path)


def test_without_matplotlib_the_message_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(ConfigError, match=r'pip install "coterie-core\[plot\]"'):
        plot_curves(run)


def test_numbers_of_steps_are_short():
    assert [step_text(v) for v in (0, 500, 1500, 2e6, 3e9)] == ["0", "500", "1.5k", "2M", "3G"]


def test_shared_settings_are_parted_from_the_others():
    settings = [{"x": 1, "y": 2, "z": 3}, {"x": 1, "y": 5}]
    assert split_settings(settings) == ({"x": 1}, [{"y": 2, "z": 3}, {"y": 5}])
    assert split_settings(settings[:1]) == ({}, settings[:1])
    assert settings_text({"rate": 0.0003, "sizes": (8, 8)}) == "rate=0.0003, sizes=(8, 8)"


@frozen
class Net:
    width: int = 64


@frozen
class Cfg:
    rate: float = 0.5
    steps: int = 8
    net: Net = field(factory=Net)


def test_what_one_member_changed_is_told_of_all_of_its_kind():
    cfgs = [Cfg(rate=0.1), Cfg(net=Net(width=8)), Net(width=9), Net()]
    assert told_settings(cfgs) == [
        {"rate": 0.1, "net.width": 64},
        {"rate": 0.5, "net.width": 8},
        {"width": 9},
        {"width": 64},
    ]
    assert told_settings([Cfg(), "no settings"]) == [{}, {}]
