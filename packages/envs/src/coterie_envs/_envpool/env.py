"""A pool of EnvPool in tensors."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from coterie import EnvContractError, VectorEnv

from .._checks import spread_seeds
from .._gymnasium.trees import array_writer, outcome_reader, tensor_reader

_SEEDS = 2**31
_OWN_INFOS = ("env_id", "players")


class EnvPoolEnv(VectorEnv):
    """A pool of environments that EnvPool steps in threads, behind Coterie's contract.

    EnvPool resets an instance in the step after the one that ended its episode (``NEXT_STEP``),
    returns fresh arrays at every step, and fixes the seeds of its instances when a pool is made.
    So :meth:`reset` with seeds makes a new pool, with the same settings; the first reset makes
    the first one. Seeds are taken modulo 2**31; from one integer instance ``k`` gets
    ``seed + k``.

    What EnvPool tells in ``infos`` passes through in numpy arrays ``[N, ...]``
    (``"elapsed_step"``, for Atari ``"lives"`` and more), without the numbers of the instances.

    Args:
        make: Makes a pool from one seed per instance.
        name: What it is, for people.
        num_envs: Number of instances.
        observation_space: Space of one instance's observation.
        action_space: Space of one instance's action.
        seed: Seed of the first reset; ``None``: it draws one from the system.
        device: Where the tensors live; EnvPool computes on the CPU.

    Attributes:
        env: The pool; ``None`` before the first reset and after :meth:`close`.

    Raises:
        ConfigError: The spaces have no tensors of fixed shape.
    """

    autoreset_mode = AutoresetMode.NEXT_STEP
    independent_streams = True
    reuses_buffers = False

    def __init__(
        self,
        make: Callable[[list[int]], Any],
        *,
        name: str,
        num_envs: int,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        seed: int | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.env: Any = None
        self.name = name
        self.num_envs = num_envs
        self.observation_space = observation_space
        self.action_space = action_space
        self.seed = seed
        self.device = torch.device(device)
        self._make = make
        self._read = tensor_reader(observation_space, self.device)
        self._outcome = outcome_reader(self.device)
        self._write = array_writer(action_space, batch_space(action_space, num_envs))

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start new episodes; see :meth:`coterie.VectorEnv.reset`.

        Args:
            seed: A seed per instance, or one seed: a new pool is made. ``None``: the streams
                go on as they are.
            options: EnvPool knows none.

        Raises:
            ConfigError: The pool can't be made.
            ValueError: A seed is negative, their number is wrong, or there are options.
        """
        if options:
            raise ValueError(
                f"options: {next(iter(options))!r} is not known; {self.name} takes none, and "
                "resets its instances by itself (NEXT_STEP)"
            )
        if seed is not None or self.env is None:
            seeds = self._seeds(self._first_seed() if seed is None else seed)
            self.close()
            self.env = self._make(seeds)
        observations, infos = self.env.reset()
        return self._read(observations), _without_numbers(infos)

    def _first_seed(self) -> int:
        return secrets.randbits(31) if self.seed is None else self.seed

    def _seeds(self, seed: int | Sequence[int]) -> list[int]:
        if isinstance(seed, Sequence):
            return [one % _SEEDS for one in spread_seeds(seed, self.num_envs)]
        first = spread_seeds([seed], 1)[0]
        return [(first + k) % _SEEDS for k in range(self.num_envs)]

    def step(
        self, actions: Any
    ) -> tuple[Any, torch.Tensor, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Do one step in every instance; see :meth:`coterie.VectorEnv.step`.

        Raises:
            EnvContractError: There was no reset yet.
        """
        if self.env is None:
            raise EnvContractError(f"{self.name} was not reset yet: call reset() first")
        observations, *outcome, infos = self.env.step(self._write(actions))
        return (self._read(observations), *self._outcome(*outcome), _without_numbers(infos))

    def render(self) -> np.ndarray[Any, Any] | None:
        """Draw the instances.

        Returns:
            Frames ``[N, height, width, 3]`` (uint8) with the render mode ``"rgb_array"``; ``None``
            with ``"human"``, which shows the first instance in a window, without a render mode,
            and before the first reset.
        """
        mode = getattr(self.env, "render_mode", None)
        if mode is None:
            return None
        if mode == "human":
            self.env.render()
            return None
        return np.asarray(self.env.render(env_ids=np.arange(self.num_envs, dtype=np.int32)))

    def close(self) -> None:
        """Let the pool and its threads go."""
        pool, self.env = self.env, None
        if pool is not None:
            pool.close()


def _without_numbers(infos: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in infos.items() if key not in _OWN_INFOS}
