"""PPO for the actors of one group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from coterie import TeamTransition, Transition
from coterie.spaces import tree_leaves

from .._ppo.learner import PPOLearner
from .groups import Group
from .rows import apart, has_choices, side_by_side, within


class ActorsLearner(PPOLearner):
    """``P`` teams' networks of one group of actors: PPO on the rows of these actors.

    Where actors share networks, a member's rows are those of all its actors; otherwise each actor
    is a member of its own: ``P * A`` of them, team by team.

    Args:
        group: The actors.
        teams: Number of teams, P.
        arguments: Those of :class:`~coterie_agents.Learner`, for each pair of networks.
    """

    def __init__(self, *, group: Group, teams: int, **arguments: Any) -> None:
        self.group, self.teams = group, teams
        own, critic = group.observation_space, group.critic_space
        self._choices = has_choices(own), critic is not None and has_choices(critic)
        self._numbers: dict[int, torch.Tensor] = {}
        super().__init__(
            observation_space=group.taken_in(own),
            action_space=group.action_space,
            state_space=None if critic is None else group.taken_in(critic),
            **arguments,
        )

    def members_of(self, team: int) -> range:
        """Positions of a team's networks."""
        count = self.group.networks
        return range(team * count, (team + 1) * count)

    def each(self, of_teams: Sequence[Any]) -> list[Any]:
        """Repeat what belongs to teams for each of their networks."""
        return [own for own in of_teams for _ in range(self.group.networks)]

    def mask(self, teams: torch.Tensor | None) -> torch.Tensor | None:
        """Turn a bool per team, ``[P]``, into one per pair of networks."""
        return None if teams is None else teams.repeat_interleave(self.group.networks)

    def guard(
        self, total: torch.Tensor, parts: Mapping[str, torch.Tensor], advice: str = ""
    ) -> torch.Tensor | None:
        """Freeze whole teams where the losses of one of their networks are not finite."""
        alive = super().guard(total, parts, advice)
        if alive is not None:
            self.alive = self.mask(self.living)
        return self.alive

    @property
    def living(self) -> torch.Tensor | None:
        """bool ``[P]``: teams all of whose networks still learn; ``None``: all."""
        return None if self.alive is None else self.alive.view(self.teams, -1).all(1)

    def act_for(self, observations: Mapping[str, Any], **arguments: Any) -> dict[str, torch.Tensor]:
        """Choose the actors' actions.

        Args:
            observations: By actor, tensors ``[P * N, ...]``.
            arguments: The rest of :meth:`act`'s.

        Returns:
            Actions ``[P * N, ...]`` by actor.
        """
        found = self.act(self._seen(observations), **arguments)
        actors = self.group.actors
        return dict(zip(actors, apart(found, len(actors), self.teams), strict=True))

    def record_for(
        self, step: TeamTransition, states: Mapping[str, Any], next_states: Mapping[str, Any]
    ) -> None:
        """Remember what the actors experienced.

        Args:
            step: One timestep, with tensors ``[P * N, ...]``.
            states: What the value networks see before it, by actor.
            next_states: What they see after it.
        """
        names = ("actions", "rewards", "terminated", "truncated", "valid")
        central = self.group.critic_space is not None
        self.record(
            Transition(
                observations=self._seen(step.observations),
                next_observations=self._seen(step.next_observations),
                states=self._seen(states, central=True) if central else None,
                next_states=self._seen(next_states, central=True) if central else None,
                all_valid=step.all_valid,
                **{name: self._rows(getattr(step, name)) for name in names},
            )
        )

    def _rows(self, trees: Any) -> Any:
        """Lay trees by actor side by side."""
        return side_by_side([trees[actor] for actor in self.group.actors], self.teams)

    def _seen(self, trees: Any, *, central: bool = False) -> Any:
        """Lay out what the networks take in: rows, and the actors' numbers where they see them."""
        group, rows = self.group, self._rows(trees)
        if self._choices[central]:
            rows = within(group.critic_space if central else group.observation_space, rows)  # type: ignore[arg-type]
        return (rows, self._number(rows)) if group.numbered else rows

    def _number(self, rows: Any) -> torch.Tensor:
        """Number the actors of some rows, int64 ``[P * A * N]``."""
        actors, total = len(self.group.actors), next(tree_leaves(rows)).shape[0]
        if total not in self._numbers:
            numbers = torch.arange(actors, device=self.device)
            each = numbers.repeat_interleave(total // (self.teams * actors))
            self._numbers[total] = each.repeat(self.teams)
        return self._numbers[total]
