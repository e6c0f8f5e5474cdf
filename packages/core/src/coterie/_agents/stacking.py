"""The optional capability of agents to become one: what a fused executor asks them for."""

from __future__ import annotations

import abc
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from attrs import field, frozen

from .._envs.functional import FunctionalEnv
from .._errors import ConfigError
from .._types import State, Tree
from .rollouts import Rollout
from .transition import Transition


@frozen(kw_only=True)
class StackKey:
    """What has to agree for agents to be stacked.

    Attributes:
        parts: Values by name, such as ``{"device": "cpu"}``. Agents whose parts are equal can be
            stacked; names are shown where they are not.
        obstacle: Why the agent can't be stacked with any other; empty: it can.
    """

    parts: Mapping[str, Hashable] = field(factory=dict)
    obstacle: str = ""

    def differences(self, other: StackKey) -> list[str]:
        """Name the parts that differ."""
        names = dict.fromkeys((*self.parts, *other.parts))
        missing = object()
        return [
            name
            for name in names
            if self.parts.get(name, missing) != other.parts.get(name, missing)
        ]


class Stack(abc.ABC):
    """Several agents that act and learn as one.

    Tensors that come in and go out have the leading dimension ``P * n``: the instances of the
    first agent, then those of the second, and so on. Each agent goes on as it would alone, up to
    the rounding of sums: with its own settings, and random numbers from its own generator.

    The agents hold what they had before until :meth:`unstack`.
    """

    @property
    @abc.abstractmethod
    def population(self) -> int:
        """Number of agents, P."""

    def enable_training_mode(self, enabled: bool = True) -> None:
        """Switch all of them between training and evaluation."""

    def pre_interaction(self, *, timestep: int, timesteps: int) -> None:
        """Do what comes before acting at ``timestep`` (of ``timesteps`` in all)."""

    @abc.abstractmethod
    def act(
        self,
        observations: Tree,
        *,
        states: Tree | None = None,
        timestep: int,
        timesteps: int,
        deterministic: bool = False,
    ) -> Tree:
        """Choose actions ``[P * n, ...]``; the arguments are those of ``Agent.act``."""

    @abc.abstractmethod
    def record_transition(
        self, transition: Transition[Any], *, timestep: int, timesteps: int
    ) -> None:
        """Take note of a step of ``P * n`` instances."""

    @abc.abstractmethod
    def post_interaction(self, *, timestep: int, timesteps: int) -> Mapping[int, Exception]:
        """Do what comes after a timestep: learn.

        Returns:
            What froze agents in this call, by position: they neither learn nor disturb the
            others any more, but stay in the stack.
        """

    @abc.abstractmethod
    def episodes_cut(self) -> None:
        """Treat the last recorded step of all of them as truncated."""

    def episodes_ended(self, ended: torch.Tensor) -> None:
        """Learn, in evaluation, where the next observations begin new episodes: ``[P * n]``."""

    @abc.abstractmethod
    def metrics(self) -> list[dict[str, float]]:
        """Hand over each agent's scalars since the last call."""

    @abc.abstractmethod
    def state_dict(self, position: int) -> State:
        """Return an agent's state: what its own ``state_dict`` would give, had it learned alone."""

    def handover(self, position: int) -> State:
        """Return what an agent's own ``handover`` would give, had it learned alone."""
        return self.state_dict(position)

    def fits(self, state: State) -> bool:
        """Whether :meth:`load_state_dict` can take a state over while the others go on.

        Agents in a stack share their rhythm: the state must be of the same point of it.
        """
        return True

    @abc.abstractmethod
    def load_state_dict(self, position: int, state: State) -> None:
        """Give an agent a state; the others don't change by a bit.

        Raises:
            CheckpointMismatch: The state belongs to another kind of agent.
        """

    def learned(self, position: int) -> State:
        """Return what an agent's own ``learned`` would give, had it learned alone."""
        state = self.state_dict(position)
        return {name: value for name, value in state.items() if name != "generator"}

    def inherit(self, position: int, learned: State) -> bool:
        """Let an agent go on with what another learned, as its own ``inherit`` would.

        Returns:
            Whether that was possible here, with no bit of the others changed. If not, nothing
            was done: the agents are unstacked first, and stacked again.

        Raises:
            CheckpointMismatch: It belongs to another kind of agent; nothing was changed.
        """
        return False

    @abc.abstractmethod
    def reconfigure(self, position: int, settings: Mapping[str, Any]) -> None:
        """Change an agent's settings; the errors are those of ``Agent.reconfigure``."""

    def rollout(self, env: FunctionalEnv, unit: int) -> Rollout:
        """Get ready to go through several timesteps with an environment in one call.

        What :meth:`pre_interaction`, :meth:`act` and :meth:`record_transition` do is done there;
        :meth:`post_interaction` is called after the last of the timesteps.

        Args:
            env: An environment of ``P * n`` instances.
            unit: Timesteps that are made one program.

        Raises:
            ConfigError: These agents can act step by step only, which is the default.
        """
        raise ConfigError("agents of this kind can act step by step only")

    @abc.abstractmethod
    def unstack(self, position: int) -> None:
        """Bring what an agent learned home, into its own object, bit for bit."""


@runtime_checkable
class Stackable(Protocol):
    """An agent that can be stacked with others. Ask with ``isinstance``."""

    def stack_key(self) -> StackKey:
        """Say what the agent has in common with those that it can be stacked with.

        Asked after ``setup``: the number of instances and what the agent is in the middle of
        may be parts of the key.
        """
        ...

    def stack(self, agents: Sequence[Any]) -> Stack:
        """Make one of several agents.

        Args:
            agents: Agents with equal keys, this one the first of them.
        """
        ...
