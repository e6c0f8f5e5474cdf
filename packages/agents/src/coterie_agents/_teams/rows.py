"""From trees by actor to rows of a learner, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from gymnasium import spaces

from coterie import TeamTransition
from coterie.spaces import tree_map


def side_by_side(trees: Sequence[Any], population: int) -> Any:
    """Lay the rows of several actors side by side within each member.

    Args:
        trees: One per actor, tensors ``[P * N, ...]``.
        population: Members, P.

    Returns:
        Tensors ``[P * A * N, ...]``: member by member, actor by actor, instance by instance.
    """
    if len(trees) == 1:
        return trees[0]
    if population == 1:
        return tree_map(lambda *parts: torch.cat(parts), *trees)

    def stack(*parts: torch.Tensor) -> torch.Tensor:
        return torch.stack([t.reshape(population, -1, *t.shape[1:]) for t in parts], 1).flatten(
            0, 2
        )

    return tree_map(stack, *trees)


def apart(rows: torch.Tensor, actors: int, population: int) -> tuple[torch.Tensor, ...]:
    """Undo :func:`side_by_side`.

    Args:
        rows: ``[P * A * N, ...]``.
        actors: Number of actors, A.
        population: Members, P.

    Returns:
        ``[P * N, ...]`` of each actor.
    """
    if actors == 1:
        return (rows,)
    whole = rows.reshape(population, actors, -1, *rows.shape[1:])
    return tuple(part.flatten(0, 1) for part in whole.unbind(1))


def has_choices(space: spaces.Space[Any]) -> bool:
    """Whether there is a Discrete or MultiDiscrete space in a space."""
    parts: Sequence[Any] = ()
    if isinstance(space, spaces.Dict):
        parts = tuple(space.spaces.values())
    elif isinstance(space, spaces.Tuple):
        parts = space.spaces
    return isinstance(space, spaces.Discrete | spaces.MultiDiscrete) or any(map(has_choices, parts))


def within(space: spaces.Space[Any], tree: Any) -> Any:
    """Move choices that are none into their range; a true observation stays as it is.

    An environment may fill the rows of actors that are gone with anything, but a choice out of
    range has no one-hot vector.

    Args:
        space: Space of one row.
        tree: Tensors ``[n, ...]``.
    """
    if isinstance(space, spaces.Dict):
        return {key: within(part, tree[key]) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(within(part, own) for part, own in zip(space.spaces, tree, strict=True))
    if isinstance(space, spaces.Discrete):
        return tree.clamp(int(space.start), int(space.start + space.n) - 1)
    if isinstance(space, spaces.MultiDiscrete):
        low = torch.as_tensor(space.start, device=tree.device)
        return tree.clamp(low, torch.as_tensor(space.start + space.nvec - 1, device=tree.device))
    return tree


def shown(trees: Mapping[str, Any], there: Mapping[str, torch.Tensor] | None) -> dict[str, Any]:
    """Show the observations of actors that are there, and zeros for those that are not.

    Args:
        trees: By actor, tensors ``[n, ...]``.
        there: By actor, bool ``[n]``; ``None``: all are.
    """
    if there is None:
        return dict(trees)

    def keep(tensor: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.where(mask.view(-1, *(1,) * (tensor.dim() - 1)), tensor, 0)

    return {
        actor: tree_map(lambda tensor, mask=there[actor]: keep(tensor, mask), tree)
        for actor, tree in trees.items()
    }


def remaining(transition: TeamTransition) -> dict[str, torch.Tensor]:
    """Tell who is there when a step has ended, bool ``[n]`` by actor.

    An actor that ended in the step is gone, unless the whole episode ended: then all that were
    still there are seen together in its final observation.

    Args:
        transition: The step.
    """
    return {
        actor: valid
        & (transition.done | ~(transition.terminated[actor] | transition.truncated[actor]))
        for actor, valid in transition.valid.items()
    }
