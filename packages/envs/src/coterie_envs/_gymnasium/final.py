"""Where episodes ended, in gymnasium's vector environments with same-step autoreset."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from coterie.spaces import build_tree, leaf_of, space_leaves


def final_batch(space: spaces.Space[Any], observations: Any, infos: dict[str, Any]) -> Any:
    """Arrange the final observations of some instances as a batch of all.

    Args:
        space: Space of one instance.
        observations: The batch of observations that the step returned.
        infos: What it told: ``"final_obs"`` is an array of objects, one per instance, or
            already a batch; ``"_final_obs"`` says which instances have one.

    Returns:
        A batch in which only the rows of instances that have a final observation matter.
    """
    final = infos["final_obs"]
    if not (isinstance(final, np.ndarray) and final.dtype == object):
        return final
    rows = _rows(infos)
    arrays = {}
    for leaf in space_leaves(space):
        array = np.array(leaf_of(observations, leaf.path), order="C")
        for row in rows:
            array[row] = leaf_of(final[row], leaf.path)
        arrays[leaf.path] = array
    return build_tree(space, arrays)


def overwritten(
    space: spaces.Space[Any], observations: Any, infos: dict[str, Any]
) -> Literal["shared", "equal"] | None:
    """Say whether final observations look as if the reset had overwritten them.

    Args:
        space: Space of one instance.
        observations: The batch of observations that the step returned.
        infos: What it told, with ``"final_obs"``.

    Returns:
        ``"shared"``: one lies in the memory of ``observations``; ``"equal"``: all of them equal
        the observations after the reset; ``None`` otherwise.
    """
    final, rows = infos["final_obs"], _rows(infos)
    by_row = isinstance(final, np.ndarray) and final.dtype == object
    equal = len(rows) > 0
    for leaf in space_leaves(space):
        after = np.asarray(leaf_of(observations, leaf.path))
        if not by_row and np.may_share_memory(np.asarray(leaf_of(final, leaf.path)), after):
            return "shared"
        for row in rows:
            end = np.asarray(
                leaf_of(final[row], leaf.path) if by_row else leaf_of(final, leaf.path)[row]
            )
            if by_row and np.may_share_memory(end, after):
                return "shared"
            equal = equal and np.array_equal(end, after[row])
    return "equal" if equal else None


def _rows(infos: dict[str, Any]) -> Any:
    """Which instances have a final observation."""
    present = infos.get("_final_obs")
    if present is None:
        final = infos["final_obs"]
        if not (isinstance(final, np.ndarray) and final.dtype == object):
            return np.arange(0)
        present = [value is not None for value in final]
    return np.flatnonzero(present)
