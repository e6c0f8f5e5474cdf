"""A multi-agent of skrl as a member of a population."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from gymnasium import spaces
from skrl.memories.torch import Memory
from torch import nn

from coterie import ConfigError, MultiAgent

from .._spaces import Flat
from .acting import most_probable
from .adapted import Adapted, distinct
from .cfg import SkrlCfg
from .cutting import cut_rollout, is_within_rollout, values_of


class SkrlTeam(Adapted, MultiAgent):
    """One of skrl's multi-agents behind Coterie's contract of teams; it does the work.

    Args:
        agent: The multi-agent: an instance of a subclass of ``skrl.multi_agents.torch.MultiAgent``.
        name: Name of the member; ``None``: the trainer gives it one.
        seed: Seed of everything random in the agent, and of its scope's instances; ``None``: the
            one of skrl's ``set_seed``.
        cfg: An instance of :class:`SkrlCfg`, a mapping of its fields, or ``None``.

    Attributes:
        agent: The multi-agent of skrl.

    Raises:
        ConfigError: The settings are wrong, or it has no spaces.
    """

    def __init__(
        self,
        agent: Any,
        *,
        name: str | None = None,
        seed: int | None = None,
        cfg: SkrlCfg | Mapping[str, Any] | None = None,
    ) -> None:
        actors = tuple(agent.possible_agents)
        observations = _by_actor(agent, "observation_spaces", actors)
        actions = _by_actor(agent, "action_spaces", actors)
        states = {actor: (agent.state_spaces or {}).get(actor) for actor in actors}
        self._observation_flat = {actor: Flat(space) for actor, space in observations.items()}
        self._action_flat = {actor: Flat(space) for actor, space in actions.items()}
        self._state_flat = {a: Flat(space) for a, space in states.items() if space is not None}
        super().__init__(
            agent,
            spaces.Dict(list(observations.items())),
            spaces.Dict(list(actions.items())),
            team_state_space(states),
            name=name,
            seed=seed,
            cfg=cfg,
        )

    def _models(self) -> list[nn.Module]:
        return distinct(model for own in self.agent.models.values() for model in own.values())

    def _memories(self) -> dict[str, Memory]:
        return dict(self.agent.memories or {})

    def flat(self, observations: Any, states: Any) -> tuple[Any, Any]:
        flat = self._observation_flat
        seen = {actor: flat[actor].flatten(observations[actor]) for actor in self.actors}
        return seen, {actor: self._state(actor, states) for actor in self.actors}

    def _state(self, actor: str, states: Any) -> Any:
        if states is None or actor not in self._state_flat:
            return None
        return self._state_flat[actor].flatten(self.state_of(actor, states))

    def _actions(self, actions: dict[str, torch.Tensor]) -> Any:
        return {actor: self._action_flat[actor].unflatten(actions[actor]) for actor in self.actors}

    def _best(self, actions: Any, outputs: Any) -> Any:
        return {
            actor: most_probable(
                actions[actor],
                outputs.get(actor, {}),
                self.action_space[actor],
                self.agent.models[actor].get("policy"),
            )
            for actor in self.actors
        }

    def _mean(self, actions: Any, outputs: Any) -> Any:
        return outputs.get("mean_actions", actions)  # it looks there, where no team has them

    def _column(self, values: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {actor: values[actor].unsqueeze(-1) for actor in self.actors}

    def _cut(self) -> None:
        agent = self.agent
        for actor, memory in self._memories().items():
            inputs = getattr(agent, "_current_next_observations", {}).get(actor)
            value = getattr(agent, "values", {}).get(actor)
            if not is_within_rollout(memory) or value is None or inputs is None:
                continue
            scalers = (
                agent._observation_preprocessor[actor],
                agent._state_preprocessor[actor],
                agent._value_preprocessor[actor],
            )
            values = values_of(value, scalers, inputs, agent._current_next_states[actor])
            cut_rollout(memory, values, agent.cfg.discount_factor[actor])


def team_state_space(states: Mapping[str, Any]) -> spaces.Space[Any] | None:
    """Find the space of a team's states: one that all share, or one by actor.

    Args:
        states: Space of each actor's state, or ``None``.
    """
    found = [space for space in states.values() if space is not None]
    if not found:
        return None
    if len(found) == len(states) and all(space == found[0] for space in found):
        return found[0]  # type: ignore[no-any-return]
    return spaces.Dict([(actor, space) for actor, space in states.items() if space is not None])


def _by_actor(agent: Any, kind: str, actors: tuple[str, ...]) -> dict[str, spaces.Space[Any]]:
    found = getattr(agent, kind) or {}
    missing = [actor for actor in actors if found.get(actor) is None]
    if missing:
        raise ConfigError(
            f"the skrl agent {type(agent).__name__} has no {kind} of {', '.join(missing)}; give "
            f"them when you make it, {kind}=env.{kind}"
        )
    return {actor: found[actor] for actor in actors}
