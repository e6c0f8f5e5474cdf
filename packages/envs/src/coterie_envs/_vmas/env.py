"""A VMAS environment behind the contract for teams."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from coterie import ConfigError, EnvContractError, MultiAgentVectorEnv
from coterie.spaces import tree_map

from .._checks import spread_seeds
from .spaces import to_gymnasium
from .streams import Streams

_SEEDS = 2**31
RENDER_MODES = ("rgb_array", "human")


class VmasEnv(MultiAgentVectorEnv):
    """An environment of VMAS, whose instances are simulated together in torch.

    Tensors pass through as VMAS gives them, on its device. All actors of an instance end in the
    same step; ``terminated`` is what the scenario says, ``truncated`` the limit ``max_steps``.
    Instances are reset when the loop asks for it (``DISABLED``): all of them in one call, some
    of them one by one, as VMAS has it.

    The instances share one random stream (``independent_streams = False``), so that what one
    draws depends on how often the others were reset. It is the environment's own: VMAS itself
    has one for all environments of a process.

    ``infos`` is a dict by actor of what the scenario tells of it, in tensors ``[N, ...]``.

    Args:
        env: The environment; its ``terminated_truncated`` is set to true.
        streams: Its random streams; ``None``: those of VMAS as they are now.
        name: What it is, for people.
        seed: Seed of the first reset, taken modulo 2**31; ``None``: the stream goes on.
        render_mode: ``"rgb_array"``, ``"human"`` (a window with the first instance), or ``None``.

    Attributes:
        env: The environment; ``None`` after :meth:`close`.

    Raises:
        ConfigError: It has actors of the same name, or there is no such render mode.
    """

    autoreset_mode = AutoresetMode.DISABLED
    independent_streams = False
    reuses_buffers = False
    actors_end_together = True

    def __init__(
        self,
        env: Any,
        *,
        streams: Streams | None = None,
        name: str = "vmas",
        seed: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None and render_mode not in RENDER_MODES:
            raise ConfigError(
                f"render_mode = {render_mode!r}: expected one of "
                f"{', '.join(map(repr, RENDER_MODES))}, or None"
            )
        self.env = env
        self.name, self.seed, self.render_mode = name, seed, render_mode
        self.num_envs = int(env.num_envs)
        self.device = torch.empty(0, device=env.device).device
        self._streams = streams or Streams(type(env).vmas_random_state, self.device)
        self.actors = tuple(str(agent.name) for agent in env.agents)
        if len(set(self.actors)) != len(self.actors):
            raise ConfigError(f"{name}: the names of its agents must differ, got {self.actors}")
        self.observation_space = _by_actor(env, env.observation_space, self.actors, "observation")
        self.action_space = _by_actor(env, env.action_space, self.actors, "action")
        env.terminated_truncated = True
        self._begun = False

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start new episodes; see :meth:`coterie.VectorEnv.reset`.

        Args:
            seed: One seed for the stream that the instances share, or ``None`` to go on with it
                (the first time: :attr:`seed`).
            options: ``{"reset_mask": bool [N]}``.

        Raises:
            EnvContractError: Seeds were given one by one, or the environment is closed.
            ValueError: The seed is negative, the mask is wrong, or there are other options.
        """
        self._check_open()
        mask = self._mask(dict(options or {}))
        if seed is None and not self._begun:
            seed = self.seed
        if isinstance(seed, Sequence):
            raise EnvContractError(
                f"{self.name}: its instances share one random stream and can't be seeded one by "
                "one; reset with a single seed"
            )
        if seed is not None:
            self._streams.seed(spread_seeds([seed], 1)[0] % _SEEDS)
        self._begun = True
        with self._streams:
            return self._named(self._reset(mask)), {}

    def _reset(self, mask: torch.Tensor | None) -> Any:
        if mask is None or bool(mask.all()):
            return self.env.reset()
        for row in mask.nonzero().flatten().tolist():
            self.env.reset_at(row, return_observations=False)
        found = self.env.get_from_scenario(
            get_observations=True, get_rewards=False, get_infos=False, get_dones=False
        )
        return found[0]

    def _mask(self, options: dict[str, Any]) -> torch.Tensor | None:
        mask = options.pop("reset_mask", None)
        if options:
            raise ValueError(f"options: {next(iter(options))!r} is not known; VMAS takes none")
        if mask is None:
            return None
        tensor = torch.as_tensor(mask, device=self.device)
        if tensor.dtype != torch.bool or tensor.shape != (self.num_envs,):
            raise ValueError(
                f"options['reset_mask']: expected bool ({self.num_envs},), "
                f"got {tensor.dtype} {tuple(tensor.shape)}"
            )
        if not self._begun:
            raise EnvContractError(f"{self.name} was not reset yet: call reset() without a mask")
        return tensor

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Do one step in every instance; see :meth:`coterie.MultiAgentVectorEnv.step`.

        Raises:
            EnvContractError: There was no reset yet, or the environment is closed.
        """
        self._check_open()
        if not self._begun:
            raise EnvContractError(f"{self.name} was not reset yet: call reset() first")
        given = [_column(actions[actor]) for actor in self.actors]
        with self._streams:
            observations, rewards, terminated, truncated, infos = self.env.step(given)
        return (
            self._named(observations),
            {actor: self._flat(reward).float() for actor, reward in self._items(rewards)},
            dict.fromkeys(self.actors, self._flat(terminated).bool()),
            dict.fromkeys(self.actors, self._flat(truncated).bool()),
            {actor: info for actor, info in self._items(infos) if info},
        )

    def _flat(self, values: torch.Tensor) -> torch.Tensor:
        return values.reshape(self.num_envs)  # some scenarios give [N, 1]

    def _named(self, observations: Any) -> Any:
        """Name observations by actor, in float32, as VMAS's spaces have them."""
        return {actor: tree_map(_float, tree) for actor, tree in self._items(observations)}

    def _items(self, values: Any) -> Iterable[tuple[str, Any]]:
        """Pair actors with what VMAS gives as a dict or as a list."""
        if isinstance(values, dict):
            return [(actor, values[actor]) for actor in self.actors]
        return zip(self.actors, values, strict=True)

    def _check_open(self) -> None:
        if self.env is None:
            raise EnvContractError(f"{self.name} is closed")

    def render(self) -> np.ndarray[Any, Any] | None:
        """Draw the instances.

        Returns:
            Frames ``[N, height, width, 3]`` (uint8) with the render mode ``"rgb_array"``; ``None``
            with ``"human"``, which shows the first instance in a window, and without a mode.

        Raises:
            EnvContractError: Nothing can be drawn here; VMAS needs a display, or EGL.
        """
        self._check_open()
        if self.render_mode is None:
            return None
        rows = range(self.num_envs) if self.render_mode == "rgb_array" else range(1)
        try:
            with self._streams:
                frames = [self.env.render(mode=self.render_mode, env_index=row) for row in rows]
        except Exception as error:
            raise EnvContractError(
                f"{self.name} can't be drawn here ({type(error).__name__}: {error}); VMAS draws "
                "with pyglet and OpenGL: it needs a display (on a server: xvfb-run -a "
                "-s '-screen 0 1400x900x24' COMMAND), or a graphics card with EGL"
            ) from error
        return np.stack(frames) if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Let the environment and its window go."""
        env, self.env = self.env, None
        if env is not None and env.viewer is not None:
            env.viewer.close()


def _column(action: torch.Tensor) -> torch.Tensor:
    """Give a Discrete action ``[N]`` the dimension that VMAS would add in place."""
    return action.unsqueeze(-1) if action.dim() == 1 else action


def _float(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float()


def _by_actor(env: Any, space: Any, actors: Sequence[str], what: str) -> spaces.Dict:
    parts = [space[name] for name in actors] if env.dict_spaces else list(space)
    return spaces.Dict(
        [
            (actor, to_gymnasium(part, f"the {what} space of {actor}"))
            for actor, part in zip(actors, parts, strict=True)
        ]
    )


def draw_seed() -> int:
    """Draw a seed from the system."""
    return secrets.randbits(31)
