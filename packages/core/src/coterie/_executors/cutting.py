"""Cutting a member's rows out of what the whole environment returned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._agents.transition import Transition
from .._trees import tree_rows
from .driver import RowsDriver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._envs.interface import Interface
    from .._trainers.members import Member
    from .._types import Tree
    from .interface import Mode


class MemberDriver(RowsDriver):
    """A driver that is given the whole environment's tensors, and cuts the member's rows out."""

    def __init__(self, member: Member, interface: Interface, mode: Mode, **options: bool) -> None:
        super().__init__(member, interface, mode, **options)
        self._copies = False  # cutting copies

    def begin(
        self, observations: Tree, states: Tree | None, *, timestep: int, timesteps: int, cut: bool
    ) -> Any:
        """Answer the first observations ``[num_envs, ...]`` of a run with actions ``[n, ...]``."""
        rows = self._rows
        return super().begin(
            rows(observations), rows(states), timestep=timestep, timesteps=timesteps, cut=cut
        )

    def advance(self, transition: Transition, observations: Tree, states: Tree | None) -> Any:
        """Record a step of the whole environment, learn, and answer the next observations."""
        if self._mode == "eval":  # nothing is learned: the step need not be cut out
            return super().advance(transition, self._rows(observations), self._rows(states))
        own = self._cut(transition)
        same = observations is transition.next_observations
        observations = own.next_observations if same else self._rows(observations)
        same = states is transition.next_states
        return super().advance(own, observations, own.next_states if same else self._rows(states))

    def finish(self, transition: Transition) -> None:
        """Record the last step of the run, of the whole environment, and learn."""
        super().finish(self._cut(transition) if self._mode == "train" else transition)

    def _watch(self, own: Transition) -> None:
        """Show the agent a step of an evaluation, given the whole environment's."""
        super()._watch(self._cut(own))

    def _starts(self, own: Transition) -> Any:
        """Find where the member's next observations begin episodes, given the whole step."""
        return self._rows(own.starts)

    def _rows(self, tree: Tree | None) -> Any:
        """Copy the member's rows to the agent's device."""
        return None if tree is None else tree_rows(tree, self.member.scope, self._device)

    def _cut(self, transition: Transition[Any]) -> Transition[Any]:
        """Copy where the step led to: an executor may write the next one to the same memory."""
        rows = self._rows
        return Transition(
            observations=(),
            actions=(),
            rewards=rows(transition.rewards),
            next_observations=rows(transition.next_observations),
            terminated=rows(transition.terminated),
            truncated=rows(transition.truncated),
            valid=rows(transition.valid),
            all_valid=transition.all_valid,
            next_states=rows(transition.next_states),
            ended=rows(transition.ended),
            infos=cut_infos(transition.infos, self.member.scope, self._interface.num_envs)
            if self.agent.uses_infos
            else {},
        )


def cut_infos(infos: Any, rows: slice | Sequence[int], num_envs: int) -> dict[str, Any]:
    """Cut infos to some rows: what has an entry per instance is cut, the rest kept.

    Tensors, arrays, lists and tuples of length ``num_envs`` hold an entry per instance.

    Args:
        infos: What the environment told of ``num_envs`` instances.
        rows: A scope, or the numbers of the instances.
        num_envs: Number of instances of the environment.
    """
    numbers = range(num_envs)[rows] if isinstance(rows, slice) else rows

    def cut(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: cut(part) for key, part in value.items()}
        if hasattr(value, "shape"):
            return value[rows] if value.shape[:1] == (num_envs,) else value
        if isinstance(value, list | tuple) and len(value) == num_envs:
            kind = list if isinstance(value, list) else tuple
            return kind(value[number] for number in numbers)
        return value

    return {key: cut(value) for key, value in infos.items()}
