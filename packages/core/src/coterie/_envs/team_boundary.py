"""The edge between the loop and a multi-agent environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from .._agents.transition import Transition
from .._types import State, Tree
from .boundary import Boundary, without_ends
from .checks import Checks, NonFinite
from .interface import VectorEnv
from .multi_agent import MultiAgentVectorEnv, check_actors
from .presence import Presence


def make_boundary(env: VectorEnv, non_finite: NonFinite, debug: bool = False) -> Boundary:
    """Make the boundary that an environment needs; the arguments are those of :class:`Boundary`.

    Raises:
        EnvContractError: A multi-agent environment's actors are not those of its spaces.
    """
    if not isinstance(env, MultiAgentVectorEnv):
        return Boundary(env, non_finite, debug)
    check_actors(env)
    return TeamBoundary(env, non_finite, debug)


class TeamBoundary(Boundary):
    """A :class:`Boundary` that knows which actors are gone.

    Args:
        env: The environment.
        non_finite: What a NaN or an infinity in what it returns leads to.
        debug: Whether to make checks that cost time.
    """

    def __init__(
        self, env: MultiAgentVectorEnv, non_finite: NonFinite, debug: bool = False
    ) -> None:
        super().__init__(env, non_finite, debug)
        self._team_checks = TeamChecks(env, non_finite, debug)
        self._presence = Presence(env.actors, env.num_envs, env.device)
        self._resets_late = not self._all_valid
        self._all_valid = self._all_valid and env.actors_end_together

    def reset(self, seed: int | Sequence[int] | None) -> None:
        """Start new episodes in all instances, with all actors; arguments as for the base."""
        self._presence.reset()
        super().reset(seed)

    def state_dict(self) -> State:
        """Return what the next step starts from, and who is gone; errors as for the base."""
        return {**super().state_dict(), "presence": self._presence.state_dict()}

    def load_state_dict(self, state: State) -> None:
        """Go on where :meth:`state_dict` was taken."""
        super().load_state_dict(state)
        self._presence.load_state_dict(state["presence"])

    def step(self, actions: Tree, timestep: int) -> Transition[Any]:
        """Step all instances; arguments and errors as for the base."""
        before, states_before = self.observations, self.states
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        self._checks.observations(observations, timestep)
        flags = terminated, truncated
        self._team_checks.by_actor(rewards, *flags, timestep, self._presence)
        resetting = self._resetting if self._resets_late else None
        found = self._presence.step(rewards, terminated, truncated, resetting)  # type: ignore[arg-type]
        self._keep(observations, timestep)
        ends, end_states = self._ends(found.ended, found.cut, infos, timestep)
        return Transition(
            observations=before,
            actions=actions,
            rewards=found.rewards,
            next_observations=ends,
            terminated=found.terminated,
            truncated=found.truncated,
            valid=found.valid,
            all_valid=self._all_valid,
            states=states_before,
            next_states=end_states,
            infos=without_ends(infos),
            ended=found.ended,
        )


class TeamChecks(Checks):
    """Holds what a multi-agent environment returns against what it promises.

    Args:
        env: The environment.
        non_finite: What a NaN or an infinity leads to.
        debug: Whether to look for them on an accelerator too.
    """

    def __init__(
        self, env: MultiAgentVectorEnv, non_finite: NonFinite, debug: bool = False
    ) -> None:
        super().__init__(env, non_finite, debug)
        self._actors = env.actors
        self._together = env.actors_end_together and (env.device.type == "cpu" or debug)

    def by_actor(
        self, rewards: Any, terminated: Any, truncated: Any, timestep: int, presence: Presence
    ) -> None:
        """Check rewards (float32 ``[N]``) and the two flags (bool ``[N]``) of each actor.

        Args:
            rewards: By actor.
            terminated: By actor.
            truncated: By actor.
            timestep: Timestep from 0.
            presence: Tells whose rewards matter.

        Raises:
            EnvContractError: A shape, dtype, device or value is wrong, or actors that end
                together did not.
        """
        present = presence.present if self._scan else {}
        for actor in self._actors:
            fields = {"rewards": rewards, "terminated": terminated, "truncated": truncated}
            for name, given in fields.items():
                tensor = self._of_actor(name, given, actor, timestep)
                dtype = torch.float32 if name == "rewards" else torch.bool
                rows = present.get(actor) if name == "rewards" else None
                self._tensor(f"{name}.{actor}", tensor, (), dtype, timestep, rows)
        if self._together:
            self._check_together(terminated, truncated, timestep)

    def _of_actor(self, name: str, given: Any, actor: str, timestep: int) -> Any:
        if not isinstance(given, Mapping):
            self._fail(f"{name}: expected a dict by actor, got {type(given).__name__}", timestep)
        if actor not in given:
            found = ", ".join(map(str, given)) or "none"
            self._fail(f"{name}.{actor}: missing; there are {found}", timestep)
        return given[actor]

    def _check_together(self, terminated: Any, truncated: Any, timestep: int) -> None:
        done = torch.stack([terminated[actor] | truncated[actor] for actor in self._actors])
        apart = done.any(0) != done.all(0)
        if bool(apart.any()):
            instances = ", ".join(map(str, apart.nonzero().flatten().tolist()[:8]))
            self._fail(
                f"terminated, truncated: only some actors ended in instances {instances}, but the "
                "environment says actors_end_together = True",
                timestep,
            )
