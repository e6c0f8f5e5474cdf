"""Pictures side by side, with names above them."""

import numpy as np
import pytest
import torch

from coterie import tile_frames
from coterie._pictures.font import written
from coterie._pictures.tiling import caption_scale


def test_tiles_and_captions():
    frames = np.arange(5, dtype=np.uint8)[:, None, None, None] + np.zeros((5, 10, 20, 3), np.uint8)
    whole = tile_frames(frames, columns=2)
    assert whole.shape == (3 * 12 - 2, 2 * 22 - 2, 3)
    assert [int(whole[12 * (k // 2), 22 * (k % 2), 0]) for k in range(5)] == list(range(5))
    assert (whole[24:, 22:] == 255).all()
    named = tile_frames(torch.from_numpy(frames), ["a", "a", "b", "b", "b"], columns=5)
    strip = named[:9]
    ink = written("a")
    assert (strip[2:7, 2:6, 0] == 30).tolist() == ink.tolist()
    assert strip[0, 0, 0] == strip[0, 22, 0] != strip[0, 44, 0] == strip[0, 66, 0]


def test_letters():
    assert written("i").astype(int).tolist() == [
        [1, 1, 1, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [1, 1, 1, 0]
    ]  # fmt: skip
    assert (written("é") == written("?")).all()
    assert written("").shape == (5, 0)
    known = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:=+/,()[]#%@*?"
    assert len({written(letter).tobytes() for letter in known}) == len(known) - 0


def test_what_can_not_be_tiled():
    with pytest.raises(ValueError, match=r"expected uint8 \[M, height, width, 3\], got float64"):
        tile_frames(np.zeros((1, 2, 2, 3)))
    with pytest.raises(ValueError, match="at least one picture"):
        tile_frames(np.zeros((0, 2, 2, 3), np.uint8))
    with pytest.raises(ValueError, match="captions: expected 1, one per picture, got 2"):
        tile_frames(np.zeros((1, 2, 2, 3), np.uint8), ["a", "b"])


def test_a_long_name_goes_over_several_lines():
    """Four letters fit into a line of 20 pixels, and three lines are the most."""
    frame = np.zeros((1, 4, 20, 3), np.uint8)
    whole = tile_frames(frame, ["ab-cd efghijkl"])
    assert whole.shape == (4 + 3 * 5 + 2 * 2 + 4, 20, 3)
    ink = whole[:23, :, 0] == 30
    for row, text in ((2, "ab-"), (9, "cd e"), (16, "fghi")):
        assert (ink[row : row + 5, 2 : 2 + 4 * len(text)] == written(text)).all()
    assert not ink[7:9].any()
    short = tile_frames(np.concatenate((frame, frame)), ["a", "ab cd"], columns=2)
    assert short.shape[0] == 4 + 2 * 5 + 2 + 4


def test_letters_grow_with_the_picture():
    assert [caption_scale(width) for width in (20, 64, 256, 300, 600)] == [1, 2, 2, 3, 4]


def test_those_of_one_name_fill_rows_where_each_name_has_as_many():
    frames = np.zeros((12, 10, 20, 3), np.uint8)
    four_each = [name for name in ("a", "b", "c") for _ in range(4)]
    assert tile_frames(frames, four_each).shape[1] == 4 * 22 - 2
    two_each = [f"m{index // 2}" for index in range(12)]
    assert (tile_frames(frames, two_each).shape[1] + 2) // 22 % 2 == 0
    alone = [f"m{index}" for index in range(12)]
    assert tile_frames(frames, alone).shape == tile_frames(frames, [*alone[:-1], "x"]).shape
