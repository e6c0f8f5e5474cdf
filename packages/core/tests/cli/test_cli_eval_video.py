"""``coterie eval --video``."""

import json
from importlib.util import find_spec

import numpy as np
import pytest

from coterie._cli.main import main

pytestmark = pytest.mark.skipif(find_spec("imageio_ffmpeg") is None, reason="needs the extra video")


@pytest.fixture
def run(made_envs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options = ("--agent", "sum", "--members", "2", "--num-envs", "12", "--timesteps", "20")
    assert main(["train", "testing:Drawn-v0", *options, "--run-dir", "run"]) == 0
    made_envs.clear()
    capsys.readouterr()
    return tmp_path / "run"


def read(path):
    import imageio_ffmpeg

    reader = imageio_ffmpeg.read_frames(str(path))
    width, height = next(reader)["size"]
    return [np.frombuffer(one, np.uint8).reshape(height, width, 3) for one in reader]


@pytest.mark.parametrize("name", ["film.mp4", "film.gif"])
def test_the_first_steps_are_filmed_with_four_instances_of_each(run, made_envs, capsys, name):
    assert main(["eval", "run", "--episodes", "30", "--video", name, "--video-length", "6"]) == 0
    assert f"video: {name} (6 frames)" in capsys.readouterr().out
    frames = read(name)
    assert len(frames) == 6
    (env,) = made_envs
    assert env.drawn == 6
    assert env.captions == {"sum-s0": range(4), "sum-s1": range(6, 10)}
    # Two rows of four tiles, 64 by 48 pixels with a strip of 14 above them.
    assert frames[0].shape == (2 * (48 + 14 + 2) - 2, 4 * (64 + 2) - 2, 3)
    # The shade of a tile is 20 times the number of its instance.
    shades = [int(frames[5][40, 66 * k + 32].mean()) for k in range(4)]
    assert shades == pytest.approx([0, 20, 40, 60], abs=12)
    assert int(frames[5][64 + 40, 32].mean()) == pytest.approx(120, abs=12)


def test_results_are_the_same_with_and_without_a_video(run, capsys):
    found = []
    for more in ((), ("--video", "film.gif")):
        assert main(["eval", "run", "--episodes", "5", "--json", *more]) == 0
        found.append(json.loads(capsys.readouterr().out))
    plain, filmed = found
    assert [row["evaluation"] for row in plain["members"]] == [
        row["evaluation"] for row in filmed["members"]
    ]
    assert filmed["video"] == "film.gif"
    assert filmed["frames"] == filmed["timesteps"] == len(read("film.gif"))


def test_an_environment_without_pictures_says_so_and_leaves_no_file(
    made_envs, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    options = ("--agent", "sum", "--num-envs", "2", "--timesteps", "5", "--run-dir", "plain")
    assert main(["train", "testing:Counting-v0", *options]) == 0
    assert main(["eval", "plain", "--video", "film.mp4"]) == 2
    assert "gives no pictures to make a video of" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["plain"]
    assert made_envs[-1].closed
