"""Copies of a PettingZoo environment in tensors."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from coterie import ConfigError, EnvContractError, MultiAgentVectorEnv
from coterie.config import did_you_mean
from coterie.spaces import Leaf, build_tree, leaf_of, space_leaves

from .._checks import check_count, check_device, spread_seeds
from .in_turn import InTurn, make_all
from .infos import gather
from .layout import Array, Key, Layout, describe
from .parallel import Maker
from .processes import InProcesses

MODES = ("sync", "async")
_SEEDS = 2**31


class PettingZooEnv(MultiAgentVectorEnv):
    """Copies of a PettingZoo environment, each an instance, behind the contract for teams.

    The copies are independent: instance ``k`` has a random stream of its own, which its seed
    starts (modulo 2**31; from one integer instance ``k`` gets ``seed + k``). They are reset when
    the loop asks for it (``DISABLED``), so the observations of the last step are where an
    episode ended. After an actor's end its rows are zeros.

    What the environment tells in ``infos`` is gathered by actor: ``infos[actor][key]`` is an
    array ``[N, ...]``, ``infos[actor]["_" + key]`` says which instances gave it.

    Args:
        makers: A function for each instance that makes an environment, of the parallel API or
            of one that PettingZoo can convert to it.
        name: What it is, for people.
        vectorization: ``"sync"``: one copy after the other, in this process. ``"async"``: in
            processes; what the makers hold must be picklable by cloudpickle, and a script needs
            the guard ``if __name__ == "__main__":``.
        workers: Number of processes, each with several copies; ``None``: as many as there are
            CPU cores, and not more than instances.
        use_state: Whether the environment's ``state()``, if it has a ``state_space``, is the
            state that the actors share. Asking for it costs time at each step.
        actors_end_together: Whether it is known that all actors of an instance always end in
            the same step.
        seed: Seed of the first reset; ``None``: the copies draw their own.
        device: Where the tensors live; the copies compute on the CPU.

    Raises:
        ConfigError: An argument is wrong, the copies differ, can't be converted, or have spaces
            without tensors of fixed shape.
    """

    autoreset_mode = AutoresetMode.DISABLED
    independent_streams = True
    reuses_buffers = False

    def __init__(
        self,
        makers: Sequence[Callable[[], Any]],
        *,
        name: str = "pettingzoo",
        vectorization: str = "sync",
        workers: int | None = None,
        use_state: bool = True,
        actors_end_together: bool = False,
        seed: int | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.num_envs = check_count(len(makers))
        self.device = check_device(device)
        self.name, self.seed = name, seed
        self.actors_end_together = actors_end_together
        count = _workers(vectorization, workers, self.num_envs)
        wrapped = [Maker(make, name) for make in makers]
        first = wrapped[0]()
        try:
            self._layout = describe(first, name, use_state)
            self._describe(self._layout)
        except BaseException:
            first.close()
            raise
        if vectorization == "sync":
            envs = make_all(wrapped, [first])
            arrays = self._layout.arrays(self.num_envs)
            self._copies: InTurn | InProcesses = _in_turn(envs, self._layout, arrays, name)
        else:
            first.close()
            self._copies = InProcesses(wrapped, self._layout, count, name)
        self.render_mode = getattr(first, "render_mode", None)
        self._closed = False

    def _describe(self, layout: Layout) -> None:
        """Take over the actors and their spaces, with the leaves that are read and written."""
        self.actors = layout.actors
        self.observation_space = spaces.Dict(list(layout.observations.items()))
        self.action_space = spaces.Dict(list(layout.actions.items()))
        self.state_space = layout.state
        self._names = dict(zip(layout.agents, layout.actors, strict=True))
        self._reads = space_leaves(self.observation_space)
        self._writes = space_leaves(self.action_space)
        self._states = () if layout.state is None else space_leaves(layout.state)
        self._begun = False

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start new episodes; see :meth:`coterie.VectorEnv.reset`.

        Args:
            seed: A seed per instance, one seed, or ``None`` to go on with the streams as they
                are (the first time: :attr:`seed`).
            options: ``{"reset_mask": bool [N]}``, and whatever else the environment knows.

        Raises:
            EnvContractError: An actor is missing at the start, a value does not fit its space,
                or a process ended.
            ValueError: A seed is negative, or the number of seeds or the mask is wrong.
        """
        self._check_open()
        rest = dict(options or {})
        rows = self._rows(rest.pop("reset_mask", None))
        if seed is None and not self._begun:
            seed = self.seed
        seeds = self._seeds(seed)
        infos = self._copies.reset({row: seeds[row] for row in rows}, rest or None)
        self._begun = True
        return self._observe(), gather(infos, self._names, self.num_envs)

    def _rows(self, mask: Any) -> list[int]:
        if mask is None:
            return list(range(self.num_envs))
        array = mask.cpu().numpy() if isinstance(mask, torch.Tensor) else np.asarray(mask)
        if array.dtype != np.bool_ or array.shape != (self.num_envs,):
            raise ValueError(
                f"options['reset_mask']: expected bool ({self.num_envs},), "
                f"got {array.dtype} {array.shape}"
            )
        if not self._begun:
            raise EnvContractError(f"{self.name} was not reset yet: call reset() without a mask")
        return [int(row) for row in array.nonzero()[0]]

    def _seeds(self, seed: int | Sequence[int] | None) -> list[int] | list[None]:
        if seed is None:
            return [None] * self.num_envs
        if not isinstance(seed, Sequence):
            first = spread_seeds([seed], 1)[0]
            return [(first + k) % _SEEDS for k in range(self.num_envs)]
        return [one % _SEEDS for one in spread_seeds(seed, self.num_envs)]

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Do one step in every instance; see :meth:`coterie.MultiAgentVectorEnv.step`.

        Raises:
            EnvContractError: There was no reset yet, an episode that ended was not reset, actors
                came or went in ways that a team can't follow, a value does not fit its space, or
                a process ended.
            ValueError: Actions of an actor are missing, or have another shape.
        """
        self._check_open()
        if not self._begun:
            raise EnvContractError(f"{self.name} was not reset yet: call reset() first")
        for leaf in self._writes:
            self._act(leaf, actions)
        infos = self._copies.step()
        arrays = self._copies.arrays
        outcome = [
            self._by_actor(arrays[key]) for key in (("rewards",), ("terminated",), ("truncated",))
        ]
        return (self._observe(), *outcome, gather(infos, self._names, self.num_envs))

    def _check_open(self) -> None:
        if self._closed:
            raise EnvContractError(f"{self.name} is closed")

    def _act(self, leaf: Leaf, actions: Any) -> None:
        array = self._copies.arrays[("action", *leaf.path)]
        try:
            given = leaf_of(actions, leaf.path).detach().cpu().numpy()
        except (LookupError, TypeError, AttributeError):
            raise ValueError(f"actions.{leaf.label}: expected a tensor {array.shape}") from None
        if given.shape != array.shape:
            raise ValueError(f"actions.{leaf.label}: expected {array.shape}, got {given.shape}")
        np.copyto(array, given, casting="unsafe")

    def _observe(self) -> Any:
        arrays = self._copies.arrays
        leaves = {
            leaf.path: self._tensor(arrays["observation", *leaf.path]) for leaf in self._reads
        }
        return build_tree(self.observation_space, leaves)

    def _by_actor(self, array: Array) -> dict[str, torch.Tensor]:
        return dict(zip(self.actors, self._tensor(array).unbind(0), strict=True))

    def _tensor(self, array: Array) -> torch.Tensor:
        """Copy an array that the next step writes to."""
        tensor = torch.from_numpy(array)
        return tensor.clone() if self.device.type == "cpu" else tensor.to(self.device)

    def state(self) -> Any:
        """Return the state that the actors share ``[N, ...]``; ``None`` where there is none."""
        if self.state_space is None:
            return None
        arrays = self._copies.arrays
        leaves = {leaf.path: self._tensor(arrays["state", *leaf.path]) for leaf in self._states}
        return build_tree(self.state_space, leaves)

    def render(self) -> np.ndarray[Any, Any] | None:
        """Draw the instances.

        Returns:
            Frames ``[N, height, width, 3]`` (uint8) with the render mode ``"rgb_array"``; ``None``
            where a window shows them, or where there is no render mode.
        """
        self._check_open()
        if self.render_mode is None:
            return None
        frames = self._copies.render()
        drawn = [frames[row] for row in range(self.num_envs)]
        return np.stack(drawn) if all(isinstance(one, np.ndarray) for one in drawn) else None

    def close(self) -> None:
        """Close the copies. Processes that do not end within 10 s are killed."""
        if not self._closed:
            self._closed = True
            self._copies.close()


def _in_turn(envs: Sequence[Any], layout: Layout, arrays: Mapping[Key, Array], name: str) -> InTurn:
    try:
        return InTurn(envs, layout, arrays, name)
    except BaseException:
        for env in envs:
            env.close()
        raise


def _workers(vectorization: str, workers: int | None, num_envs: int) -> int:
    if vectorization not in MODES:
        raise ConfigError(
            f"vectorization = {vectorization!r}: expected one of {', '.join(map(repr, MODES))}"
            f"{did_you_mean(str(vectorization), MODES)}"
        )
    if workers is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return min(num_envs, cores or 1)
    if vectorization != "async":
        raise ConfigError(f"workers = {workers!r}: only vectorization='async' has processes")
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ConfigError(f"workers = {workers!r}: expected an integer of at least 1")
    return min(num_envs, workers)
