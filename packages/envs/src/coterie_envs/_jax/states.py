"""States of functional environments as tensors that can be stored, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import torch

from coterie import EnvContractError

from .._cutting import join_trees
from .._states import list_of, parts_of, tensor_of
from .tensors import to_tensors


def can_save(shapes: Any) -> bool:
    """Whether a state is nothing but arrays that can be stored.

    Args:
        shapes: The state of one instance, in shapes and dtypes.

    Returns:
        ``False`` where there are keys of the typed kind, or a simulation that MuJoCo Warp or the
        C library holds outside of the state.
    """
    simulated = [getattr(shapes, name, None) for name in ("data", "pipeline_state")]
    implementations = [getattr(getattr(one, "impl", None), "name", "JAX") for one in simulated]
    typed = [
        jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.extended) for leaf in jax.tree.leaves(shapes)
    ]
    return not any(typed) and set(implementations) == {"JAX"}


def save_arrays(tree: Any) -> dict[str, Any]:
    """Return the arrays of a tree as tensors of their own, on the CPU.

    Returns:
        ``"names"``, ``"arrays"`` and ``"weak"``, one entry per array; the last says whether its
        type gives way to others, as that of a number in Python does.
    """
    named, _ = jax.tree_util.tree_flatten_with_path(tree)
    leaves = [leaf for _, leaf in named]
    return {
        "names": [jax.tree_util.keystr(path) for path, _ in named],
        "arrays": [tensor.to("cpu", copy=True) for tensor in to_tensors(leaves)],
        "weak": [bool(leaf.weak_type) for leaf in leaves],
    }


def load_arrays(
    templates: Sequence[Callable[[], Any]], saved: Any, device: torch.device, where: str
) -> Any:
    """Undo :func:`save_arrays`.

    Args:
        templates: Functions that give the tree in shapes and dtypes; each array has the dtype
            that it has in one of them, and the shape that it has in the first.
        saved: What was saved.
        device: Where the arrays are to be.
        where: What it is, for messages.

    Raises:
        EnvContractError: It does not fit.
    """
    named, structure = jax.tree_util.tree_flatten_with_path(templates[0]())
    parts = parts_of(saved, ("names", "arrays", "weak"), where)
    names = [jax.tree_util.keystr(path) for path, _ in named]
    if list(list_of(parts["names"], len(names), f"{where}.names")) != names:
        raise EnvContractError(f"{where}: it holds other arrays than this environment has")
    tensors = list_of(parts["arrays"], len(names), f"{where}.arrays")
    weak = list_of(parts["weak"], len(names), f"{where}.weak")
    if not all(type(flag) is bool for flag in weak):
        raise EnvContractError(f"{where}.weak: expected bools")
    for index, (name, (_, shape)) in enumerate(zip(names, named, strict=True)):
        _check(tensors[index], shape.shape, index, templates, f"{where}{name}")
    leaves = [_array(one, flag, device) for one, flag in zip(tensors, weak, strict=True)]
    return jax.tree_util.tree_unflatten(structure, leaves)


def join_arrays(saved: Sequence[Any], where: str) -> dict[str, Any] | None:
    """Put what :func:`save_arrays` returned for several batches together, or ``None`` for each.

    A type gives way to others only where it does in every batch: that is what comes out where one
    of them has chosen between an array of a step and one of a reset.

    Raises:
        EnvContractError: They don't fit together.
    """
    if saved and all(one is None for one in saved):
        return None
    parts = [parts_of(one, ("names", "arrays", "weak"), where) for one in saved]
    joined = join_trees([{key: one[key] for key in ("names", "arrays")} for one in parts], where)
    count = len(joined["names"])
    flags = [list_of(one["weak"], count, f"{where}.weak") for one in parts]
    return {**joined, "weak": [all(column) for column in zip(*flags, strict=True)]}


def _check(
    tensor: Any,
    shape: tuple[int, ...],
    index: int,
    templates: Sequence[Callable[[], Any]],
    where: str,
) -> None:
    """Check one tensor; an environment may give other dtypes after a step than after a reset."""
    dtypes = []
    for template in templates:
        dtypes.append(_torch_type(jax.tree.leaves(template())[index].dtype))
        if getattr(tensor, "dtype", None) in dtypes:
            break
    tensor_of(tensor, shape, dtypes, where)


def _torch_type(dtype: Any) -> torch.dtype:
    found: torch.dtype = torch.utils.dlpack.from_dlpack(jnp.empty(0, dtype)).dtype
    return found


def _array(tensor: torch.Tensor, weak: bool, device: torch.device) -> Any:
    own = tensor.detach().to(device, copy=True).contiguous()
    array = jax.dlpack.from_dlpack(own)
    if not weak:
        return array
    zeros = jnp.full(array.shape, array.dtype.type(0).item())
    return zeros.at[...].set(array)
