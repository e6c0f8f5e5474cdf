"""A functional environment of JAX in tensors."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from coterie import EnvContractError, VectorEnv, derive_seed

from .._checks import check_count, spread_seeds
from .._cutting import check_scopes, count_rows, cut_tree, join_trees
from .._states import parts_of, tensor_of

_SEEDS = 2**31
_PRIVILEGED = "privileged_state"
_PARTS = ("states", "first", "elapsed", "seeds", "episodes")


class JaxEnv(VectorEnv):
    """Instances of an environment of Brax or MuJoCo Playground, behind Coterie's contract.

    This class does what the libraries' wrappers for training do, once and so that nothing is
    lost: it maps the functions over the instances, compiles them, limits episodes, and resets an
    instance in the step that ends its episode, while ``infos["final_obs"]`` holds every
    instance's observation before any reset. Arrays and tensors share their memory through
    dlpack, in both directions.

    The draws of an instance are a function of its seed and the number of its episode. What JAX
    computes may round differently in a batch of another size.

    Where an observation is a dict, ``"privileged_state"`` is the privileged observation. What
    remains is the agent's observation: an array where only ``"state"`` does, else a dict.
    ``infos["metrics"]`` are the environment's own, tensors ``[N]``.

    Args:
        env: The environment, without wrappers for training.
        num_envs: Number of instances, at least 1.
        name: What it is, for people.
        seed: Seed of the first reset; ``None``: it draws one from the system.
        device: Where JAX computes and the tensors live.
        max_episode_steps: Steps after which an episode is truncated; ``None``: never.
        action_repeat: How often the simulator applies an action in one step.
        full_reset: Whether every episode draws its own beginning. ``False``: each begins as the
            instance's first one did, which spares the computing of resets.

    Attributes:
        env: The environment.

    Raises:
        ConfigError: JAX does not have the device, or a value is wrong.
    """

    autoreset_mode = AutoresetMode.SAME_STEP
    independent_streams = True
    reuses_buffers = False

    def __init__(
        self,
        env: Any,
        num_envs: int = 1,
        *,
        name: str = "jax",
        seed: int | None = None,
        device: str | torch.device = "cpu",
        max_episode_steps: int | None = 1000,
        action_repeat: int = 1,
        full_reset: bool = True,
    ) -> None:
        self.env = env
        self.name = name
        self.num_envs = check_count(num_envs)
        self.seed = seed
        self.device = torch.empty(0, device=device).device
        import jax  # here, so that the class can be looked at without it

        from . import functions, states, tensors

        self._library, self._tensors, self._storage = jax, tensors, states
        self._jax = tensors.jax_device(self.device)
        self._full_reset = full_reset
        with jax.default_device(self._jax):
            whole = functions.shape_of(env)
            self._reset = functions.compile_reset(env)
            self._step = functions.compile_step(env, action_repeat, max_episode_steps)
            self._merge = functions.compile_merge()
        shapes, self._can_save = whole.obs, states.can_save(whole)
        self._observed, privileged = _parts(shapes)
        self._has_state = privileged is not None
        self.observation_space = tensors.space_of(self._observed(shapes))
        self.state_space = tensors.space_of(privileged) if self._has_state else None
        self._actions = (int(env.action_size),)
        self.action_space = spaces.Box(-1.0, 1.0, self._actions, np.float32)
        self._states: Any = None
        self._first: Any = None
        self._elapsed: Any = None
        self._seeds = np.zeros(self.num_envs, np.uint32)
        self._episodes = np.zeros(self.num_envs, np.int32)
        self._privileged: Any = None

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start new episodes; see :meth:`coterie.VectorEnv.reset`.

        Args:
            seed: One seed per instance; one integer, from which instance ``k`` gets
                ``derive_seed(seed, "instance", k)``; or ``None`` for the next episodes. Seeds
                are taken modulo 2**31.
            options: None are known.

        Raises:
            ValueError: A seed is negative, their number is wrong, or there are options.
        """
        if options:
            raise ValueError(f"options: {next(iter(options))!r} is not known; there are none")
        if seed is None and self._states is not None:
            self._episodes += 1
        else:
            given = self._first_seed() if seed is None else seed
            self._seeds = np.array(self._spread(given), np.uint32)
            self._episodes[:] = 0
        with self._library.default_device(self._jax):
            self._states = self._first = self._draw()
            self._elapsed = self._place(np.zeros(self.num_envs, np.int32))
        return self._observe(self._states), {}

    def _draw(self) -> Any:
        return self._reset(self._place(self._seeds.copy()), self._place(self._episodes.copy()))

    def _place(self, array: np.ndarray[Any, Any]) -> Any:
        """Bind an array to the device, as actions are: for others JAX compiles a step anew."""
        return self._library.device_put(array, self._jax)

    def _first_seed(self) -> int:
        return secrets.randbits(31) if self.seed is None else self.seed

    def _spread(self, seed: int | Sequence[int]) -> list[int]:
        if isinstance(seed, Sequence):
            return [one % _SEEDS for one in spread_seeds(seed, self.num_envs)]
        spread_seeds([seed], 1)
        return [derive_seed(seed, "instance", k) % _SEEDS for k in range(self.num_envs)]

    def step(
        self, actions: Any
    ) -> tuple[Any, torch.Tensor, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Do one step in every instance, and reset those whose episode ended.

        Returns:
            What :meth:`coterie.VectorEnv.step` does; ``infos["final_obs"]`` (and
            ``"final_state"`` where there is a privileged observation) are those of all instances
            before any reset.

        Raises:
            EnvContractError: There was no reset yet.
        """
        if self._states is None:
            raise EnvContractError(f"{self.name} was not reset yet: call reset() first")
        tensors = self._tensors
        with self._library.default_device(self._jax):
            states, elapsed, *outcome = self._step(
                self._states, self._elapsed, tensors.to_array(actions, self._jax)
            )
            rewards, terminated, truncated = tensors.to_tensors(tuple(outcome))
            infos = {
                "final_obs": self._observe(states),
                "metrics": tensors.to_tensors(dict(states.metrics)),
            }
            if self._has_state:
                infos["final_state"] = self._privileged
            done = (terminated | truncated).cpu().numpy()
            if not done.any():
                self._states, self._elapsed = states, elapsed
                return infos["final_obs"], rewards, terminated, truncated, infos
            self._begin(done, states, elapsed)
        return self._observe(self._states), rewards, terminated, truncated, infos

    def _begin(self, done: np.ndarray[Any, Any], states: Any, elapsed: Any) -> None:
        """Start the next episode where ``done`` (bool ``[N]``)."""
        self._episodes += done
        fresh = self._draw() if self._full_reset else self._first
        zeros = self._library.numpy.zeros_like(elapsed)
        self._states, self._elapsed = self._merge(done, (fresh, zeros), (states, elapsed))

    def _observe(self, states: Any) -> Any:
        """Return the observations of states, and keep the privileged ones."""
        if self._has_state:
            self._privileged = self._tensors.to_tensors(states.obs[_PRIVILEGED])
        return self._tensors.to_tensors(self._observed(states.obs))

    def state(self) -> Any:
        """Return the privileged observations ``[N, ...]``; ``None`` where there are none."""
        return self._privileged

    @property
    def saves_state(self) -> bool:
        """Whether its state is nothing but arrays; MuJoCo Warp keeps more."""
        return self._can_save

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the following steps depend on.

        Raises:
            EnvContractError: There was no reset yet, or the state can't be saved.
        """
        if not self._can_save:
            return super().state_dict()
        if self._states is None:
            raise EnvContractError(f"{self.name} was not reset yet: call reset() first")
        save = self._storage.save_arrays
        return {
            "states": save(self._states),
            "first": None if self._full_reset else save(self._first),
            "elapsed": save(self._elapsed),
            "seeds": torch.tensor(self._seeds.astype(np.int64)),
            "episodes": torch.tensor(self._episodes.astype(np.int64)),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to what :meth:`state_dict` returned; no reset is needed before the next step.

        Raises:
            EnvContractError: The state is damaged, or one of another environment, number of
                instances or kind of resets; then nothing has changed. Or this environment can't
                load states.
        """
        if not self._can_save:
            super().load_state_dict(state)
        where, count = f"{self.name}: the state", (self.num_envs,)
        parts = parts_of(state, _PARTS, where)
        numbers = {
            name: tensor_of(parts[name], count, [torch.int64], f"{where}.{name}").numpy(force=True)
            for name in ("seeds", "episodes")
        }
        if any((found < 0).any() or (found >= _SEEDS).any() for found in numbers.values()):
            raise EnvContractError(f"{where}: seeds and episodes are integers from 0 below 2**31")
        if self._full_reset and parts["first"] is not None:
            raise EnvContractError(f"{where}.first: it belongs to full_reset=False")
        with self._library.default_device(self._jax):
            elapsed = self._load([self._zeros], parts["elapsed"], f"{where}.elapsed")
            trees = [self._reset_shapes, self._step_shapes]
            states = self._load(trees, parts["states"], f"{where}.states")
            first = states
            if not self._full_reset:
                first = self._load(trees, parts["first"], f"{where}.first")
        self._states, self._first, self._elapsed = states, first, elapsed
        self._seeds = numbers["seeds"].astype(np.uint32)
        self._episodes = numbers["episodes"].astype(np.int32)
        self._observe(states)

    @property
    def splits_state(self) -> bool:
        """Whether its state is nothing but arrays, which then have a row per instance each.

        What is cut is exact. What JAX computes from it may round differently in a batch of
        another size.
        """
        return self._can_save

    def split_state(self, state: dict[str, Any], scopes: Sequence[slice]) -> list[dict[str, Any]]:
        """Cut a state by instance; see :meth:`coterie.VectorEnv.split_state`.

        Raises:
            EnvContractError: The state is damaged, or this environment can't split states.
            ValueError: A scope is empty or goes beyond the instances.
        """
        if not self._can_save:
            super().split_state(state, scopes)
        where = f"{self.name}: the state"
        parts = parts_of(state, _PARTS, where)
        count = count_rows(parts["seeds"], f"{where}.seeds")
        return [cut_tree(parts, count, scope, where) for scope in check_scopes(scopes, count)]

    def join_states(self, states: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Undo :meth:`split_state`.

        Raises:
            EnvContractError: The states don't fit together, or this environment can't join any.
        """
        if not self._can_save:
            super().join_states(states)
        where = f"{self.name}: the states"
        parts = [parts_of(state, _PARTS, where) for state in states]
        joined = {}
        for key in _PARTS:
            join = join_trees if key in ("seeds", "episodes") else self._storage.join_arrays
            joined[key] = join([one[key] for one in parts], f"{where}.{key}")
        return joined

    def _load(self, templates: Sequence[Callable[[], Any]], saved: Any, where: str) -> Any:
        return self._storage.load_arrays(templates, saved, self.device, where)

    def _zeros(self) -> Any:
        return np.zeros(self.num_envs, np.int32)

    def _reset_shapes(self) -> Any:
        return self._library.eval_shape(self._reset, self._seeds, self._episodes)

    def _step_shapes(self) -> Any:
        shape = (self.num_envs, *self._actions)
        actions = self._library.ShapeDtypeStruct(shape, np.float32)
        states = self._reset_shapes()
        return self._library.eval_shape(self._step, states, self._zeros(), actions)[0]

    def close(self) -> None:
        """Let go of the states; there is nothing else to release."""
        self._states = self._first = self._elapsed = None


def _parts(shapes: Any) -> tuple[Any, Any]:
    """Find what the agent observes (a function of an observation) and what is privileged."""
    if not hasattr(shapes, "items"):
        return lambda observed: observed, None
    names = [key for key in shapes if key != _PRIVILEGED]
    privileged = shapes.get(_PRIVILEGED)
    if names == ["state"]:
        return lambda observed: observed["state"], privileged
    return lambda observed: {key: observed[key] for key in names}, privileged
