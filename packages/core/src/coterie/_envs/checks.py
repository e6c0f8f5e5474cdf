"""What an environment returns is held against its spaces at every step."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch

from .._errors import EnvContractError
from .._spaces import Leaf, leaf_of, space_leaves
from .._trees import tree_leaves, tree_map
from .._types import Tree
from .interface import VectorEnv

if TYPE_CHECKING:
    from .._agents.rollouts import Passage

NonFinite: TypeAlias = Literal["raise", "warn", "ignore"]


class Checks:
    """Holds what an environment returns against what its spaces promise.

    Shapes, dtypes and devices are compared at every step, which takes microseconds. NaN and
    infinity are looked for through a sum; on an accelerator that would stall it, so there it is
    done with ``debug`` only.

    Args:
        env: The environment.
        non_finite: What a NaN or an infinity leads to.
        debug: Whether to look for them on an accelerator too.
    """

    def __init__(self, env: VectorEnv, non_finite: NonFinite, debug: bool = False) -> None:
        self._env = env
        self._leaves = space_leaves(env.observation_space)
        self._state_leaves = space_leaves(env.state_space) if env.state_space is not None else ()
        self._device = torch.empty(0, device=env.device).device  # "cuda" is "cuda:0"
        self._non_finite = non_finite
        self._scan = non_finite != "ignore" and (env.device.type == "cpu" or debug)

    def observations(
        self,
        tree: Any,
        timestep: int | None,
        *,
        name: str = "observations",
        rows: torch.Tensor | None = None,
    ) -> None:
        """Check observations ``[N, ...]``.

        Args:
            tree: The observations.
            timestep: Timestep from 0; ``None``: at a reset.
            name: What they are called in messages.
            rows: bool ``[N]``: instances whose values matter; ``None``: all.

        Raises:
            EnvContractError: A shape, dtype, device or value is wrong.
        """
        self._tree(name, tree, self._leaves, timestep, rows)

    def states(
        self,
        tree: Any,
        timestep: int | None,
        *,
        name: str = "state",
        rows: torch.Tensor | None = None,
    ) -> None:
        """Check privileged observations ``[N, ...]``; the arguments are as above.

        Raises:
            EnvContractError: A shape, dtype, device or value is wrong.
        """
        self._tree(name, tree, self._state_leaves, timestep, rows)

    def outcome(self, rewards: Any, terminated: Any, truncated: Any, timestep: int) -> None:
        """Check rewards (float32 ``[N]``) and the two flags (bool ``[N]``).

        Raises:
            EnvContractError: A shape, dtype, device or value is wrong.
        """
        self._tensor("rewards", rewards, (), torch.float32, timestep)
        self._tensor("terminated", terminated, (), torch.bool, timestep)
        self._tensor("truncated", truncated, (), torch.bool, timestep)

    def passage(self, passage: Passage, timestep: int) -> None:
        """Check several timesteps: the first, and each where a value is not finite.

        Args:
            passage: The timesteps.
            timestep: The first of them.

        Raises:
            EnvContractError: A shape, dtype, device or value is wrong.
        """
        columns = passage.rewards, passage.observations, passage.ends
        steps = 1 if self._all_finite(columns) else len(passage.rewards)
        for step in range(steps):
            seen, ends = (
                tree_map(lambda tensor, step=step: tensor[step], tree)
                for tree in (passage.observations, passage.ends)
            )
            at = timestep + step
            flags = passage.terminated[step], passage.truncated[step]
            self.observations(seen, at)
            self.outcome(passage.rewards[step], *flags, at)
            self.observations(ends, at, name='infos["final_obs"]')
        self.observations(passage.next_observations, timestep + len(passage.rewards) - 1)

    def _all_finite(self, trees: Tree) -> bool:
        return not self._scan or all(
            math.isfinite(tensor.sum().item())
            for tensor in tree_leaves(trees)
            if tensor.is_floating_point()
        )

    def _tree(
        self,
        name: str,
        tree: Any,
        leaves: tuple[Leaf, ...],
        timestep: int | None,
        rows: torch.Tensor | None,
    ) -> None:
        for leaf in leaves:
            try:
                tensor = leaf_of(tree, leaf.path)
            except (KeyError, IndexError, TypeError):
                self._fail(f"{name}.{leaf.label}: expected by the space, but missing", timestep)
            place = f"{name}.{leaf.label}" if leaf.path else name
            self._tensor(place, tensor, leaf.shape, leaf.dtype, timestep, rows)

    def _tensor(
        self,
        name: str,
        tensor: Any,
        shape: tuple[int, ...],
        dtype: torch.dtype,
        at: int | None,
        rows: torch.Tensor | None = None,
    ) -> None:
        if not isinstance(tensor, torch.Tensor):
            self._fail(f"{name}: expected a tensor, got {type(tensor).__name__}", at)
        whole = (self._env.num_envs, *shape)
        if tensor.shape != whole or tensor.dtype != dtype or tensor.device != self._device:
            self._fail(
                f"{name}: expected {whole} {_short(dtype)} on {self._device}, "
                f"got {tuple(tensor.shape)} {_short(tensor.dtype)} on {tensor.device}",
                at,
            )
        if self._scan and dtype.is_floating_point and not math.isfinite(tensor.sum().item()):
            self._scan_all(name, tensor, at, rows)

    def _scan_all(
        self, name: str, tensor: torch.Tensor, timestep: int | None, rows: torch.Tensor | None
    ) -> None:
        bad = ~torch.isfinite(tensor).reshape(tensor.shape[0], -1).all(1)
        bad = bad if rows is None else bad & rows
        instances = bad.nonzero().flatten().tolist()
        if not instances:  # finite values whose sum overflowed, or rows that don't matter
            return
        shown = ", ".join(map(str, instances[:8])) + (" …" if len(instances) > 8 else "")
        message = f"{name}: NaN or infinity in instances {shown}"
        if self._non_finite == "raise":
            self._fail(f'{message} (allow it with non_finite="warn" or "ignore")', timestep)
        warnings.warn(self._place(message, timestep), stacklevel=2)

    def _fail(self, message: str, timestep: int | None) -> Any:
        raise EnvContractError(self._place(message, timestep))

    def _place(self, message: str, timestep: int | None) -> str:
        when = "at reset" if timestep is None else f"at step {timestep}"
        return f"{self._env.name}, {when}: {message}"


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
