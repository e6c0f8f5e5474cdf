"""Scalars of the infos, per member."""

import numpy as np
import pytest
import torch

from coterie._runs.info_scalars import InfoScalars

SCOPES = [slice(0, 1), slice(1, 4)]


def gathered(*infos, key="episode", num_envs=4, scopes=SCOPES):
    scalars = InfoScalars(key, scopes, num_envs)
    for info in infos:
        scalars.update(info)
    found = scalars.take()
    assert all(means == {} for means in scalars.take())
    return found


def statistics(returns, mask):
    """Infos as gymnasium's RecordEpisodeStatistics gives them: zeros where nothing ended."""
    mask = np.array(mask)
    values = np.where(mask, np.array(returns, dtype=np.float64), 0.0)
    return {"episode": {"r": values, "l": values.astype(int), "_l": mask}, "_episode": mask}


def test_only_marked_instances_count():
    found = gathered(
        statistics([1, 2, 3, 4], [False, True, False, True]),
        statistics([5, 6, 7, 8], [True, True, False, False]),
        statistics([9, 9, 9, 9], [False] * 4),
    )
    assert found == [{"info/r": 5.0, "info/l": 5.0}, {"info/r": 4.0, "info/l": 4.0}]


def test_a_mask_of_its_own_goes_first():
    content = {"a": np.arange(4.0), "_a": np.array([True, False, False, True])}
    found = gathered({"episode": content, "_episode": np.ones(4, bool)})
    assert found == [{"info/a": 0.0}, {"info/a": 3.0}]


@pytest.mark.parametrize("value", [2.5, np.float32(2.5), torch.tensor(2.5), torch.tensor([2.5])])
def test_a_plain_scalar_counts_for_everyone(value):
    assert gathered({"episode": {"time": value}}) == [{"info/time": 2.5}] * 2


@pytest.mark.parametrize("value", [[1, 2, 3, 4], np.arange(1, 5), torch.arange(1, 5)])
def test_a_value_per_instance_without_a_mask(value):
    assert gathered({"episode": {"x": value}}) == [{"info/x": 1.0}, {"info/x": 3.0}]


def test_one_instance():
    found = gathered({"episode": {"x": np.array([7.0])}}, num_envs=1, scopes=[slice(0, 1)])
    assert found == [{"info/x": 7.0}]


@pytest.mark.parametrize(
    "infos",
    [
        {},
        {"other": {"x": 1.0}},
        {"episode": 5.0},
        {"episode": None},
        {"episode": {"x": "text", "y": object(), "z": None, "w": {"deep": 1}, "v": [None] * 4}},
        {"episode": {"x": np.array([None] * 4, dtype=object), "y": np.zeros((4, 2)), "z": []}},
        {"episode": {"_x": np.ones(4)}},
    ],
)
def test_what_is_no_scalar_is_left_out(infos):
    assert gathered(infos) == [{}, {}]


def test_odd_names_and_masks_do_no_harm():
    found = gathered({"episode": {7: np.ones(4)}, "_episode": np.ones(3, bool)})
    assert found == [{"info/7": 1.0}] * 2


def test_another_key():
    assert gathered({"log": {"x": 1.0}}, key="log") == [{"info/x": 1.0}] * 2
