"""An environment for teams in one of skrl's wrappers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from coterie import EnvContractError, MultiAgentVectorEnv
from coterie.spaces import space_leaves

from .._agents.team import team_state_space
from .._spaces import Flat
from .env import NO_ENDS, draw
from .seeding import give_seed


class SkrlTeamEnv(MultiAgentVectorEnv):
    """A multi-agent environment that skrl's ``wrap_env`` wrapped, behind the contract.

    Args:
        wrapper: The wrapped environment; closed with this object.
        faithful: Whether to hand on what skrl's trainers see: where an instance is reset in the
            step that ends its episode, the first observation of the next one counts as the last.
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
        self.actors = tuple(wrapper.possible_agents)
        observations = {actor: wrapper.observation_spaces[actor] for actor in self.actors}
        actions = {actor: wrapper.action_spaces[actor] for actor in self.actors}
        states = {actor: wrapper.state_spaces.get(actor) for actor in self.actors}
        self.observation_space = spaces.Dict(list(observations.items()))
        self.action_space = spaces.Dict(list(actions.items()))
        self.state_space = team_state_space(states)
        single = self.num_envs == 1
        self.autoreset_mode = AutoresetMode.DISABLED if single else AutoresetMode.SAME_STEP
        self.independent_streams = single and not faithful
        self._observation_flat = {actor: Flat(space) for actor, space in observations.items()}
        self._action_flat = {actor: Flat(space) for actor, space in actions.items()}
        self._state_flat = {a: Flat(space) for a, space in states.items() if space is not None}
        self._present: set[str] = set()
        self._last: dict[str, Any] | None = None
        self._warned = self._closed = False

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start new episodes; see :meth:`coterie.VectorEnv.reset`.

        Raises:
            EnvContractError: Seeds were given one by one, but the instances share one stream.
        """
        if not self.faithful:
            first, self.seed = self.seed, None
            seed = first if seed is None else seed
            give_seed(self.wrapper, seed, self.independent_streams, self.name)
        observations, infos = self.wrapper.reset()
        self._present = set(self.actors)
        self._last = self._complete(observations)
        return self._last, dict(infos)

    def step(self, actions: Any) -> Any:
        """Do one step in every instance; see :meth:`coterie.MultiAgentVectorEnv.step`.

        Raises:
            EnvContractError: There was no reset yet.
        """
        if self._last is None:
            raise EnvContractError(f"{self.name} was not reset yet: call reset() first")
        acting = {a: self._action_flat[a].flatten(actions[a]) for a in self._acting()}
        with torch.no_grad():
            observations, rewards, terminated, truncated, told = self.wrapper.step(acting)
        infos = dict(told) if isinstance(told, Mapping) else {}
        before, self._last = self._last, self._complete(observations)
        outcome = [
            self._by_actor(rewards, torch.float32),
            self._by_actor(terminated, torch.bool),
            self._by_actor(truncated, torch.bool),
        ]
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            infos["final_obs"] = self._ends(infos, before, outcome[2])
        else:
            self._present -= {a for a in self.actors if bool((outcome[1][a] | outcome[2][a]).any())}
        return self._last, *outcome, infos

    def _acting(self) -> list[str]:
        """Names of the actors that the environment takes actions of."""
        return [actor for actor in self.actors if actor in self._present]

    def _complete(self, observations: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        """Arrange the observations; those of actors that are gone are zeros."""
        return {
            actor: self._observation_flat[actor].unflatten(observations[actor].clone())
            if actor in observations
            else self._nothing(actor)
            for actor in self.actors
        }

    def _nothing(self, actor: str) -> Any:
        space = self.observation_space[actor]
        size = sum(torch.Size(leaf.shape).numel() for leaf in space_leaves(space))
        return self._observation_flat[actor].unflatten(
            torch.zeros(self.num_envs, size, device=self.device)
        )

    def _by_actor(self, values: Mapping[str, torch.Tensor], dtype: torch.dtype) -> dict[str, Any]:
        missing = torch.zeros(self.num_envs, dtype=dtype, device=self.device)
        return {
            actor: values[actor].reshape(-1).to(dtype) if actor in values else missing
            for actor in self.actors
        }

    def _ends(self, infos: dict[str, Any], before: Any, truncated: dict[str, Any]) -> Any:
        if self.faithful:
            return self._last
        found = infos.get("final_obs")
        if isinstance(found, Mapping) and set(found) >= set(self.actors):
            return {
                actor: self._observation_flat[actor].unflatten(
                    found[actor].reshape(self.num_envs, -1)
                )
                for actor in self.actors
            }
        if not self._warned and any(bool(flags.any()) for flags in truncated.values()):
            self._warned = True
            warnings.warn(NO_ENDS.format(name=self.name), stacklevel=4)
        return before

    def state(self) -> Any:
        """Return the state that the actors share, or a dict by actor; ``None``: there is none."""
        if not self._state_flat:
            return None
        found = self.wrapper.state()
        values = {
            actor: flat.unflatten(found[actor].clone()) for actor, flat in self._state_flat.items()
        }
        shared = self.state_space == self.wrapper.state_spaces[self.actors[0]]
        return values[self.actors[0]] if shared else values

    def render(self) -> Any:
        """Draw the instances as the wrapper does."""
        return draw(self.wrapper)

    def close(self) -> None:
        """Close the environment."""
        if not self._closed:
            self._closed = True
            self.wrapper.close()
