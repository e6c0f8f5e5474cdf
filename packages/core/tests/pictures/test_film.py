"""Films: frames of whatever an environment renders, and files that can be read back."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from coterie import ConfigError, tile_frames
from coterie._pictures.film import Film, check_film
from coterie._pictures.frames import compose, shown, shrink

films = pytest.mark.skipif(find_spec("imageio_ffmpeg") is None, reason="needs the extra video")
CAPTIONS = {"a": range(1), "b": range(2, 3)}


def frames_of(count=3, height=20, width=30):
    """Pictures of one shade each."""
    shades = (40 * np.arange(count, dtype=np.uint8) + 60)[:, None, None, None]
    return np.broadcast_to(shades, (count, height, width, 3)).copy()


def read(path):
    import imageio_ffmpeg

    reader = imageio_ffmpeg.read_frames(str(path))
    about = next(reader)
    width, height = about["size"]
    return about, [np.frombuffer(one, np.uint8).reshape(height, width, 3) for one in reader]


def write(path, *pictures):
    with Film(path, fps=5, length=9) as film:
        for picture in pictures:
            film(picture)


def test_pictures_of_instances_are_chosen_and_tiled_with_names():
    pictures = frames_of()
    expected = tile_frames(pictures[[0, 2]], ["a", "b"])
    height, width, _ = expected.shape
    for given in (pictures, list(pictures), tuple(map(torch.from_numpy, pictures))):
        found = compose(given, CAPTIONS)
        assert (found[:height, :width] == expected).all()
        assert found.shape[0] % 2 == found.shape[1] % 2 == 0
    assert (compose(torch.from_numpy(pictures), CAPTIONS) == found).all()


def test_one_picture_is_taken_as_it_is_and_made_even():
    picture = frames_of(1, 5, 7)[0]
    found = compose(picture, CAPTIONS)
    assert found.shape == (6, 8, 3)
    assert (found[:5, :7] == picture).all()
    assert (found[5] == 255).all()


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (None, "gives no pictures"),
        (np.zeros((4, 4, 3)), r"are float64 \[4, 4, 3\]"),
        (np.zeros((4, 4), np.uint8), r"are uint8 \[4, 4\]"),
        ([np.zeros((4, 4, 3), np.uint8), np.zeros((5, 4, 3), np.uint8)], "a video is made of"),
    ],
)
def test_what_is_no_picture(picture, words):
    with pytest.raises(ConfigError, match=words):
        compose(picture, CAPTIONS)


def test_many_large_pictures_become_small_ones():
    """16 of 400 by 600 are 3.84 million pixels, three times too many: twos become means."""
    big = np.zeros((16, 400, 600, 3), np.uint8)
    big[:, ::2, ::2] = 100
    small = shrink(big)
    assert small.shape == (16, 200, 300, 3)
    assert (small == 25).all()
    assert shrink(big[:2]) is not None
    assert shrink(big[:2]).shape == (2, 400, 600, 3)
    assert shrink(np.zeros((2, 1, 3_000_000, 3), np.uint8)).shape[1] == 1


@pytest.mark.parametrize(
    ("members", "each"), [(1, 4), (2, 4), (4, 4), (5, 3), (8, 2), (16, 1), (40, 1)]
)
def test_a_film_shows_the_first_instances_of_each(members, each):
    scopes = {f"m{k}": range(10 * k, 10 * k + 10) for k in range(members)}
    found = shown(scopes)
    assert list(found) == list(scopes)
    assert all(found[name] == scope[:each] for name, scope in scopes.items())


def test_a_small_scope_is_shown_whole():
    assert shown({"a": range(2), "b": range(2, 9)}) == {"a": range(2), "b": range(2, 6)}


@films
@pytest.mark.parametrize("name", ["film.mp4", "film.gif", "FILM.MP4"])
def test_a_film_can_be_read_back(tmp_path, name):
    path = tmp_path / name
    with Film(path, fps=20, length=8, captions={"one": range(1)}) as film:
        wanted = [film(np.full((1, 40, 60, 3), 20 * k, np.uint8)) for k in range(8)]
        assert not path.exists()
    assert wanted == [True] * 7 + [False]
    assert [one.name for one in tmp_path.iterdir()] == [name]
    about, found = read(path)
    assert about["fps"] == 20
    assert len(found) == film.frames == 8
    shades = [int(frame[-12:-4, 10:-10].mean()) for frame in found]
    assert shades == pytest.approx([20 * k for k in range(8)], abs=6)
    strip = found[0][:14].astype(int)
    assert strip.max() > 200
    assert strip.min() < 70


@films
def test_an_older_film_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "film.gif"
    path.write_bytes(b"old")
    with pytest.raises(ConfigError, match="gives no pictures"):
        write(path, np.zeros((8, 8, 3), np.uint8), None)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    write(path, np.zeros((8, 8, 3), np.uint8))
    assert path.read_bytes().startswith(b"GIF")


@films
def test_no_picture_is_no_film(tmp_path):
    with Film(tmp_path / "film.mp4", fps=5, length=9) as film:
        pass
    assert film.frames == 0
    assert list(tmp_path.iterdir()) == []


@films
def test_pictures_must_keep_their_size(tmp_path):
    pictures = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 10, 3), np.uint8)
    with pytest.raises(ConfigError, match=r"\[8, 8, 3\] at first, \[8, 10, 3\] after 1 frames"):
        write(tmp_path / "film.mp4", *pictures)
    assert list(tmp_path.iterdir()) == []


def test_names_and_folders_are_checked_first(tmp_path):
    with pytest.raises(ConfigError, match=r"ends in \.mp4 or \.gif"):
        check_film(tmp_path / "film.avi")
    with pytest.raises(ConfigError, match="there is no folder"):
        check_film(tmp_path / "none" / "film.mp4")
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(ConfigError, match="is a folder"):
        check_film(tmp_path / "folder.mp4")


def test_without_the_extra_the_line_that_installs_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(ConfigError, match=r'pip install "coterie-core\[video\]"'):
        check_film(tmp_path / "film.mp4")


@films
def test_without_an_encoder_it_is_told_how_to_get_one(tmp_path, monkeypatch):
    import imageio_ffmpeg

    def none():
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", none)
    with pytest.raises(ConfigError, match="IMAGEIO_FFMPEG_EXE"):
        check_film(tmp_path / "film.mp4")
