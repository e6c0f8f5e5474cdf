"""For authors of agents, environments and executors: spaces and trees of tensors."""

from __future__ import annotations

from ._spaces import (
    ActionCheck,
    Leaf,
    build_tree,
    check_contained,
    describe_mismatch,
    flat_size,
    flatten,
    leaf_of,
    sample_actions,
    space_leaves,
)
from ._trees import tree_cat, tree_leaves, tree_map, tree_rows, tree_where

__all__ = [
    "ActionCheck",
    "Leaf",
    "build_tree",
    "check_contained",
    "describe_mismatch",
    "flat_size",
    "flatten",
    "leaf_of",
    "sample_actions",
    "space_leaves",
    "tree_cat",
    "tree_leaves",
    "tree_map",
    "tree_rows",
    "tree_where",
]
