"""Small teams for tests: they learn something simple, and fail where they are told to."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from attrs import frozen

from .._agents.cfg import AgentCfg
from .._agents.multi_agent import MultiAgent
from .._agents.transition import TeamTransition
from .._spaces import flat_size, flatten, sample_actions
from .._types import State, Tree

TeamPhase = Literal["", "setup", "pre_interaction", "act", "record", "post_interaction"]


@frozen(kw_only=True)
class SumTeamCfg(AgentCfg):
    """Settings of :class:`SumTeam`.

    Attributes:
        scale: Factor of everything that is learned.
        phase: Where it raises ``RuntimeError("out of ideas")``; empty: nowhere.
        at: Timestep at which it raises.
    """

    scale: float = 1.0
    phase: TeamPhase = ""
    at: int = 3


class SumTeam(MultiAgent):
    """Acts at random and "learns" a sum for each actor over all that it experienced, with noise.

    The sums depend on every valid row, and on every random number and their order: two runs end
    with the same sums only if they were the same in every detail.
    """

    kind: ClassVar[str] = "sum-team"
    config_class: ClassVar[type[Any]] = SumTeamCfg
    uses_global_generators: ClassVar[bool] = False
    uses_infos: ClassVar[bool] = False

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.sums = {
            actor: torch.zeros(flat_size(self.observation_space[actor]), device=self.device)
            for actor in self.actors
        }
        self.steps = 0

    def setup(self, num_envs: int) -> None:
        """Set up, or raise."""
        super().setup(num_envs)
        if self.cfg.phase == "setup":
            raise RuntimeError("out of ideas")

    def pre_interaction(self, *, timestep: int, timesteps: int) -> None:
        """Do nothing, or raise."""
        self._maybe("pre_interaction", timestep)

    def act(
        self,
        observations: Tree,
        *,
        states: Tree | None = None,
        timestep: int,
        timesteps: int,
        deterministic: bool = False,
    ) -> Tree:
        """Draw actions; the deterministic ones are always the same."""
        self._maybe("act", timestep)
        assert self.num_envs is not None
        generator = torch.Generator(self.device) if deterministic else self.generator
        actions: Tree = sample_actions(self.action_space, self.num_envs, generator)
        return actions

    def record_transition(
        self, transition: TeamTransition, *, timestep: int, timesteps: int
    ) -> None:
        """Add what each actor experienced."""
        self._maybe("record", timestep)
        for actor in self.actors:
            space = self.observation_space[actor]
            done = transition.terminated[actor] + 2.0 * transition.truncated[actor]
            weights = transition.rewards[actor] + done + transition.done
            weights = torch.where(transition.valid[actor], weights, 0.0)
            before = flatten(space, transition.observations[actor])  # type: ignore[index,call-overload]
            after = flatten(space, transition.next_observations[actor])  # type: ignore[index,call-overload]
            experience = (weights @ before + weights @ after) / (1 + timestep)
            experience = experience + self._of_states(transition, actor, weights)
            noise = torch.randn(experience.shape, generator=self.generator, device=self.device)
            self.sums[actor] = 0.9 * self.sums[actor] + self.cfg.scale * (experience + noise)

    def post_interaction(self, *, timestep: int, timesteps: int) -> None:
        """Count the step."""
        self._maybe("post_interaction", timestep)
        self.steps += 1
        self.track("sum", sum(float(own.sum()) for own in self.sums.values()))

    @property
    def changeable(self) -> tuple[str, ...]:
        """The factor can change."""
        return ("scale",)

    def state_dict(self) -> State:
        """Return the sums, the count and the generator."""
        sums = {actor: own.clone() for actor, own in self.sums.items()}
        return {**super().state_dict(), "sums": sums, "steps": self.steps}

    def load_state_dict(self, state: State) -> None:
        """Take over the sums, the count and the generator."""
        super().load_state_dict(state)
        self.sums = {key: own.to(self.device).clone() for key, own in state["sums"].items()}
        self.steps = state["steps"]

    def _of_states(self, transition: TeamTransition, actor: str, weights: torch.Tensor) -> Any:
        space = self.state_space_of(actor)
        if space is None or transition.states is None:
            return 0.0
        total = flatten(space, self.state_of(actor, transition.states))
        total = total + 2 * flatten(space, self.state_of(actor, transition.next_states))
        return (weights @ total).sum() / 100

    def _maybe(self, phase: TeamPhase, timestep: int) -> None:
        if (phase, timestep) == (self.cfg.phase, self.cfg.at):
            raise RuntimeError("out of ideas")


class LeanSumTeam(SumTeam):
    """A :class:`SumTeam` that does without copies of what it is given."""

    kind: ClassVar[str] = "lean-sum-team"
    keeps_transitions: ClassVar[bool] = False


class MemoryTeam(SumTeam):
    """Keeps every transition that it was given in :attr:`transitions`."""

    kind: ClassVar[str] = "memory-team"
    uses_infos: ClassVar[bool] = True

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.transitions: list[TeamTransition] = []

    def record_transition(
        self, transition: TeamTransition, *, timestep: int, timesteps: int
    ) -> None:
        """Keep the transition."""
        super().record_transition(transition, timestep=timestep, timesteps=timesteps)
        self.transitions.append(transition)
