"""Functions over trees of tensors."""

import pytest
import torch

from coterie._trees import tree_cat, tree_leaves, tree_map, tree_rows, tree_where


def tree(offset=0):
    return {"a": torch.arange(12.0).reshape(4, 3) + offset, "b": (torch.arange(4) + offset,)}


def test_map_keeps_the_structure():
    summed = tree_map(lambda left, right: left + right, tree(), tree(1))
    assert torch.equal(summed["a"], tree()["a"] * 2 + 1)
    assert isinstance(summed["b"], tuple)
    assert summed["b"][0].tolist() == [1, 3, 5, 7]


def test_map_refuses_other_structures():
    with pytest.raises(KeyError):
        tree_map(lambda left, right: left, tree(), {"b": (torch.zeros(4),)})
    with pytest.raises(ValueError, match=r"longer|shorter"):
        tree_map(lambda left, right: left, (torch.zeros(1),), (torch.zeros(1), torch.zeros(1)))


def test_leaves_come_in_order():
    assert [leaf.shape for leaf in tree_leaves(tree())] == [(4, 3), (4,)]


def test_rows_are_copies_at_the_start_of_their_memory():
    whole = {"a": torch.arange(20.0).reshape(5, 4), "t": torch.arange(20.0).reshape(4, 5).t()}
    rows = tree_rows(whole, slice(1, 3))
    for name, part in rows.items():
        assert torch.equal(part, whole[name][1:3])
        assert part.is_contiguous()
        assert part.storage_offset() == 0
        assert part.untyped_storage().nbytes() == part.numel() * 4
    whole["a"].fill_(-1)
    assert rows["a"][0, 0] == 4


@pytest.mark.parametrize("device", [None, torch.device("cpu")])
def test_rows_never_alias(device):
    whole = torch.zeros(4, 2)
    tree_rows(whole, slice(0, 4), device).fill_(1)
    assert whole.sum() == 0


def test_cat_undoes_rows():
    whole = tree()
    parts = [tree_rows(whole, slice(0, 1)), tree_rows(whole, slice(1, 4))]
    joined = tree_cat(parts)
    assert torch.equal(joined["a"], whole["a"])
    assert torch.equal(joined["b"][0], whole["b"][0])


def test_where_picks_rows():
    mask = torch.tensor([True, False, False, True])
    picked = tree_where(mask, tree(100), tree())
    assert picked["b"][0].tolist() == [100, 1, 2, 103]
    assert picked["a"][:, 0].tolist() == [100, 3, 6, 109]
