"""A gymnasium vector environment in tensors."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import vector
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv
from gymnasium.vector import AutoresetMode

from coterie import ConfigError, EnvContractError, VectorEnv
from coterie.spaces import tree_map

from .._checks import spread_seeds
from .._states import load_tree, parts_of, save_tree
from .closing import close_vector_env
from .cutting import WHOLE, can_cut, cut, join
from .final import final_batch, overwritten
from .saving import can_save, plan_loading, save
from .trees import array_writer, outcome_reader, tensor_reader

_SEEDS = 2**31


class GymnasiumEnv(VectorEnv):
    """A :class:`gymnasium.vector.VectorEnv` behind Coterie's contract.

    Arrays become tensors that share their memory where that is safe. What the environment tells
    in ``infos`` passes through as it is, in numpy arrays, except ``"final_obs"``, which becomes
    a tree of tensors ``[N, ...]`` (there only when an episode ended).

    Seeds are taken modulo 2**31, which is what every simulator accepts. One integer is handed
    to gymnasium: where instances have streams of their own, instance ``k`` gets ``seed + k``.

    Args:
        env: The vector environment; closing this object closes it.
        name: What it is, for people.
        seed: Seed of the first reset; ``None``: gymnasium draws one.
        device: Where the tensors live.

    Attributes:
        env: The vector environment.

    Raises:
        ConfigError: It does not say how it resets, or has spaces without tensors of fixed shape.
    """

    def __init__(
        self,
        env: vector.VectorEnv[Any, Any, Any],
        *,
        name: str,
        seed: int | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.env = env
        self.name = name
        self.seed = seed
        self.device = torch.device(device)
        self.num_envs = int(env.num_envs)
        self.observation_space = env.single_observation_space
        self.action_space = env.single_action_space
        self.autoreset_mode = _autoreset_mode(env, name)
        separate = isinstance(env.unwrapped, vector.SyncVectorEnv | vector.AsyncVectorEnv)
        self.independent_streams = separate
        self.reuses_buffers = not (self.device.type != "cpu" or _gives_fresh_arrays(env))
        self._read = tensor_reader(self.observation_space, self.device)
        self._outcome = outcome_reader(self.device)
        self._write = array_writer(self.action_space, env.action_space)
        self._observations: Any = None
        self._closed = False
        self._warned = type(env.unwrapped) is vector.SyncVectorEnv  # keeps final observations

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start new episodes; see :meth:`coterie.VectorEnv.reset`.

        Args:
            seed: A seed per instance, one seed, or ``None`` to go on with the streams as they
                are (the first time: :attr:`seed`).
            options: ``{"reset_mask": bool [N]}`` in the mode ``DISABLED``, and whatever else the
                environment knows.

        Raises:
            EnvContractError: Seeds were given one by one, but the instances share one stream.
            ValueError: A seed is negative, or the number of seeds or the mask is wrong.
        """
        if seed is None and self._observations is None:
            seed = self.seed
        given = None if options is None else dict(options)  # gymnasium takes the mask out of it
        if given is not None and "reset_mask" in given:
            given["reset_mask"] = self._mask(given["reset_mask"])
            if not given["reset_mask"].any():
                return self._observations, {}
        # Every vectorisation takes one seed; those with separate streams a list of them too.
        observations, infos = self.env.reset(seed=self._seeds(seed), options=given)
        self._observations = self._read(observations)
        return self._observations, infos

    def _seeds(self, seed: int | Sequence[int] | None) -> Any:
        if seed is None:
            return None
        if not isinstance(seed, Sequence):
            return spread_seeds([seed], 1)[0] % _SEEDS
        if not self.independent_streams:
            raise EnvContractError(
                f"{self.name}: its instances share one random stream and can't be seeded one by "
                'one; make it with vectorization="sync" to give each a stream of its own, or '
                "reset with a single seed"
            )
        return [one % _SEEDS for one in spread_seeds(seed, self.num_envs)]

    def _mask(self, mask: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:
        array = mask.cpu().numpy() if isinstance(mask, torch.Tensor) else np.asarray(mask)
        if array.dtype != np.bool_ or array.shape != (self.num_envs,):
            raise ValueError(
                f"options['reset_mask']: expected bool ({self.num_envs},), "
                f"got {array.dtype} {array.shape}"
            )
        if self.autoreset_mode is not AutoresetMode.DISABLED:
            raise ValueError(
                f"options['reset_mask']: {self.name} resets its instances by itself "
                f"({self.autoreset_mode.name}); only the mode DISABLED takes a mask"
            )
        if self._observations is None:
            raise EnvContractError(f"{self.name} was not reset yet: call reset() without a mask")
        return array.copy()

    def step(
        self, actions: Any
    ) -> tuple[Any, torch.Tensor, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Do one step in every instance; see :meth:`coterie.VectorEnv.step`."""
        observations, rewards, terminated, truncated, infos = self.env.step(self._write(actions))
        if "final_obs" in infos:
            self._check_final(observations, infos)
            final = final_batch(self.observation_space, observations, infos)
            infos = {**infos, "final_obs": self._read(final)}
        self._observations = self._read(observations)
        return (self._observations, *self._outcome(rewards, terminated, truncated), infos)

    def _check_final(self, observations: Any, infos: dict[str, Any]) -> None:
        """Refuse final observations that the reset has overwritten, or warn where it seems so.

        Raises:
            EnvContractError: They lie in the memory of the observations after the reset.
        """
        found = overwritten(self.observation_space, observations, infos)
        if found == "shared":
            raise EnvContractError(
                f'{self.name}: infos["final_obs"] lies in the memory of the observations, so the '
                "reset has overwritten where the episode ended; copy it before the reset"
            )
        if found == "equal" and not self._warned:
            self._warned = True
            warnings.warn(
                f"{self.name}: an episode ended in exactly the observation that the next one "
                "begins with; if its instances write observations into one array, the reset has "
                "overwritten where the episode ended: copy the observation of the last step",
                stacklevel=3,
            )

    def render(self) -> np.ndarray[Any, Any] | None:
        """Draw the instances.

        Returns:
            Frames ``[N, height, width, 3]`` (uint8) with the render mode ``"rgb_array"``; ``None``
            where a window shows them, or where there is no render mode.
        """
        frames = None if self.env.render_mode is None else self.env.render()
        if frames is None or any(frame is None for frame in frames):
            return None
        return np.stack([np.asarray(frame) for frame in frames])

    @property
    def saves_state(self) -> bool:
        """Whether the environment and all its wrappers are among those that are known.

        These are gymnasium's classic control and MuJoCo (v5), stepped in this process, within
        gymnasium's wrappers that have no state or one that can be read.
        """
        return can_save(self.env)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the following steps depend on.

        Raises:
            EnvContractError: It was not reset yet, or something in it is not known.
        """
        if not self.saves_state:
            return super().state_dict()
        if self._observations is None:
            raise EnvContractError(f"{self.name} was not reset yet: call reset() first")
        return {
            "num_envs": self.num_envs,
            "autoreset_mode": self.autoreset_mode.value,
            "env": save(self.env),
            "observations": save_tree(self.observation_space, self._observations),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to what :meth:`state_dict` returned; no reset is needed before the next step.

        Raises:
            EnvContractError: The state is damaged, or one of another environment, another number
                of instances or another autoreset mode; then nothing has changed. Or something in
                this environment is not known.
        """
        if not self.saves_state:
            super().load_state_dict(state)
        where = f"{self.name}: the state"
        parts = parts_of(state, WHOLE, where)
        own = {"num_envs": self.num_envs, "autoreset_mode": self.autoreset_mode.value}
        for key, value in own.items():
            if parts[key] != value:
                raise EnvContractError(f"{where}'s {key}: expected {value!r}, got {parts[key]!r}")
        puts = plan_loading(self.env, parts["env"], where)
        kept = f"{where}.observations"
        tree = load_tree(self.observation_space, parts["observations"], self.num_envs, kept)
        for put in puts:
            put()
        self._observations = tree_map(lambda tensor: tensor.to(self.device), tree)

    @property
    def splits_state(self) -> bool:
        """Whether its state can be saved, and no part of it belongs to several instances.

        That is so where instances are stepped in turn in this process, and no wrapper of the whole
        vector counts or averages over them.
        """
        return can_cut(self.env)

    def split_state(self, state: dict[str, Any], scopes: Sequence[slice]) -> list[dict[str, Any]]:
        """Cut a state by instance; see :meth:`coterie.VectorEnv.split_state`.

        Raises:
            EnvContractError: The state is damaged, or one of another kind of environment; or this
                environment can't split states.
            ValueError: A scope is empty or goes beyond the instances.
        """
        if not self.splits_state:
            super().split_state(state, scopes)
        return cut(self.env, state, scopes, f"{self.name}: the state")

    def join_states(self, states: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Undo :meth:`split_state`.

        Raises:
            EnvContractError: A state is damaged, or they don't fit together; or this environment
                can't join states.
        """
        if not self.splits_state:
            super().join_states(states)
        return join(self.env, states, f"{self.name}: the states")

    def close(self) -> None:
        """Close the environment. Worker processes that do not end within 10 s are killed."""
        if not self._closed:
            self._closed = True
            close_vector_env(self.env, self.name)


def _autoreset_mode(env: vector.VectorEnv[Any, Any, Any], name: str) -> AutoresetMode:
    mode = (env.metadata or {}).get("autoreset_mode")
    if isinstance(mode, AutoresetMode):
        return mode
    try:
        return AutoresetMode(mode)
    except ValueError:
        allowed = ", ".join(f"AutoresetMode.{mode.name}" for mode in AutoresetMode)
        raise ConfigError(
            f"{name}: metadata['autoreset_mode'] is {mode!r}, so it is not known what happens "
            f"when an episode ends; set it to one of {allowed} before wrapping it"
        ) from None


def _gives_fresh_arrays(env: vector.VectorEnv[Any, Any, Any]) -> bool:
    """Whether every returned array is known to be one that is never written again."""
    if type(env) in (vector.SyncVectorEnv, vector.AsyncVectorEnv):
        return bool(env.copy)  # type: ignore[attr-defined]
    return type(env) is CartPoleVectorEnv
