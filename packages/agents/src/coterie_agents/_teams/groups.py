"""Which actors are learned together, and what their networks take in."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from attrs import frozen
from gymnasium import spaces

from coterie import derive_seed

from .._ippo.cfg import Sharing
from .._learning.keys import space_key


@frozen(kw_only=True, eq=False)
class Group:
    """Actors with equal spaces, which one PPO learner learns.

    Attributes:
        actors: Their names.
        shared: Whether they share networks. Otherwise each has its own, and these are stacked.
        numbered: Whether the networks see which actor they act for.
        observation_space: Space of an actor's observation.
        action_space: Space of an actor's action.
        critic_space: What its value network sees instead of the observation, or ``None``.
    """

    actors: tuple[str, ...]
    shared: bool
    numbered: bool
    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    critic_space: spaces.Space[Any] | None

    def taken_in(self, space: spaces.Space[Any]) -> spaces.Space[Any]:
        """Add the actor's number to the space of what its networks see, where they see it."""
        return spaces.Tuple((space, spaces.Discrete(len(self.actors)))) if self.numbered else space

    @property
    def networks(self) -> int:
        """Pairs of networks that a team has for these actors."""
        return 1 if self.shared else len(self.actors)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the pairs of networks: that of the first actor that each acts for."""
        return self.actors[: self.networks]

    def instances(self, num_envs: int) -> int:
        """Rows of each pair of networks in a scope of ``num_envs`` instances."""
        return num_envs * len(self.actors) // self.networks


def group_actors(
    observations: Mapping[str, spaces.Space[Any]],
    actions: Mapping[str, spaces.Space[Any]],
    critics: Mapping[str, spaces.Space[Any] | None],
    sharing: Sharing,
    actor_id: bool,
) -> tuple[Group, ...]:
    """Sort actors into groups with equal spaces, in the order of their first actors.

    Args:
        observations: Space of each actor's observation.
        actions: Space of each actor's action.
        critics: What each actor's value network takes in instead of the observation.
        sharing: Who shares networks; see :class:`~coterie_agents.IPPOCfg`.
        actor_id: Whether shared networks see which actor they act for.
    """
    kinds: dict[Hashable, list[str]] = {}
    for actor in observations:
        key = tuple(space_key(part[actor]) for part in (observations, actions, critics))
        kinds.setdefault(key, []).append(actor)
    shared = sharing == "shared" or (sharing == "auto" and len(kinds) == 1)
    return tuple(
        Group(
            actors=tuple(actors),
            shared=shared,
            numbered=shared and actor_id and len(actors) > 1,
            observation_space=observations[actors[0]],
            action_space=actions[actors[0]],
            critic_space=critics[actors[0]],
        )
        for actors in kinds.values()
    )


def network_seed(seed: int, actors: Sequence[str], name: str) -> int:
    """Find the seed of an actor's networks: the team's own for the first actor.

    Args:
        seed: Seed of the team.
        actors: All actors of the team.
        name: The actor.
    """
    return seed if name == actors[0] else derive_seed(seed, "actor", name)
