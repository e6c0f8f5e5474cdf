"""Small agents for tests: they learn something simple, and fail where they are told to."""

from __future__ import annotations

import random
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from attrs import frozen

from .._agents.cfg import AgentCfg
from .._agents.interface import Agent
from .._agents.transition import Transition
from .._spaces import flat_size, flatten, sample_actions
from .._types import State, Tree


@frozen(kw_only=True)
class SumAgentCfg(AgentCfg):
    """Settings of :class:`SumAgent`.

    Attributes:
        scale: Factor of everything that is learned.
    """

    scale: float = 1.0


class SumAgent(Agent):
    """Acts at random and "learns" a sum over all that it experienced, with noise.

    The sum depends on every observation, action, reward and random number, and on the order of
    steps: two runs end with the same sum only if they were the same in every detail.
    """

    kind: ClassVar[str] = "sum"
    config_class: ClassVar[type[Any]] = SumAgentCfg
    uses_global_generators: ClassVar[bool] = False
    uses_infos: ClassVar[bool] = False

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.sum = torch.zeros(flat_size(self.observation_space), device=self.device)
        self.steps = 0

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
        assert self.num_envs is not None
        generator = torch.Generator(self.device) if deterministic else self.generator
        actions: Tree = sample_actions(self.action_space, self.num_envs, generator)
        return actions

    def record_transition(self, transition: Transition, *, timestep: int, timesteps: int) -> None:
        """Add what was experienced; steps that only reset are left out."""
        weights = (transition.rewards + 2 * transition.done) * transition.valid
        before = flatten(self.observation_space, transition.observations)
        after = flatten(self.observation_space, transition.next_observations)
        experience = (weights @ before + weights @ after) / (1 + timestep)
        self.sum = 0.9 * self.sum + self.cfg.scale * (experience + self._noise())

    def post_interaction(self, *, timestep: int, timesteps: int) -> None:
        """Count the step."""
        self.steps += 1
        self.track("sum", float(self.sum.sum()))

    @property
    def changeable(self) -> tuple[str, ...]:
        """The factor can change."""
        return ("scale",)

    def state_dict(self) -> State:
        """Return the sum, the count and the generator."""
        return {**super().state_dict(), "sum": self.sum.clone(), "steps": self.steps}

    def load_state_dict(self, state: State) -> None:
        """Take over the sum, the count and the generator."""
        super().load_state_dict(state)
        self.sum, self.steps = state["sum"].to(self.device).clone(), state["steps"]

    def _noise(self) -> torch.Tensor:
        return torch.randn(self.sum.shape, generator=self.generator, device=self.device)


class LeanSumAgent(SumAgent):
    """A :class:`SumAgent` that does without copies of what it is given."""

    kind: ClassVar[str] = "lean-sum"
    keeps_transitions: ClassVar[bool] = False


class ForgetfulAgent(SumAgent):
    """Leaves out of its state what it learns with, as agents with large memories may.

    Only :meth:`handover` has it, so it goes on from run to run and not from a checkpoint.
    """

    kind: ClassVar[str] = "forgetful"

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.remembered = 0

    def record_transition(self, transition: Transition, *, timestep: int, timesteps: int) -> None:
        """Add what was experienced, with as much noise as there were steps."""
        self.remembered += 1
        super().record_transition(transition, timestep=timestep, timesteps=timesteps)

    @property
    def saves_everything(self) -> bool:
        """The state leaves out what is remembered."""
        return False

    def handover(self) -> State:
        """Return the state with what is remembered."""
        return {**self.state_dict(), "remembered": self.remembered}

    def load_state_dict(self, state: State) -> None:
        """Take over a state; without what was remembered, nothing is."""
        super().load_state_dict(state)
        self.remembered = state.get("remembered", 0)

    def _noise(self) -> torch.Tensor:
        return super()._noise() * self.remembered


class GlobalDrawAgent(SumAgent):
    """Draws from the process-wide generators of torch, numpy and random, as careless code does."""

    kind: ClassVar[str] = "global-draw"
    uses_global_generators: ClassVar[bool] = True

    def act(
        self,
        observations: Tree,
        *,
        states: Tree | None = None,
        timestep: int,
        timesteps: int,
        deterministic: bool = False,
    ) -> Tree:
        """Draw actions from a generator that the global one seeds."""
        assert self.num_envs is not None
        seed = 0 if deterministic else int(torch.randint(2**31, ()))
        generator = torch.Generator(self.device).manual_seed(seed)
        actions: Tree = sample_actions(self.action_space, self.num_envs, generator)
        return actions

    def _noise(self) -> torch.Tensor:
        own = torch.randn(self.sum.shape) + random.random() + float(np.random.normal())
        return own.to(self.device)


Phase = Literal["setup", "pre_interaction", "act", "record", "post_interaction"]


@frozen(kw_only=True)
class RaisingAgentCfg(SumAgentCfg):
    """Settings of :class:`RaisingAgent`.

    Attributes:
        phase: Where it raises.
        at: Timestep at which it raises.
    """

    phase: Phase = "act"
    at: int = 3


class RaisingAgent(SumAgent):
    """Raises ``RuntimeError("out of ideas")`` in a phase and at a timestep of your choice."""

    kind: ClassVar[str] = "raising"
    config_class: ClassVar[type[Any]] = RaisingAgentCfg

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
        """Act, or raise."""
        self._maybe("act", timestep)
        return super().act(
            observations,
            states=states,
            timestep=timestep,
            timesteps=timesteps,
            deterministic=deterministic,
        )

    def record_transition(self, transition: Transition, *, timestep: int, timesteps: int) -> None:
        """Record, or raise."""
        self._maybe("record", timestep)
        super().record_transition(transition, timestep=timestep, timesteps=timesteps)

    def post_interaction(self, *, timestep: int, timesteps: int) -> None:
        """Count, or raise."""
        self._maybe("post_interaction", timestep)
        super().post_interaction(timestep=timestep, timesteps=timesteps)

    def _maybe(self, phase: Phase, timestep: int) -> None:
        if (phase, timestep) == (self.cfg.phase, self.cfg.at):
            raise RuntimeError("out of ideas")


class MemoryAgent(SumAgent):
    """Keeps every transition that it was given in :attr:`transitions`."""

    kind: ClassVar[str] = "memory"
    uses_infos: ClassVar[bool] = True

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.transitions: list[Transition] = []

    def record_transition(self, transition: Transition, *, timestep: int, timesteps: int) -> None:
        """Keep the transition."""
        super().record_transition(transition, timestep=timestep, timesteps=timesteps)
        self.transitions.append(transition)
