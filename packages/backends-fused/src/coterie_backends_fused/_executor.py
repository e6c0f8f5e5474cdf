"""The executor that stacks what is alike, in the caller's process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from coterie import (
    Executor,
    Interface,
    Member,
    Mode,
    Rollouts,
    State,
    TrainerCfg,
    TrainerStateError,
    Transition,
    Tree,
    VectorEnv,
)

from ._group import FusedGroup
from ._placement import Placement
from ._rollouts import StackRollouts, check_rollouts


class FusedExecutor(Executor):
    """The whole population as one group: stacks, and single members beside them.

    Args:
        tell: Called with who is stacked with whom when a run starts.
    """

    def __init__(self, tell: Callable[[Placement], None] | None = None) -> None:
        self._tell = tell
        self._group: FusedGroup | None = None
        self._rolled = 0

    @property
    def placement(self) -> Placement | None:
        """Who is stacked with whom; ``None`` before a run."""
        return None if self._group is None else self._group.placement

    def open(
        self, members: Sequence[Member], interface: Interface, mode: Mode, cfg: TrainerCfg
    ) -> None:
        """Get every member ready, and stack those that are alike."""
        self._group = FusedGroup(
            members,
            interface,
            mode,
            deterministic=mode == "eval" and not cfg.stochastic_evaluation,
            debug=cfg.debug,
            raises=cfg.on_member_failure != "continue",
            smallest_stack=getattr(cfg, "smallest_stack", 2),
        )
        self._group.open()
        rolls = mode == "train" and not cfg.debug
        self._rolled = getattr(cfg, "compile_rollout", 0) if rolls else 0
        if self._tell is not None:
            self._tell(self._group.placement)

    def rollouts(self, env: VectorEnv) -> Rollouts | None:
        """Offer compiled rollouts, where they were asked for.

        Raises:
            ConfigError: The agents can't, or are not all in one stack.
        """
        if not self._rolled:
            return None
        group = self._opened()
        found = StackRollouts(self._opened, env, self._rolled)
        if all(member.active for member in group.members):
            check_rollouts(found, group)
        return found

    def begin(
        self,
        observations: Tree,
        states: Tree | None,
        *,
        timestep: int,
        timesteps: int,
        cut: bool,
    ) -> Any:
        """Let every member answer the first observations."""
        return self._opened().begin(
            observations, states, timestep=timestep, timesteps=timesteps, cut=cut
        )

    def advance(self, transition: Transition, observations: Tree, states: Tree | None) -> Any:
        """Let every member record, learn and act."""
        return self._opened().advance(transition, observations, states)

    def finish(self, transition: Transition) -> None:
        """Let every member record and learn."""
        self._opened().finish(transition)

    def metrics(self) -> list[Mapping[str, float]]:
        """Hand over each member's scalars."""
        return self._opened().metrics()

    def snapshot(
        self, members: Sequence[Member] | None = None, *, learned: bool = False
    ) -> dict[int, State]:
        """Return the state of members, each as it would be alone."""
        return self._opened().snapshot(members, learned=learned)

    def handover(self, members: Sequence[Member]) -> dict[int, State]:
        """Return what members go on from elsewhere, each as it would be alone."""
        return self._opened().handover(members)

    def restore(self, member: Member, state: State) -> None:
        """Give a member a state; the others of its stack don't change by a bit."""
        self._opened().restore(member, state)

    def reconfigure(self, member: Member, settings: Mapping[str, Any]) -> None:
        """Change settings of a member's agent."""
        self._opened().reconfigure(member, settings)

    def settle(self, members: Sequence[Member]) -> None:
        """Bring what stacks learned home."""
        if self._group is not None:
            self._group.settle()

    def timings(self) -> Mapping[str, float]:
        """Seconds that stacked members took to act, record and learn."""
        return {} if self._group is None else self._group.timings()

    def describe(self) -> str:
        """Say who is stacked with whom, and why somebody is not."""
        return "" if self._group is None else str(self._group.placement)

    def close(self, deadline: float = 5.0) -> None:
        """Forget the members."""
        self._group = None

    def _opened(self) -> FusedGroup:
        if self._group is None:
            raise TrainerStateError("the executor is not open")
        return self._group
