"""An environment in one of skrl's wrappers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from skrl.utils.spaces.torch import flatten_tensorized_space, tensorize_space

from coterie import EnvContractError, VectorEnv

from .._spaces import Flat
from .ends import final_matrix, has_own_streams, reset_mode
from .seeding import give_seed

NO_ENDS = (
    "{name} does not tell where a truncated episode ended; the observation before its last step "
    "stands for it"
)


class SkrlEnv(VectorEnv):
    """An environment that ``skrl.envs.wrappers.torch.wrap_env`` wrapped, behind the contract.

    It is stepped through its wrapper. Observations come as float32, as skrl's wrappers have
    them, in the dtypes of the space.

    Args:
        wrapper: The wrapped environment; closed with this object.
        faithful: Whether to hand on what skrl's trainers see, with what is wrong in it: steps
            that only reset an instance are experience, and where an instance is reset in the step
            that ends its episode, the first observation of the next one counts as the last.
        seed: Seed of the first reset that gives none; ``None``: the one of skrl's ``set_seed``.

    Attributes:
        wrapper: The wrapped environment.
    """

    reuses_buffers = True

    def __init__(self, wrapper: Any, *, faithful: bool = False, seed: int | None = None) -> None:
        self.wrapper = wrapper
        self.faithful = faithful
        self.seed = seed
        self.name = f"skrl:{type(wrapper._unwrapped).__name__}"
        self.num_envs = int(wrapper.num_envs)
        self.device = torch.empty(0, device=wrapper.device).device
        self.observation_space = wrapper.observation_space
        self.action_space = wrapper.action_space
        self.state_space = wrapper.state_space
        self.autoreset_mode, self._masked = reset_mode(wrapper)
        if faithful and (self._masked or self.autoreset_mode is AutoresetMode.NEXT_STEP):
            self.autoreset_mode, self._masked = AutoresetMode.SAME_STEP, False
        self.independent_streams = has_own_streams(wrapper) and not faithful
        self._observation_flat = Flat(self.observation_space)
        self._action_flat = Flat(self.action_space)
        self._state_flat = None if self.state_space is None else Flat(self.state_space)
        self._observations: Any = None
        self._warned = self._closed = False

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start new episodes; see :meth:`coterie.VectorEnv.reset`.

        Raises:
            EnvContractError: Seeds were given one by one, but the instances share one stream.
        """
        mask = (options or {}).get("reset_mask")
        if mask is not None and self._masked:
            return self._keep(self._reset_some(mask)), {}
        if mask is None and not self.faithful:
            first, self.seed = self.seed, None
            seed = first if seed is None else seed
            give_seed(self.wrapper, seed, self.independent_streams, self.name)
        observations, infos = self.wrapper.reset()
        return self._keep(observations), dict(infos)

    def _reset_some(self, mask: torch.Tensor) -> torch.Tensor:
        """Reset instances at once that gymnasium would reset in the next step."""
        chosen = mask.cpu().numpy().astype(np.bool_)
        found, infos = self.wrapper._env.reset(options={"reset_mask": chosen})
        space, device = self.wrapper.observation_space, self.wrapper.device
        observations = flatten_tensorized_space(tensorize_space(space, found, device=device))
        self.wrapper._observation, self.wrapper._info = observations, infos
        return observations  # type: ignore[no-any-return]

    def step(
        self, actions: Any
    ) -> tuple[Any, torch.Tensor, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Do one step in every instance; see :meth:`coterie.VectorEnv.step`.

        Raises:
            EnvContractError: There was no reset yet.
        """
        if self._observations is None:
            raise EnvContractError(f"{self.name} was not reset yet: call reset() first")
        before = self._observations
        with torch.no_grad():
            found = self.wrapper.step(self._action_flat.flatten(actions))
        observations, rewards, terminated, truncated, told = found
        infos = dict(told) if isinstance(told, dict) else {}
        flags = terminated.reshape(-1).bool(), truncated.reshape(-1).bool()
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            infos["final_obs"] = self._ends(infos, observations, before, flags[1])
        kept = self._keep(observations)
        return kept, rewards.reshape(-1).float(), *flags, infos

    def _ends(
        self,
        infos: dict[str, Any],
        observations: torch.Tensor,
        before: torch.Tensor,
        truncated: torch.Tensor,
    ) -> Any:
        if self.faithful:
            return self._observation_flat.unflatten(observations)
        final = final_matrix(self.wrapper, infos, observations)
        if final is None:
            if not self._warned and bool(truncated.any()):
                self._warned = True
                warnings.warn(NO_ENDS.format(name=self.name), stacklevel=4)
            final = before
        return self._observation_flat.unflatten(final)

    def _keep(self, observations: torch.Tensor) -> Any:
        self._observations = observations.clone()
        return self._observation_flat.unflatten(observations)

    def state(self) -> Any:
        """Return what the wrapper's ``state()`` gives; ``None``: there is none."""
        if self._state_flat is None:
            return None
        found = self.wrapper.state()
        return None if found is None else self._state_flat.unflatten(found)

    def render(self) -> Any:
        """Draw the instances as the wrapper does."""
        return draw(self.wrapper)

    def close(self) -> None:
        """Close the environment."""
        if not self._closed:
            self._closed = True
            self.wrapper.close()


def draw(wrapper: Any) -> Any:
    """Draw an environment, unless it was made without a render mode."""
    silent = getattr(wrapper._env, "render_mode", "") is None
    return None if silent else wrapper.render()
