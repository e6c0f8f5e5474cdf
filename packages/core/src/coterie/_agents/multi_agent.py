"""The contract of teams: agents that control all actors of a multi-agent environment."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import torch
from gymnasium import spaces

from .._errors import ConfigError
from .._types import Tree
from .interface import Agent
from .transition import TeamTransition


class MultiAgent(Agent):
    """A team: it acts for every actor of its instances, and learns from what each experienced.

    The life cycle is that of :class:`Agent`. Observations, actions, rewards and flags are dicts
    by actor; :data:`~coterie.TeamTransition` says which rows are experience.

    Args:
        observation_space: ``spaces.Dict`` with the space of one actor's observation for each.
        action_space: The same for actions.
        state_space: Space of the state that the actors share, or a ``spaces.Dict`` keyed by the
            actors where each has one of its own; ``None``: there is none.
        device: Where the agent's tensors live.
        name: Name of the member; ``None``: the trainer gives it one.
        seed: Seed of everything random in the agent, and of its scope's instances.
        cfg: An instance of :attr:`config_class`, a mapping of its fields, or ``None``.

    Attributes:
        actors: Names of the actors, in the order of the observation space.

    Raises:
        ConfigError: The settings are wrong, or the spaces are not by actor.
    """

    kind: ClassVar[str] = "team"

    observation_space: spaces.Dict
    action_space: spaces.Dict

    def __init__(
        self,
        *,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        state_space: spaces.Space[Any] | None = None,
        device: str | torch.device = "cpu",
        name: str | None = None,
        seed: int = 0,
        cfg: Any = None,
    ) -> None:
        self.actors = _actors_of(self.kind, observation_space, action_space)
        super().__init__(
            observation_space=observation_space,
            action_space=action_space,
            state_space=state_space,
            device=device,
            name=name,
            seed=seed,
            cfg=cfg,
        )

    @property
    def has_own_states(self) -> bool:
        """Whether each actor has a privileged observation of its own, instead of a shared one."""
        space = self.state_space
        return isinstance(space, spaces.Dict) and set(space.spaces) == set(self.actors)

    def state_space_of(self, actor: str) -> spaces.Space[Any] | None:
        """Find the space of the state that belongs to an actor; ``None``: there are no states.

        Args:
            actor: Name of the actor.
        """
        space = self.state_space
        return space[actor] if self.has_own_states else space  # type: ignore[index]

    def state_of(self, actor: str, states: Tree | None) -> Any:
        """Find the state that belongs to an actor: its own, or the one that all share.

        Args:
            actor: Name of the actor.
            states: What :meth:`act` or a transition gave.

        Returns:
            A tree of :meth:`state_space_of`, tensors ``[num_envs, ...]``; ``None``: there is none.
        """
        return states[actor] if self.has_own_states and states is not None else states  # type: ignore[index,call-overload]

    @abc.abstractmethod
    def record_transition(
        self, transition: TeamTransition, *, timestep: int, timesteps: int
    ) -> None:
        """Take note of what the last actions led to; learn from valid rows only.

        Args:
            transition: The step of this scope; its tensors may be kept, but not changed.
            timestep: Timestep from 0.
            timesteps: Number of timesteps in all.
        """


def _actors_of(
    kind: str, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]
) -> tuple[str, ...]:
    named = {"observation_space": observation_space, "action_space": action_space}
    for name, space in named.items():
        if not isinstance(space, spaces.Dict) or not space.spaces:
            raise ConfigError(
                f"{kind!r} is a team and needs spaces by actor: {name} must be a "
                f"gymnasium.spaces.Dict, got {space}; use it with a multi-agent environment"
            )
    actors, acting = tuple(observation_space), tuple(action_space)  # type: ignore[var-annotated,arg-type]
    if set(actors) != set(acting):
        raise ConfigError(
            f"{kind!r}: the observation space has the actors {actors}, the action space {acting}; "
            "they must be the same"
        )
    return actors
