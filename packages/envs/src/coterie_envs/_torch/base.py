"""The base of torch-native environments: everything but the physics."""

from __future__ import annotations

import abc
import secrets
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from coterie import ConfigError, EnvContractError, VectorEnv, derive_seed

from .._checks import check_count, check_device, spread_seeds
from .streams import advance, offsets, stream_starts, uniform


class TorchEnv(VectorEnv):
    """``num_envs`` instances whose state is one float64 tensor ``[state_size, N]``.

    A subclass says what one kind of environment is, in five functions of tensors:
    :meth:`initial`, :meth:`dynamics`, :meth:`reward`, :meth:`terminal` and :meth:`observe`. They
    must treat every column alike and on its own, with element-wise operations: then what an
    instance does never depends on how many others there are, or on where it stands among them.
    (``torch.add(..., alpha=)``, ``addcmul`` and ``lerp`` may round differently at the end of a
    tensor; write ``a + b * c``.)

    This class does the rest: same-step autoreset with ``infos["final_obs"]``, time limits, a
    random stream per instance, partial resets, saving and loading. Nothing in a step waits for
    an accelerator. Every tensor that is returned is a fresh one. :meth:`render` gives ``None``.

    The draws of an instance are a pure function of its seed and the number of its episode:
    episode ``e`` reads the outputs ``e * draw_size`` to ``(e + 1) * draw_size - 1`` of the
    splitmix64 stream that its seed starts.

    Args:
        num_envs: Number of instances.
        seed: Seed of the first reset; ``None``: that reset draws one from the system.
        device: Where the tensors live; it must know float64.
        max_episode_steps: Steps after which an episode is truncated; -1: never; ``None``: the
            environment's own number.

    Raises:
        ConfigError: A value is wrong, or the device can't compute in float64.
    """

    id: ClassVar[str]
    """What stands after ``"torch:"``."""

    state_size: ClassVar[int]
    """Number of float64 values that make up the state of an instance."""

    draw_size: ClassVar[int]
    """Number of uniform draws that :meth:`initial` takes per instance."""

    episode_steps: ClassVar[int | None]
    """Steps after which an episode is truncated where nothing else is said; ``None``: never."""

    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    autoreset_mode = AutoresetMode.SAME_STEP
    independent_streams = True
    reuses_buffers = False

    def __init__(
        self,
        num_envs: int = 1,
        *,
        seed: int | None = None,
        device: str | torch.device = "cpu",
        max_episode_steps: int | None = None,
    ) -> None:
        self.name = f"torch:{self.id}"
        self.num_envs = check_count(num_envs)
        self.device = check_device(device)
        self._check_float64()
        self.seed = None if seed is None else int(seed)
        self.max_episode_steps = self._limit(max_episode_steps)
        self._offsets = offsets(self.draw_size, self.device)
        self._next_episode = advance(self.draw_size)
        # The CPU can look at flags for free and resets only the columns that need it; an
        # accelerator would have to be waited for, so there every column is computed.
        self._by_column = self.device.type == "cpu"
        self._started = False
        self._state: torch.Tensor
        self._elapsed: torch.Tensor
        self._positions: torch.Tensor

    def _check_float64(self) -> None:
        try:
            torch.zeros(1, dtype=torch.float64, device=self.device)
        except (RuntimeError, TypeError) as error:
            raise ConfigError(
                f"{self.name} computes in float64, which {self.device} does not offer; "
                'use device="cpu"'
            ) from error

    def _limit(self, steps: int | None) -> int | None:
        if steps is None:
            return self.episode_steps
        if isinstance(steps, bool) or not isinstance(steps, int) or (steps < 1 and steps != -1):
            raise ConfigError(
                f"max_episode_steps = {steps!r}: expected an integer of at least 1, or -1 for "
                "episodes without a limit"
            )
        return None if steps == -1 else steps

    @abc.abstractmethod
    def initial(self, draws: torch.Tensor) -> torch.Tensor:
        """Turn uniform draws into initial states.

        Args:
            draws: float64 ``[draw_size, M]`` from 0 to 1, for any number ``M`` of instances.

        Returns:
            States, float64 ``[state_size, M]``.
        """

    @abc.abstractmethod
    def dynamics(self, state: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Advance by one step.

        Args:
            state: States, float64 ``[state_size, N]``; not to be changed in place.
            actions: Actions ``[N, ...]``.

        Returns:
            The following states, float64 ``[state_size, N]``.
        """

    @abc.abstractmethod
    def reward(
        self,
        state: torch.Tensor,
        actions: torch.Tensor,
        next_state: torch.Tensor,
        terminated: torch.Tensor,
    ) -> torch.Tensor:
        """Say what a step is worth.

        Args:
            state: States before the step, float64 ``[state_size, N]``.
            actions: Actions ``[N, ...]``.
            next_state: States after it.
            terminated: bool ``[N]`` of :meth:`terminal` for ``next_state``.

        Returns:
            Rewards ``[N]`` of any floating type; they leave as float32.
        """

    @abc.abstractmethod
    def terminal(self, state: torch.Tensor) -> torch.Tensor:
        """Say which states (float64 ``[state_size, N]``) end an episode: bool ``[N]``."""

    @abc.abstractmethod
    def observe(self, state: torch.Tensor) -> torch.Tensor:
        """Turn states (float64 ``[state_size, N]``) into observations ``[N, ...]``."""

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        """Start new episodes.

        Args:
            seed: One seed per instance, used as it is; one integer, from which instance ``k``
                gets ``derive_seed(seed, "instance", k)``; or ``None`` for the next episode of
                the streams as they are. The first episode after a seed has the number 0.
            options: ``{"reset_mask": bool [N]}`` leaves the other instances as they are.

        Returns:
            Observations ``[N, ...]`` of all instances, and empty infos.

        Raises:
            ValueError: Seeds or options are of the wrong number, shape or name.
            EnvContractError: Some instances were to be reset before there was a whole reset.
        """
        mask = self._reset_mask(options)
        if seed is None and self._started:
            positions = self._positions + self._next_episode
        else:
            seeds = self._spread(self._first_seed() if seed is None else seed)
            positions = stream_starts(seeds, self.device)
        state = self.initial(uniform(positions, self._offsets))
        elapsed = torch.zeros_like(positions)
        if mask is not None:
            state = torch.where(mask, state, self._state)
            elapsed = torch.where(mask, elapsed, self._elapsed)
            positions = torch.where(mask, positions, self._positions)
        self._state, self._elapsed, self._positions = state, elapsed, positions
        self._started = True
        return self.observe(state), {}

    def _reset_mask(self, options: dict[str, Any] | None) -> torch.Tensor | None:
        unknown = sorted(set(options or ()) - {"reset_mask"})
        if unknown:
            raise ValueError(f"options: {unknown[0]!r} is not known; allowed is 'reset_mask'")
        if not options:
            return None
        mask = torch.as_tensor(options["reset_mask"], device=self.device)
        if mask.dtype != torch.bool or mask.shape != (self.num_envs,):
            raise ValueError(
                f"options['reset_mask']: expected bool ({self.num_envs},), "
                f"got {mask.dtype} {tuple(mask.shape)}"
            )
        self._check_started()
        return mask

    def _check_started(self) -> None:
        if not self._started:
            raise EnvContractError(f"{self.name} was not reset yet: call reset() first")

    def _first_seed(self) -> int:
        return secrets.randbits(63) if self.seed is None else self.seed

    def _spread(self, seed: int | Sequence[int]) -> list[int]:
        if isinstance(seed, Sequence):
            return spread_seeds(seed, self.num_envs)
        return [derive_seed(seed, "instance", k) for k in range(self.num_envs)]

    def step(
        self, actions: Any
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Do one step in every instance, and reset those whose episode ended.

        Args:
            actions: Actions ``[N, ...]`` on :attr:`device`.

        Returns:
            Observations ``[N, ...]``, rewards (float32 ``[N]``), terminated and truncated (bool
            ``[N]``), and infos with ``"final_obs"``: observations ``[N, ...]`` before any reset.

        Raises:
            EnvContractError: There was no reset yet.
        """
        self._check_started()
        before, state = self._state, self.dynamics(self._state, actions)
        terminated = self.terminal(state)
        rewards = self.reward(before, actions, state, terminated).float()
        self._state, self._elapsed = state, self._elapsed + 1
        truncated = self._truncated()
        ended = self.observe(state)
        reset = self._autoreset(terminated | truncated)
        observations = self.observe(self._state) if reset else ended
        return observations, rewards, terminated, truncated, {"final_obs": ended}

    def _truncated(self) -> torch.Tensor:
        if self.max_episode_steps is None:
            return torch.zeros_like(self._elapsed, dtype=torch.bool)
        return self._elapsed >= self.max_episode_steps

    def _autoreset(self, done: torch.Tensor) -> bool:
        """Start the next episode where ``done`` (bool ``[N]``); whether any may have started."""
        if not self._by_column:
            positions = self._positions + self._next_episode
            fresh = self.initial(uniform(positions, self._offsets))
            self._positions = torch.where(done, positions, self._positions)
            self._elapsed = torch.where(done, 0, self._elapsed)
            self._state = torch.where(done, fresh, self._state)
            return True
        columns = done.nonzero().squeeze(1)
        if not len(columns):
            return False
        positions = self._positions[columns] + self._next_episode
        self._positions[columns] = positions
        self._elapsed[columns] = 0
        fresh = self.initial(uniform(positions, self._offsets))
        # Not in place: an observation may be a view of the state.
        self._state = self._state.index_copy(1, columns, fresh)
        return True

    @property
    def saves_state(self) -> bool:
        """``True``: a state carries the whole simulation."""
        return True

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the following steps depend on, as tensors of their own.

        Returns:
            ``state`` (float64 ``[state_size, N]``), ``elapsed`` steps of the running episodes
            and ``positions`` of the random streams, int64 ``[N]`` each.

        Raises:
            EnvContractError: There was no reset yet.
        """
        self._check_started()
        return {
            "state": self._state.clone(),
            "elapsed": self._elapsed.clone(),
            "positions": self._positions.clone(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to what :meth:`state_dict` returned; no reset is needed before the next step.

        Raises:
            EnvContractError: The state has other parts, or is one of another number of instances.
        """
        shapes: dict[str, tuple[int, ...]] = {
            "state": (self.state_size, self.num_envs),
            "elapsed": (self.num_envs,),
            "positions": (self.num_envs,),
        }
        if set(state) != set(shapes):
            raise EnvContractError(
                f"{self.name}: expected a state of {sorted(shapes)}, got {sorted(state)}"
            )
        for key, shape in shapes.items():
            if state[key].shape != shape:
                got = tuple(state[key].shape)
                raise EnvContractError(
                    f"{self.name}: the state's {key!r}: expected shape {shape}, got {got}"
                )
        own = {key: value.to(self.device, copy=True) for key, value in state.items()}
        self._state, self._elapsed = own["state"], own["elapsed"]
        self._positions = own["positions"]
        self._started = True
