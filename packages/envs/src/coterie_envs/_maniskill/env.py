"""ManiSkill's batched environments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from gymnasium.vector import AutoresetMode

from coterie import EnvContractError, VectorEnv

from .._batched import conformed, flags, one_seed, rewards_of

_ENDS = ("final_observation", "_final_observation", "final_info", "_final_info", "_elapsed_steps")


class ManiSkillEnv(VectorEnv):
    """A ``ManiSkillVectorEnv`` behind Coterie's contract.

    With its ``auto_reset`` an instance is reset in the step that ends its episode, and ManiSkill
    tells where the episode ended; without it, instances wait for a reset with a mask. Tensors
    stay on the simulator's device; all instances share its random stream.

    ``infos`` are those of the step: what ManiSkill moves to ``"final_info"`` when an episode
    ends is in its usual place, ``"elapsed_steps"`` and ``"success"`` for example. With
    ``record_metrics``, ``"_episode"`` (bool ``[N]``) marks the instances whose ``"episode"`` is
    complete.

    Args:
        env: The vector environment; closed with this object.
        name: What it is, for people.
        seed: Seed of the first reset; ``None``: the simulator's own.

    Attributes:
        env: The vector environment.
    """

    independent_streams = False
    reuses_buffers = True

    def __init__(self, env: Any, *, name: str, seed: int | None = None) -> None:
        self.env = env
        self.name = name
        self.seed = seed
        self.num_envs = int(env.num_envs)
        self.device = torch.empty(0, device=env.device).device
        self.observation_space = env.single_observation_space
        self.action_space = env.single_action_space
        automatic = env.auto_reset
        self.autoreset_mode = AutoresetMode.SAME_STEP if automatic else AutoresetMode.DISABLED
        self._started = self._closed = False

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start new episodes; see :meth:`coterie.VectorEnv.reset`.

        Args:
            seed: One seed, or ``None``.
            options: ``{"reset_mask": bool [N]}`` in the mode ``DISABLED``, and ManiSkill's own.

        Raises:
            EnvContractError: Seeds were given one by one, but the instances share one stream.
            ValueError: A mask was given in another mode, or it is not bool ``[N]``.
        """
        if seed is None and not self._started:
            seed = self.seed
        single = None if seed is None else one_seed(seed, self.name)
        given = dict(options or {})
        if "reset_mask" in given:
            given["env_idx"] = self._rows(given.pop("reset_mask"))
        observations, infos = self.env.reset(seed=single, options=given)
        self._started = True
        return conformed(self.observation_space, observations, self.device), dict(infos)

    def _rows(self, mask: Any) -> torch.Tensor:
        mask = torch.as_tensor(mask, device=self.device)
        if mask.dtype != torch.bool or mask.shape != (self.num_envs,):
            raise ValueError(
                f"options['reset_mask']: expected bool ({self.num_envs},), "
                f"got {mask.dtype} {tuple(mask.shape)}"
            )
        if self.autoreset_mode is not AutoresetMode.DISABLED:
            raise ValueError(
                f"options['reset_mask']: {self.name} resets its instances by itself; only "
                "auto_reset=False takes a mask"
            )
        rows: torch.Tensor = mask.nonzero().flatten()
        return rows

    def step(
        self, actions: Any
    ) -> tuple[Any, torch.Tensor, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Do one step in every instance; see :meth:`coterie.VectorEnv.step`.

        Raises:
            EnvContractError: There was no reset yet.
        """
        if not self._started:
            raise EnvContractError(f"{self.name} was not reset yet: call reset() first")
        observations, rewards, terminated, truncated, told = self.env.step(actions)
        count, device = self.num_envs, self.device
        terminated = flags(terminated, count, device)
        truncated = flags(truncated, count, device)
        infos = _of_the_step(told)
        if "episode" in infos:
            infos["_episode"] = terminated | truncated
        if "final_observation" in told:
            final = told["final_observation"]
            infos["final_obs"] = conformed(self.observation_space, final, device)
        observed = conformed(self.observation_space, observations, device)
        return observed, rewards_of(rewards, count, device), terminated, truncated, infos

    def render(self) -> Any:
        """Draw the instances: RGB arrays ``[N, height, width, 3]``, or ``None`` without them."""
        return self.env.render() if getattr(self.env.base_env, "render_mode", None) else None

    def close(self) -> None:
        """Close the environment."""
        if not self._closed:
            self._closed = True
            self.env.close()


def _of_the_step(told: dict[str, Any]) -> dict[str, Any]:
    """Return what was told of the step itself, not of the resets that followed it."""
    source = told.get("final_info", told)
    return {key: value for key, value in source.items() if key not in _ENDS}
