"""An agent of skrl as a member of a population."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from gymnasium import spaces
from skrl.memories.torch import Memory
from skrl.utils.spaces.torch import flatten_tensorized_space
from torch import nn

from coterie import ConfigError

from .._spaces import Flat
from .acting import most_probable
from .adapted import Adapted, distinct
from .cfg import SkrlCfg
from .cutting import cut_rollout, is_within_rollout, values_of


class SkrlAgent(Adapted):
    """One of skrl's single agents behind Coterie's contract; it does the work, unmodified.

    .. code-block:: python

        agents = [SkrlAgent(PPO(models=..., memory=..., ...), seed=seed) for seed in range(4)]
        coterie.make_trainer("parallel", env=env, agents=agents).train()

    What training changes comes home into the agent, its models, optimisers and memory,
    whichever process it worked in.

    Args:
        agent: The agent: an instance of a subclass of ``skrl.agents.torch.Agent``.
        name: Name of the member; ``None``: the trainer gives it one.
        seed: Seed of everything random in the agent, and of its scope's instances; ``None``: the
            one of skrl's ``set_seed``.
        cfg: An instance of :class:`SkrlCfg`, a mapping of its fields, or ``None``.

    Attributes:
        agent: The agent of skrl.

    Raises:
        ConfigError: The settings are wrong, or the agent has no spaces.
    """

    def __init__(
        self,
        agent: Any,
        *,
        name: str | None = None,
        seed: int | None = None,
        cfg: SkrlCfg | Mapping[str, Any] | None = None,
    ) -> None:
        observation, action = (_needed_space(agent, kind) for kind in ("observation", "action"))
        state = _space_of(agent, "state")
        self._observation_flat, self._action_flat = Flat(observation), Flat(action)
        self._state_flat = None if state is None else Flat(state)
        super().__init__(agent, observation, action, state, name=name, seed=seed, cfg=cfg)

    def _models(self) -> list[nn.Module]:
        return distinct(self.agent.models.values())

    def _memories(self) -> dict[str, Memory]:
        memory = getattr(self.agent, "memory", None)
        return {} if memory is None else {"": memory}

    def flat(self, observations: Any, states: Any) -> tuple[Any, Any]:
        if self._state_flat is None:
            return self._observation_flat.flatten(observations), flatten_tensorized_space(states)
        return self._observation_flat.flatten(observations), self._state_flat.flatten(states)

    def _actions(self, actions: torch.Tensor) -> Any:
        return self._action_flat.unflatten(actions)

    def _best(self, actions: Any, outputs: Any) -> Any:
        policy = self.agent.models.get("policy")
        return most_probable(actions, outputs, self.action_space, policy)

    def _mean(self, actions: Any, outputs: Any) -> Any:
        return outputs.get("mean_actions", actions)

    def _column(self, values: torch.Tensor) -> torch.Tensor:
        return values.unsqueeze(-1)

    def _cut(self) -> None:
        agent = self.agent
        memory, value = getattr(agent, "memory", None), getattr(agent, "value", None)
        inputs = getattr(agent, "_current_next_observations", None)
        if not is_within_rollout(memory) or value is None or inputs is None:
            return
        if getattr(agent, "_rnn", False):
            return
        scalers = (
            agent._observation_preprocessor,
            agent._state_preprocessor,
            agent._value_preprocessor,
        )
        values = values_of(value, scalers, inputs, agent._current_next_states)
        cut_rollout(memory, values, agent.cfg.discount_factor)


def _needed_space(agent: Any, kind: str) -> spaces.Space[Any]:
    space = _space_of(agent, kind)
    if space is None:
        raise ConfigError(
            f"the skrl agent {type(agent).__name__} has no {kind}_space; give it one when you "
            f"make it, {kind}_space=env.{kind}_space"
        )
    return space


def _space_of(agent: Any, kind: str) -> spaces.Space[Any] | None:
    """Find a space of an agent, or else that of one of its networks."""
    holders = [agent, *(model for model in agent.models.values() if model is not None)]
    for holder in holders:
        space = getattr(holder, f"{kind}_space", None)
        if isinstance(space, spaces.Space):
            return space
    return None
