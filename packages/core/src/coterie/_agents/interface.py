"""The agent contract: what acts and learns in a scope."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from attrs import evolve
from gymnasium import spaces

from .._config.changes import changed_settings
from .._config.structure import structure
from .._errors import CheckpointMismatch, CoterieError
from .._seeding import derive_seed
from .._state import read_state, write_state
from .._types import State, Tree
from .cfg import AgentCfg
from .transition import Transition


class Agent(abc.ABC):
    """A policy, an optimiser and a memory that learn on a scope of instances.

    A trainer calls, in this order: :meth:`setup` once; then for each timestep
    :meth:`pre_interaction`, :meth:`act`, (the environment steps), :meth:`record_transition`,
    :meth:`post_interaction`. Subclasses implement ``act``, ``record_transition`` and
    ``state_dict`` / ``load_state_dict``, and whatever else they need.

    Every random number should come from :attr:`generator`. An agent that draws from the
    process-wide generators of torch, numpy or random leaves ``uses_global_generators`` as it
    is, and trainers give it streams of its own; one that never does sets it to ``False``,
    which saves that work at each step.

    Args:
        observation_space: Space of one instance's observation.
        action_space: Space of one instance's action.
        state_space: Space of one instance's privileged observation, or ``None``.
        device: Where the agent's tensors live.
        name: Name of the member; ``None``: the trainer gives it one.
        seed: Seed of everything random in the agent, and of its scope's instances.
        cfg: An instance of :attr:`config_class`, a mapping of its fields, or ``None``.

    Raises:
        ConfigError: The settings are wrong; all problems at once.
    """

    kind: ClassVar[str] = "agent"
    """Name of the algorithm, as its plugin calls it."""

    config_class: ClassVar[type[Any]] = AgentCfg
    """attrs class of the settings."""

    uses_global_generators: ClassVar[bool] = True
    """Whether the agent may draw from the process-wide generators."""

    uses_infos: ClassVar[bool] = True
    """Whether the agent reads ``transition.infos``; ``False`` saves bringing them to it."""

    refuses_untouched: ClassVar[bool] = False
    """Whether an agent that refuses a state, or settings, is surely as it was.

    ``False``: whoever restores states keeps a copy of the agent's own, to put it back.
    """

    keeps_transitions: ClassVar[bool] = True
    """Whether the agent may keep tensors that it is given, beyond the call.

    ``False``: it copies what it remembers, and trainers need not copy each step for it. It may
    then rely on observations until the ``record_transition`` that brings them back returned, and
    on the other tensors of a transition during that call.
    """

    watches_evaluation: ClassVar[bool] = False
    """Whether the agent wants to see the steps of an evaluation too, through :meth:`watch`."""

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
        self.observation_space = observation_space
        self.action_space = action_space
        self.state_space = state_space
        self.device = torch.device(device)
        self.name = name
        self.seed = int(seed)
        self.cfg = structure(self.config_class, cfg, source=f"settings of agent {self.kind!r}")
        self.training = True
        self.num_envs: int | None = None
        self.generator = torch.Generator(device=self.device)
        self.generator.manual_seed(derive_seed(self.seed, "agent"))
        self._tracked: dict[str, list[float]] = {}

    def check_scope(self, num_envs: int) -> None:
        """Check, before anything starts, that the agent can learn from so many instances.

        Args:
            num_envs: Number of instances in the scope.

        Raises:
            ConfigError: It can't; the message says what it needs.
        """

    def setup(self, num_envs: int) -> None:
        """Get ready for a scope of ``num_envs`` instances; allocate what depends on it.

        Called before the first interaction, and again with the same number when another
        trainer takes the agent over: what was learned stays.

        Args:
            num_envs: Number of instances in the scope.
        """
        self.num_envs = num_envs

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
        """Choose actions.

        Args:
            observations: Tensors ``[num_envs, ...]`` on the agent's device.
            states: Privileged observations of the same instances, if there are any.
            timestep: Timestep from 0.
            timesteps: Number of timesteps in all.
            deterministic: Whether to return the mean (or most probable) action.

        Returns:
            Actions ``[num_envs, ...]`` of the action space.
        """

    @abc.abstractmethod
    def record_transition(
        self, transition: Transition[Any], *, timestep: int, timesteps: int
    ) -> None:
        """Take note of what the last actions led to.

        Args:
            transition: The step of this scope; its tensors may be kept, but not changed.
            timestep: Timestep from 0.
            timesteps: Number of timesteps in all.
        """

    def post_interaction(self, *, timestep: int, timesteps: int) -> None:
        """Do what comes after a timestep: most agents learn here."""

    def episodes_cut(self) -> None:
        """Learn that all instances were reset in the middle of their episodes.

        Called when a run starts from a reset, and for a member that failed before: the last
        recorded transition, if there is any, is not followed by the next. Treat it as truncated.
        """

    def episodes_ended(self, ended: torch.Tensor) -> None:
        """Learn, in evaluation, where the next observations begin new episodes.

        Evaluation records no transitions; agents with a memory of the episode, as recurrent ones
        have, forget it here, after :meth:`watch`. In training they learn it from the transitions.

        Args:
            ended: bool ``[num_envs]`` on the agent's device.
        """

    def watch(self, transition: Transition[Any], *, timestep: int, timesteps: int) -> None:
        """See a step of an evaluation, where ``watches_evaluation`` is set; learn nothing from it.

        Args:
            transition: The step of this scope, as :meth:`record_transition` gets it in training.
            timestep: Timestep from 0.
            timesteps: Number of timesteps in all.
        """

    def enable_training_mode(self, enabled: bool = True) -> None:
        """Switch between training and evaluation (dropout, statistics of preprocessors)."""
        self.training = enabled

    def state_dict(self) -> State:
        """Return everything that training changes: tensors and plain values, nothing else.

        Subclasses extend what this returns: the state of :attr:`generator`, and the settings in
        :attr:`changeable`, if there are any.
        """
        state: State = {"generator": self.generator.get_state()}
        if self.changeable:
            state["settings"] = {name: getattr(self.cfg, name) for name in self.changeable}
        return state

    def load_state_dict(self, state: State) -> None:
        """Take over what :meth:`state_dict` of an equal agent returned.

        Raises:
            CheckpointMismatch: The state belongs to another kind of agent.
        """
        self.generator.set_state(state["generator"].cpu())
        if self.changeable:
            self.cfg = evolve(self.cfg, **state.get("settings", {}))

    def handover(self) -> State:
        """Return what another object of this agent goes on from, in the same run.

        Trainers take it where an agent moves between processes, or in and out of a stack;
        :meth:`load_state_dict` takes it over. It is :meth:`state_dict`; agents whose settings
        leave something out of that, such as a large memory, add it here.
        """
        return self.state_dict()

    def learned(self) -> State:
        """Return what another agent can go on with that :meth:`inherit` takes over.

        That is what was learned, and the settings in :attr:`changeable`, without what belongs to
        this agent's place: random numbers, and a memory that the other has of its own. Here it
        is :meth:`state_dict` without the generator.
        """
        return {name: value for name, value in self.state_dict().items() if name != "generator"}

    def inherit(self, learned: State) -> None:
        """Go on with what another agent learned, between two timesteps.

        The agent draws its own random numbers as before; what it records next does not follow
        what was recorded last.

        Args:
            learned: What :meth:`learned` of an agent of the same kind and architecture returned.

        Raises:
            CheckpointMismatch: It belongs to another kind of agent.
        """
        self.load_state_dict({**learned, "generator": self.generator.get_state()})
        self.episodes_cut()

    @property
    def changeable(self) -> tuple[str, ...]:
        """Names of the settings that :meth:`reconfigure` can change while the agent lives."""
        return ()

    def check_settings(self, settings: Mapping[str, Any]) -> Any:
        """Apply new settings to :attr:`cfg` without taking them over.

        Args:
            settings: Fields of :attr:`config_class` with their new values.

        Returns:
            The configuration that :meth:`reconfigure` would go on with.

        Raises:
            ConfigError: A field is unknown, its value is wrong, or it can't change any more.
        """
        return changed_settings(self.kind, self.cfg, self.changeable, settings)

    def reconfigure(self, settings: Mapping[str, Any]) -> None:
        """Change settings while the agent lives, between two timesteps.

        Here :attr:`cfg` is replaced, which is all that an agent needs that looks there whenever
        it needs a setting. Others extend it.

        Args:
            settings: Fields of :attr:`config_class` with their new values; only those in
                :attr:`changeable` can change.

        Raises:
            ConfigError: A field is unknown, its value is wrong, or it can't change any more;
                nothing was changed.
        """
        self.cfg = self.check_settings(settings)

    @property
    def saves_everything(self) -> bool:
        """Whether training goes on from :meth:`state_dict` bit for bit.

        ``False`` where the settings leave a part of it out, such as a large memory.
        """
        return True

    def track(self, name: str, value: float) -> None:
        """Note a scalar; :meth:`metrics` hands over its mean."""
        self._tracked.setdefault(name, []).append(float(value))

    def metrics(self) -> dict[str, float]:
        """Hand over the means of the scalars noted since the last call, and forget them."""
        means = {name: sum(values) / len(values) for name, values in self._tracked.items()}
        self._tracked.clear()
        return means

    def save(self, path: str | Path) -> None:
        """Write :meth:`state_dict` to one safetensors file, atomically.

        Raises:
            CheckpointWriteError: The file could not be written; an older one is untouched.
        """
        write_agent(path, self, self.state_dict())

    def load(self, path: str | Path) -> None:
        """Read a file that :meth:`save` wrote. Nothing in it is executed.

        Raises:
            CheckpointError: It is missing, damaged, of another format or another agent's.
        """
        state, about = read_state(path)
        if about.get("kind") != self.kind:
            raise CheckpointMismatch(
                f"{path} holds an agent of kind {about.get('kind')!r}, this is a {self.kind!r}"
            )
        try:
            self.load_state_dict(state)
        except CoterieError:
            raise
        except Exception as error:
            raise CheckpointMismatch(
                f"{path} does not fit this {self.kind!r}: {type(error).__name__}: {error}"
            ) from error

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name or self.kind!r} seed={self.seed} {self.device}>"


def write_agent(path: str | Path, agent: Agent, state: State) -> None:
    """Write the state of an agent, taken elsewhere, to the file that its ``load`` reads.

    Args:
        path: The file.
        agent: The agent, which need not have that state itself.
        state: What its ``state_dict`` returned.

    Raises:
        CheckpointWriteError: The file could not be written; an older one is untouched.
        TypeError: Something in the state can't be stored; the message names the place.
    """
    write_state(path, state, {"kind": agent.kind, "name": agent.name or ""})
