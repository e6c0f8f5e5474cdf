"""The base of torch-native environments: everything but the physics."""

from __future__ import annotations

import abc
import secrets
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from coterie import ConfigError, EnvContractError, FunctionalEnv, derive_seed, tile_frames

from .._checks import check_count, check_device, spread_seeds
from .._cutting import check_scopes, count_rows, cut_rows, join_rows
from .._states import parts_of, tensor_of
from .drawing import Capsule, View, paint
from .running import Runner, Stepwise, Whole
from .simulation import Outcome, Simulation
from .streams import advance, offsets, stream_starts, uniform

MOST_DRAWN = 64
_DIMS = {"state": 1, "elapsed": 0, "positions": 0}  # of the instances, in a saved state


class TorchEnv(FunctionalEnv):
    """``num_envs`` instances whose state is one tensor ``[state_size, N]``, mostly float64.

    A subclass says what one kind of environment is, in five functions of tensors:
    :meth:`initial`, :meth:`dynamics`, :meth:`reward`, :meth:`terminal` and :meth:`observe`. They
    must treat every column alike and on its own, with element-wise operations: then what an
    instance does never depends on how many others there are, or on where it stands among them.
    (``torch.add(..., alpha=)``, ``addcmul`` and ``lerp`` may round differently at the end of a
    tensor; write ``a + b * c``.)

    This class does the rest: same-step autoreset with ``infos["final_obs"]``, time limits, a
    random stream per instance, partial resets, saving and loading. Nothing in a step waits for
    an accelerator. Every tensor that is returned is a fresh one.

    The draws of an instance are a pure function of its seed and the number of its episode:
    episode ``e`` reads the outputs ``e * draw_size`` to ``(e + 1) * draw_size - 1`` of the
    splitmix64 stream that its seed starts.

    Args:
        num_envs: Number of instances.
        seed: Seed of the first reset; ``None``: that reset draws one from the system.
        device: Where the tensors live; it must know float64.
        max_episode_steps: Steps after which an episode is truncated; -1: never; ``None``: the
            environment's own number.
        render_mode: ``"rgb_array"``: :meth:`render` draws; ``None``: it gives ``None``.
        render_height: Height of the picture of one instance, in pixels.

    Attributes:
        captions: For :meth:`render`: the names of scopes, and the instances that each has. A
            trainer that renders fills it, unless somebody did before.

    Raises:
        ConfigError: A value is wrong, or the device can't compute in float64.
    """

    id: ClassVar[str]
    """What stands after ``"torch:"``."""

    state_size: int
    """Number of float64 values that make up the state of an instance."""

    state_dtype: torch.dtype = torch.float64
    """Type of these values, where float64 is not the right one."""

    draw_size: int
    """Number of uniform draws that :meth:`initial` takes per instance."""

    episode_steps: int | None
    """Steps after which an episode is truncated where nothing else is said; ``None``: never."""

    view: View = (-1.0, -1.0, 1.0, 1.0)
    """Left, bottom, right and top of what a picture shows, in the units of :meth:`shapes`."""

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
        render_mode: str | None = None,
        render_height: int = 128,
    ) -> None:
        self.name = f"torch:{self.id}"
        self.num_envs = check_count(num_envs)
        self.device = check_device(device)
        self._check_float64()
        self.seed = None if seed is None else int(seed)
        self.max_episode_steps = self._limit(max_episode_steps)
        if render_mode not in (None, "rgb_array"):
            raise ConfigError(f"render_mode = {render_mode!r}: expected 'rgb_array' or None")
        self.render_mode = render_mode
        self.render_height = _height(render_height)
        self.captions = {}
        self._offsets = offsets(self.draw_size, self.device)
        self._next_episode = advance(self.draw_size)
        # The CPU can look at flags for free; an accelerator would have to be waited for.
        kind = Stepwise if self.device.type == "cpu" else Whole
        self._runner: Runner = kind(self, self._next_episode)
        self._started = False

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
            positions = self._runner.simulation().positions + self._next_episode
        else:
            seeds = self._spread(self._first_seed() if seed is None else seed)
            positions = stream_starts(seeds, self.device)
        state = self.draw(positions)
        begun = Simulation(state, torch.zeros_like(positions), positions)
        if mask is not None:
            pairs = zip(begun, self._runner.simulation(), strict=True)
            begun = Simulation(*(torch.where(mask, new, old) for new, old in pairs))
        self._start(begun)
        return self.observe(begun.state), {}

    def _start(self, simulation: Simulation) -> None:
        """Go on from a simulation, whose tensors are ours from now on."""
        self._runner.start(simulation)
        self._started = True

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
        observations, rewards, terminated, truncated, ended = self._runner.step(actions)
        return observations, rewards, terminated, truncated, {"final_obs": ended}

    def advance(self, simulation: Simulation, actions: torch.Tensor) -> tuple[Simulation, Outcome]:
        """Do what :meth:`step` does, as a pure function that changes nothing.

        It reads only settings of this environment, waits for no device, and branches on no
        value, so ``torch.compile(env.advance, fullgraph=True)`` takes it, alone or within a
        function that does many steps and chooses the actions. Start from :attr:`simulation`;
        :meth:`go_on` brings the result back. A compiler may round otherwise in the last bit.

        Args:
            simulation: Where the instances are.
            actions: Actions ``[N, ...]`` on :attr:`device`.

        Returns:
            Where they are then, and what the step gave.
        """
        before, elapsed, positions = simulation
        state, elapsed = self.dynamics(before, actions), elapsed + 1
        terminated, truncated = self.terminal(state), self.overtime(elapsed)
        rewards = self.reward(before, actions, state, terminated).float()
        final_obs = self.observe(state)
        done = terminated | truncated
        following = positions + self._next_episode
        state = torch.where(done, self.draw(following), state)
        positions = torch.where(done, following, positions)
        after = Simulation(state, torch.where(done, 0, elapsed), positions)
        return after, Outcome(self.observe(state), rewards, terminated, truncated, final_obs)

    def draw(self, positions: torch.Tensor) -> torch.Tensor:
        """Draw the states that the episodes at some positions (int64 ``[M]``) begin in.

        Returns:
            States ``[state_size, M]``.
        """
        return self.initial(uniform(positions, self._offsets))

    def shapes(self, state: torch.Tensor) -> Sequence[Capsule]:
        """Say what a picture of some states (``[state_size, M]``) shows, the lowest first."""
        raise NotImplementedError(f"{self.name} does not say what it looks like")

    def pictures(self, state: torch.Tensor, height: int) -> torch.Tensor:
        """Draw states.

        Args:
            state: ``[state_size, M]``.
            height: Height of a picture, in pixels.

        Returns:
            uint8 ``[M, height, width, 3]``.
        """
        return paint(self.shapes(state), self.view, state.shape[1], height, state.device)

    def render(self) -> npt.NDArray[np.uint8] | None:
        """Draw the instances in one picture, the first 64, or as many of each of the scopes.

        With :attr:`captions` the name of its scope stands above each instance.

        Returns:
            uint8 ``[H, W, 3]``; ``None`` unless the render mode is ``"rgb_array"``.

        Raises:
            EnvContractError: There was no reset yet.
        """
        if self.render_mode is None:
            return None
        self._check_started()
        scopes = self.captions or {"": range(self.num_envs)}
        share = max(1, MOST_DRAWN // len(scopes))
        rows = [(row, name) for name, scope in scopes.items() for row in scope[:share]]
        state = self._runner.simulation().state[:, [row for row, _ in rows]]
        names = [name for _, name in rows] if self.captions else None
        return tile_frames(self.pictures(state, self.render_height), names)

    def overtime(self, elapsed: torch.Tensor) -> torch.Tensor:
        """Say which episodes of some lengths (int64 ``[N]``) are truncated: bool ``[N]``."""
        if self.max_episode_steps is None:
            return torch.zeros_like(elapsed, dtype=torch.bool)
        return elapsed >= self.max_episode_steps

    @property
    def simulation(self) -> Simulation:
        """Where the instances are: what :meth:`advance` starts from, a copy.

        Raises:
            EnvContractError: There was no reset yet.
        """
        self._check_started()
        return Simulation(*(tensor.clone() for tensor in self._runner.simulation()))

    def go_on(self, simulation: Simulation) -> None:
        """Be where :meth:`advance` came to; the tensors belong to the environment from now on."""
        self._start(simulation)

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
        return self.simulation._asdict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to what :meth:`state_dict` returned; no reset is needed before the next step.

        Raises:
            EnvContractError: The state has other parts, or parts of another shape or dtype.
        """
        wanted: dict[str, tuple[tuple[int, ...], torch.dtype]] = {
            "state": ((self.state_size, self.num_envs), self.state_dtype),
            "elapsed": ((self.num_envs,), torch.int64),
            "positions": ((self.num_envs,), torch.int64),
        }
        where = f"{self.name}: the state"
        parts = parts_of(state, wanted, where)
        tensors = {
            key: tensor_of(parts[key], shape, [dtype], f"{where}'s {key!r}")
            for key, (shape, dtype) in wanted.items()
        }
        own = {key: value.to(self.device, copy=True) for key, value in tensors.items()}
        self._start(Simulation(**own))

    @property
    def splits_state(self) -> bool:
        """``True``: an instance is a column of its own, whatever the others are."""
        return True

    def split_state(self, state: dict[str, Any], scopes: Sequence[slice]) -> list[dict[str, Any]]:
        """Cut a state by instance; see :meth:`coterie.VectorEnv.split_state`.

        Raises:
            EnvContractError: The state has other parts, or parts of different sizes.
            ValueError: A scope is empty or goes beyond the instances.
        """
        where = f"{self.name}: the state"
        parts = parts_of(state, _DIMS, where)
        count = count_rows(parts["positions"], f"{where}'s 'positions'")
        return [
            {
                key: cut_rows(parts[key], count, scope, f"{where}'s {key!r}", dim)
                for key, dim in _DIMS.items()
            }
            for scope in check_scopes(scopes, count)
        ]

    def join_states(self, states: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Undo :meth:`split_state`.

        Raises:
            EnvContractError: A state has other parts, or they don't fit together.
        """
        where = f"{self.name}: the states"
        parts = [parts_of(state, _DIMS, where) for state in states]
        return {
            key: join_rows([one[key] for one in parts], f"{where}' {key!r}", dim)
            for key, dim in _DIMS.items()
        }


def _height(pixels: int) -> int:
    if isinstance(pixels, bool) or not isinstance(pixels, int) or pixels < 1:
        raise ConfigError(f"render_height = {pixels!r}: expected a number of pixels, at least 1")
    return pixels
