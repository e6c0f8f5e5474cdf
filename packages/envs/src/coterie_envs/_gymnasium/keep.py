"""Final observations that stay as they are. Free of torch: worker processes import this."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import gymnasium
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv


class KeepFinal(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Copies the observation that ends an episode.

    In same-step autoreset an environment is reset before its final observation is read; one
    that writes each observation into the same array would overwrite it.
    """

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment; see :meth:`gymnasium.Env.step`."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if terminated or truncated:
            observation = deepcopy(observation)
        return observation, reward, terminated, truncated, info


def keep_final_observations(env: VectorEnv[Any, Any, Any]) -> None:
    """Wrap the instances of a same-step :class:`SyncVectorEnv` in :class:`KeepFinal`, in place.

    Other vector environments are left as they are: their instances can't be reached.
    """
    base = env.unwrapped
    if not isinstance(base, SyncVectorEnv):
        return
    if base.metadata.get("autoreset_mode") is AutoresetMode.SAME_STEP:
        base.envs = [one if isinstance(one, KeepFinal) else KeepFinal(one) for one in base.envs]
