"""An Isaac Lab environment for several agents."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from coterie import EnvContractError, MultiAgentVectorEnv
from coterie.spaces import tree_map

from .._batched import conformed, flags, one_seed, rewards_of

_NO_ENDS = (
    "{name}: Isaac Lab does not tell where an episode of several agents ended; the observations "
    "before its last step stand for it"
)


class IsaacLabTeamEnv(MultiAgentVectorEnv):
    """A ``DirectMARLEnv`` of Isaac Lab behind Coterie's contract for teams.

    Isaac Lab resets an instance in the step in which all its agents terminated, or all timed
    out, and until then it steps all of them. So that is what ends an episode here, for all actors
    together; flags that only some agents raise end nothing. Where the episode ended is not told:
    the observations and the state that the last step *began* with stand for it, and a warning
    says so once.

    All instances share the process-wide random generators, which Isaac Lab seeds itself. What it
    tells in ``extras``, by agent, is handed on in ``infos``.

    Args:
        env: The environment, in gymnasium's wrappers or not; closed with this object.
        name: What it is, for people.
        seed: Seed of the first reset; ``None``: the simulator's own.

    Attributes:
        env: The environment.
    """

    autoreset_mode = AutoresetMode.SAME_STEP
    independent_streams = False
    reuses_buffers = True
    actors_end_together = True

    def __init__(self, env: Any, *, name: str, seed: int | None = None) -> None:
        base = env.unwrapped
        self.env = env
        self.name = name
        self.seed = seed
        self.num_envs = int(base.num_envs)
        self.device = torch.empty(0, device=base.device).device
        self.actors = tuple(base.possible_agents)
        self.observation_space = _by_actor(self.actors, base.observation_spaces)
        self.action_space = _by_actor(self.actors, base.action_spaces)
        # Where the configuration asks for no state, the space of it can be anything.
        self.state_space = base.state_space if getattr(base.cfg, "state_space", None) else None
        self._before: Any = None
        self._closed = self._warned = False

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start new episodes; see :meth:`coterie.VectorEnv.reset`.

        Raises:
            EnvContractError: Seeds were given one by one, but the instances share one stream, or
                observations do not fit their spaces.
        """
        if seed is None and self._before is None:
            seed = self.seed
        single = None if seed is None else one_seed(seed, self.name)
        observed, extras = self.env.reset(seed=single, options=options)
        return self._observe(observed), dict(extras)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Do one step in every instance; see :meth:`coterie.MultiAgentVectorEnv.step`.

        Raises:
            EnvContractError: There was no reset yet, something of an agent is missing, or
                observations do not fit their spaces.
        """
        if self._before is None:
            raise EnvContractError(f"{self.name} was not reset yet: call reset() first")
        before = self._before
        with torch.no_grad():
            observed, rewards, terminated, timed_out, extras = self.env.step(actions)
        outcome = self._each("rewards", rewards, rewards_of)
        over = torch.stack([*self._each("terminated", terminated, flags).values()]).all(0)
        cut = torch.stack([*self._each("truncated", timed_out, flags).values()]).all(0)
        observations = self._observe(observed)
        infos = {**extras, **(self._ends(before) if bool((over | cut).any()) else {})}
        ended = [{actor: flag.clone() for actor in self.actors} for flag in (over, cut)]
        return observations, outcome, *ended, infos

    def _each(
        self, what: str, given: Mapping[str, Any], read: Callable[..., torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Read something of every agent."""
        missing = [actor for actor in self.actors if actor not in given]
        if missing:
            raise EnvContractError(f"{self.name}: {what} of {missing[0]!r} are missing")
        return {actor: read(given[actor], self.num_envs, self.device) for actor in self.actors}

    def _observe(self, observed: Any) -> Any:
        """Keep copies of what the simulator may overwrite, and return the observations."""
        observations = self._copied(self.observation_space, observed, "observations")
        state = None
        if self.state_space is not None:
            state = self._copied(self.state_space, self.env.unwrapped.state(), "state")
        self._before = (observations, state)
        return observations

    def _copied(self, space: spaces.Space[Any], tree: Any, what: str) -> Any:
        try:
            return tree_map(torch.clone, conformed(space, tree, self.device))
        except (LookupError, TypeError) as error:
            raise EnvContractError(
                f"{self.name}: the {what} do not fit their space {space} "
                f"({type(error).__name__}: {error})"
            ) from error

    def _ends(self, before: Any) -> dict[str, Any]:
        if not self._warned:
            self._warned = True
            warnings.warn(_NO_ENDS.format(name=self.name), stacklevel=3)
        observations, state = before
        ends = {"final_obs": observations}
        return ends if state is None else {**ends, "final_state": state}

    def state(self) -> Any:
        """Return the state that the actors share ``[N, ...]``; ``None`` where there is none."""
        return None if self._before is None else self._before[1]

    def render(self) -> Any:
        """Draw what the simulator's camera sees: an RGB array, or ``None`` without a picture."""
        return self.env.render() if getattr(self.env, "render_mode", None) else None

    def close(self) -> None:
        """Close the environment; the simulator's application runs on."""
        if not self._closed:
            self._closed = True
            self.env.close()


def _by_actor(actors: Sequence[str], each: Mapping[str, spaces.Space[Any]]) -> spaces.Dict:
    return spaces.Dict([(actor, each[actor]) for actor in actors])
