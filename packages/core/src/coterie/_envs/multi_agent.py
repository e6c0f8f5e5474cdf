"""The contract of multi-agent environments: several actors in every instance."""

from __future__ import annotations

import abc
from typing import Any, TypeAlias

import torch
from attrs import evolve
from gymnasium import spaces

from .._errors import EnvContractError
from .._types import Infos, Tree
from .interface import Interface, VectorEnv

ByActor: TypeAlias = dict[str, torch.Tensor]


class MultiAgentVectorEnv(VectorEnv):
    """``num_envs`` instances of a multi-agent environment, stepped together.

    All that :class:`VectorEnv` says holds here too. What is different: observations, actions,
    rewards and flags are dicts by actor, of tensors with the leading dimension ``num_envs``.

    All actors are there when an episode begins. An actor whose ``terminated`` or ``truncated``
    came is gone until the episode of the instance is over, and that is when all its actors ended.
    What stands in the rows of an actor that is gone does not matter, as long as it is finite; its
    actions are to be ignored.

    Only instances whose episode is over are reset, in the way of :attr:`autoreset_mode`. In the
    mode ``DISABLED`` the loop counts who is gone and asks for the resets; the other two modes need
    an environment that does so itself. ``infos["final_obs"]`` is a dict by actor.

    Attributes:
        actors: Names of the actors, at least one.
        observation_space: ``spaces.Dict`` with one actor's space for each, in this order.
            (``spaces.Dict`` sorts a plain dict by its keys: give it pairs.)
        action_space: The same for actions.
        state_space: Space of the state that the actors share (a central critic sees it), or a
            ``spaces.Dict`` keyed by the actors, where each has one of its own; ``None``: none.
        actors_end_together: Whether all actors of an instance always end in the same step. Then
            agents need not look who is gone.
    """

    actors: tuple[str, ...]
    observation_space: spaces.Dict
    action_space: spaces.Dict
    actors_end_together: bool = False

    @abc.abstractmethod
    def step(  # type: ignore[override]
        self, actions: Tree
    ) -> tuple[Tree, ByActor, ByActor, ByActor, Infos]:
        """Do one step in every instance.

        Args:
            actions: Dict by actor of actions ``[N, ...]`` on :attr:`device`.

        Returns:
            Dicts by actor of observations ``[N, ...]``, rewards (float32 ``[N]``), terminated
            (bool ``[N]``) and truncated (bool ``[N]``); and infos.
        """

    @property
    def interface(self) -> Interface:
        """The spaces, the actors, the number of instances and the device, as a record."""
        return evolve(super().interface, actors=self.actors)


def check_actors(env: VectorEnv) -> None:
    """Check that a multi-agent environment's actors are those of its spaces.

    Raises:
        EnvContractError: They are not; all problems at once.
    """
    if not isinstance(env, MultiAgentVectorEnv):
        return
    actors = getattr(env, "actors", None)
    if not isinstance(actors, tuple) or not actors or not all(map(_is_name, actors)):
        raise EnvContractError(
            f"{env.name}: actors must be a tuple of names, at least one, got {actors!r}"
        )
    kinds = ("observation_space", "action_space")
    problems = [_describe(kind, getattr(env, kind, None), actors) for kind in kinds]
    if any(problems):
        raise EnvContractError("\n".join(f"{env.name}: {text}" for text in problems if text))


def _is_name(actor: Any) -> bool:
    return isinstance(actor, str) and bool(actor.strip())


def _describe(kind: str, space: Any, actors: tuple[str, ...]) -> str:
    if not isinstance(space, spaces.Dict):
        return f"{kind} must be a gymnasium.spaces.Dict keyed by actor, got {space!r}"
    names = tuple(space.spaces)
    if names == actors:
        return ""
    hint = (
        "; give spaces.Dict a list of pairs, it sorts a plain dict"
        if (sorted(map(str, names)) == sorted(actors))
        else ""
    )
    return f"{kind} has the keys {names}, expected the actors {actors} in this order{hint}"
