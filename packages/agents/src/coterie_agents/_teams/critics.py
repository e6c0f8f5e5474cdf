"""What the value networks of a team see."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

from gymnasium import spaces

from coterie import TeamTransition

from .rows import remaining, shown


class Critic(abc.ABC):
    """Where the inputs of value networks come from.

    Attributes:
        spaces: What each actor's value network takes in; ``None``: what its policy does.
    """

    spaces: dict[str, spaces.Space[Any] | None]

    @abc.abstractmethod
    def seen(self, transition: TeamTransition) -> tuple[dict[str, Any], dict[str, Any]]:
        """Find what the value networks see of a step.

        Args:
            transition: The step, with tensors ``[n, ...]``.

        Returns:
            By actor, trees ``[n, ...]`` before and after the step.

        Raises:
            ValueError: States are missing.
        """


class OwnObservations(Critic):
    """Value networks see what the policies do.

    Args:
        actors: The actors.
    """

    def __init__(self, actors: Sequence[str]) -> None:
        self.spaces = dict.fromkeys(actors)

    def seen(self, transition: TeamTransition) -> tuple[dict[str, Any], dict[str, Any]]:
        """Find nothing beside the observations."""
        return {}, {}


class States(Critic):
    """Value networks see the environment's state: the one that all share, or their actor's own.

    Args:
        actors: The actors.
        state_space: Space of the shared state, or a Dict keyed by exactly the actors.
    """

    def __init__(self, actors: Sequence[str], state_space: spaces.Space[Any]) -> None:
        own = isinstance(state_space, spaces.Dict) and set(state_space.spaces) == set(actors)
        self._actors, self._own = tuple(actors), own
        self.spaces = {a: state_space[a] if own else state_space for a in actors}  # type: ignore[index]

    def seen(self, transition: TeamTransition) -> tuple[dict[str, Any], dict[str, Any]]:
        """Find the states.

        Raises:
            ValueError: They are missing.
        """
        if transition.states is None or transition.next_states is None:
            raise ValueError("the team has a state_space, but the transition has no states")
        return self._of(transition.states), self._of(transition.next_states)

    def _of(self, states: Any) -> dict[str, Any]:
        return {actor: states[actor] if self._own else states for actor in self._actors}


class JointObservations(Critic):
    """Value networks see the observations of all actors, zeros for those that are gone.

    Args:
        observation_space: Space of each actor's observation.
    """

    def __init__(self, observation_space: spaces.Dict) -> None:
        self._actors = tuple(observation_space)
        joint = spaces.Tuple([observation_space[actor] for actor in self._actors])
        self.spaces = dict.fromkeys(self._actors, joint)

    def seen(self, transition: TeamTransition) -> tuple[dict[str, Any], dict[str, Any]]:
        """Put the observations together."""
        before: Any = transition.observations
        after: Any = transition.next_observations
        if transition.all_valid:
            return self._alike(before), self._alike(after)
        others = shown(after, remaining(transition))
        # An actor that was cut off alone is valued as if it were still there.
        then = {actor: self._joint({**others, actor: after[actor]}) for actor in self._actors}
        return self._alike(shown(before, transition.valid)), then

    def _joint(self, trees: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(trees[actor] for actor in self._actors)

    def _alike(self, trees: dict[str, Any]) -> dict[str, Any]:
        return dict.fromkeys(self._actors, self._joint(trees))
