"""An Isaac Lab environment for one agent."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from gymnasium.vector import AutoresetMode

from coterie import ConfigError, EnvContractError, VectorEnv
from coterie.spaces import tree_map

from .._batched import conformed, flags, one_seed, rewards_of

_NO_ENDS = (
    "{name}: this version of Isaac Lab has no compute_final_obs, so it does not tell where a "
    "truncated episode ended; the observation before its last step stands for it"
)


class IsaacLabEnv(VectorEnv):
    """A ``DirectRLEnv`` or ``ManagerBasedRLEnv`` of Isaac Lab behind Coterie's contract.

    The group ``"policy"`` of its observations is what the agent observes, ``"critic"``, where
    there is one, the privileged observation; other groups are left out. Tensors stay on the
    simulator's device.

    Isaac Lab resets an instance in the step that ends its episode, and tells where the episode
    ended only when its ``compute_final_obs`` is set, so this class sets it. Versions without it
    never tell; there the observation that the last step *began* with stands for the one it
    ended in, and a warning says so once.

    All instances share the process-wide random generators, which Isaac Lab seeds itself. What it
    tells in ``extras`` (``"log"``, ``"time_outs"``, …) is handed on in ``infos``.

    Args:
        env: The environment, in gymnasium's wrappers or not; closed with this object.
        name: What it is, for people.
        seed: Seed of the first reset; ``None``: the simulator's own.

    Attributes:
        env: The environment.

    Raises:
        ConfigError: It is one for several agents, or has no observations for the policy.
    """

    autoreset_mode = AutoresetMode.SAME_STEP
    independent_streams = False
    reuses_buffers = True

    def __init__(self, env: Any, *, name: str, seed: int | None = None) -> None:
        base = env.unwrapped
        self.env = env
        self.name = name
        self.seed = seed
        self.num_envs = int(base.num_envs)
        self.device = torch.empty(0, device=base.device).device
        self.observation_space, self.state_space = _spaces(base, name)
        self.action_space = base.single_action_space
        self._tells_ends = _ask_for_ends(base)
        self._before: Any = None
        self._state: Any = None
        self._closed = self._warned = False

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start new episodes; see :meth:`coterie.VectorEnv.reset`.

        Raises:
            EnvContractError: Seeds were given one by one, but the instances share one stream.
        """
        if seed is None and self._before is None:
            seed = self.seed
        single = None if seed is None else one_seed(seed, self.name)
        groups, extras = self.env.reset(seed=single, options=options)
        return self._observe(groups), _told(extras)

    def step(
        self, actions: Any
    ) -> tuple[Any, torch.Tensor, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Do one step in every instance; see :meth:`coterie.VectorEnv.step`.

        Raises:
            EnvContractError: There was no reset yet.
        """
        if self._before is None:
            raise EnvContractError(f"{self.name} was not reset yet: call reset() first")
        before = self._before
        with torch.no_grad():
            groups, rewards, terminated, truncated, extras = self.env.step(actions)
        count, device = self.num_envs, self.device
        terminated = flags(terminated, count, device)
        truncated = flags(truncated, count, device)
        infos = _told(extras)
        observations = self._observe(groups)
        infos |= self._ends(extras, before, truncated)
        return observations, rewards_of(rewards, count, device), terminated, truncated, infos

    def _observe(self, groups: Any) -> Any:
        """Keep copies of what the simulator may overwrite, and return the policy's part."""
        observations = self._group("policy", groups)
        state = None if self.state_space is None else self._group("critic", groups)
        if not self._tells_ends:
            observations = tree_map(torch.clone, observations)
        self._state = state
        self._before = (observations, state if self._tells_ends else _copy(state))
        return observations

    def _group(self, group: str, groups: Any) -> Any:
        space = self.observation_space if group == "policy" else self.state_space
        assert space is not None
        try:
            return conformed(space, groups[group], self.device)
        except (LookupError, TypeError) as error:
            raise EnvContractError(
                f"{self.name}: the observations of the group {group!r} do not fit their space "
                f"{space} ({type(error).__name__}: {error})"
            ) from error

    def _ends(self, extras: dict[str, Any], before: Any, truncated: torch.Tensor) -> dict[str, Any]:
        """Say where episodes ended; ``{}`` where that is not known and none was truncated."""
        final = extras.get("final_obs") if self._tells_ends else None
        if final is not None:
            state = None if self.state_space is None else self._group("critic", final)
            ends = {"final_obs": self._group("policy", final)}
            return ends if state is None else {**ends, "final_state": state}
        if self._tells_ends or not bool(truncated.any()):
            return {}
        if not self._warned:
            self._warned = True
            warnings.warn(_NO_ENDS.format(name=self.name), stacklevel=3)
        observations, state = before
        ends = {"final_obs": observations}
        return ends if state is None else {**ends, "final_state": state}

    def state(self) -> Any:
        """Return the group ``"critic"`` of the last observations; ``None``: there is none."""
        return self._state

    def render(self) -> Any:
        """Draw what the simulator's camera sees: an RGB array, or ``None`` without a picture."""
        return self.env.render() if getattr(self.env, "render_mode", None) else None

    def close(self) -> None:
        """Close the environment; the simulator's application runs on."""
        if not self._closed:
            self._closed = True
            self.env.close()


def _spaces(base: Any, name: str) -> tuple[Any, Any]:
    groups = getattr(base, "single_observation_space", None)
    if groups is None or hasattr(base, "possible_agents"):
        raise ConfigError(
            f"{name} is an environment for several agents, which IsaacLabTeamEnv is for; "
            "isaaclab.envs.multi_agent_to_single_agent makes it one for one"
        )
    if "policy" not in groups.spaces:
        listed = ", ".join(groups.spaces)
        raise ConfigError(f"{name} has no observation group 'policy' (it has: {listed})")
    return groups["policy"], groups.spaces.get("critic")


def _ask_for_ends(base: Any) -> bool:
    """Have the simulator tell where episodes end; whether it can."""
    if not hasattr(base.cfg, "compute_final_obs"):
        return False
    base.cfg.compute_final_obs = True
    return True


def _told(extras: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in extras.items() if key != "final_obs"}


def _copy(tree: Any) -> Any:
    return None if tree is None else tree_map(torch.clone, tree)
