"""What agents and teams of skrl have in common under Coterie's trainers."""

from __future__ import annotations

import abc
import copy
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, ClassVar
from weakref import WeakSet

import torch
from gymnasium import spaces
from skrl.memories.torch import Memory
from skrl.trainers.torch import SequentialTrainerCfg
from torch import nn
from torch.distributions import Distribution

from coterie import Agent, ConfigError, State, Transition, Tree, isolated_generators

from .._state.reading import capture
from .._state.writing import apply
from .acting import without_exploration, without_memories, without_value_states
from .cfg import SkrlCfg, described
from .cutting import forget_hidden
from .drawing import SpaceStreams, may_draw_actions
from .files import Files
from .resets import ResetSteps, is_rollout, keep_rows, true_rewards
from .schedules import watch_optimisers

_NO_STATE = ("cfg", "writer", "training", "experiment_dir", "device")
_PREPARED: WeakSet[Any] = WeakSet()
"""Agents that work already; initialising them again would forget how far their rollouts are."""

_COUNTED = ("_cumulative_rewards", "_cumulative_timesteps")
_TRACKED = ("tracking_data", "_track_rewards", "_track_timesteps")
_OF_ITS_PLACE = (
    *_COUNTED,
    *_TRACKED,
    "write_interval",
    "checkpoint_interval",
    "checkpoint_best_modules",
)


class Adapted(Agent, abc.ABC):
    """One of skrl's agents behind Coterie's contract; it does the work, unmodified.

    Args:
        agent: The agent of skrl.
        name: Name of the member; ``None``: the trainer gives it one.
        seed: Seed of everything random in the agent, and of its scope's instances; ``None``: the
            one of skrl's ``set_seed``.
        cfg: An instance of :class:`SkrlCfg`, a mapping of its fields, or ``None``.

    Attributes:
        agent: The agent of skrl, which is the trained one after ``train()``.

    Raises:
        ConfigError: The settings are wrong, or the agent lacks what it needs.
    """

    config_class: ClassVar[type[Any]] = SkrlCfg
    watches_evaluation: ClassVar[bool] = True

    def __init__(
        self,
        agent: Any,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        state_space: spaces.Space[Any] | None,
        *,
        name: str | None = None,
        seed: int | None = None,
        cfg: SkrlCfg | Mapping[str, Any] | None = None,
    ) -> None:
        from skrl import config

        super().__init__(
            observation_space=observation_space,
            action_space=action_space,
            state_space=state_space,
            device=agent.device,
            name=name,
            seed=config.torch.key if seed is None else seed,
            cfg=cfg,
        )
        self.cfg = described(self.cfg, agent)
        self.agent = agent
        self.kind = f"skrl-{type(agent).__name__.lower().replace('_', '-')}"  # type: ignore[misc]
        self.uses_global_generators = self.cfg.own_streams  # type: ignore[misc]
        self._files = Files(agent)
        self._streams = SpaceStreams(self._models(), self.seed)
        self._draws = may_draw_actions(agent) and not self.cfg.faithful
        self._resets: dict[str, ResetSteps] = {}
        self._ready = agent in _PREPARED and not self.cfg.faithful
        self._kept: Any = None
        self._training_writer: Any = None
        self._answered: tuple[Any, Any] = (None, None)
        self._acted: Any = None
        self._acted_at = 0.0

    @abc.abstractmethod
    def _models(self) -> list[nn.Module]:
        """List the networks, each once."""

    @abc.abstractmethod
    def _memories(self) -> dict[str, Memory]:
        """List the memories, by actor."""

    @abc.abstractmethod
    def flat(self, observations: Any, states: Any) -> tuple[Any, Any]:
        """Turn observations and states into what the agent of skrl is given."""

    @abc.abstractmethod
    def _actions(self, actions: Any) -> Any:
        """Turn actions of the agent of skrl into those of the action space."""

    @abc.abstractmethod
    def _best(self, actions: Any, outputs: Any) -> Any:
        """Choose what to do in an evaluation."""

    @abc.abstractmethod
    def _mean(self, actions: Any, outputs: Any) -> Any:
        """Choose what skrl's trainers do in an evaluation: mean actions, where there are some."""

    @abc.abstractmethod
    def _column(self, values: Any) -> Any:
        """Turn rewards or flags ``[n]`` into skrl's ``[n, 1]``."""

    @abc.abstractmethod
    def _cut(self) -> None:
        """Let the rollout under way bootstrap from where it was cut."""

    def check_scope(self, num_envs: int) -> None:
        """Check that the memories were made for so many instances.

        Args:
            num_envs: Number of instances in the scope.

        Raises:
            ConfigError: One was made for another number.
        """
        for memory in self._memories().values():
            if memory.num_envs not in (num_envs, 1):
                raise ConfigError(
                    f"its memory was made with num_envs={memory.num_envs}, but its scope has "
                    f"{num_envs} instances; make the memory with num_envs={num_envs}, or give "
                    "other scopes"
                )

    def pre_interaction(self, *, timestep: int, timesteps: int) -> None:
        """Let the agent do what comes before acting."""
        self.prepare(timesteps)
        timestep, timesteps = self._counted(timestep, timesteps)
        self.agent.pre_interaction(timestep=timestep, timesteps=timesteps)

    def act(
        self,
        observations: Tree,
        *,
        states: Tree | None = None,
        timestep: int,
        timesteps: int,
        deterministic: bool = False,
    ) -> Any:
        """Let the agent choose actions; arguments as for :class:`~coterie.Agent`."""
        timestep, timesteps = self._counted(timestep, timesteps)
        if not self.training:
            self._prepare_evaluation(timesteps)
            self.agent.pre_interaction(timestep=timestep, timesteps=timesteps)
        self._answered = flat = self.flat(observations, states)
        started = time.perf_counter()
        if self.training and not self._draws:
            actions, outputs = self.agent.act(*flat, timestep=timestep, timesteps=timesteps)
        else:
            with self._as_wanted(deterministic):
                actions, outputs = self.agent.act(*flat, timestep=timestep, timesteps=timesteps)
        self._acted_at = time.perf_counter()
        spent = 1000 * (self._acted_at - started)
        self.agent.track_data("Stats / Inference time (ms)", spent)
        self._acted = actions
        if deterministic:
            faithful = self.cfg.faithful
            self._acted = self._mean(actions, outputs) if faithful else self._best(actions, outputs)
        return self._actions(self._acted)

    def record_transition(
        self, transition: Transition[Any], *, timestep: int, timesteps: int
    ) -> None:
        """Let the agent record a step, but for the rows that are no experience."""
        waited = 1000 * (time.perf_counter() - self._acted_at)
        self.agent.track_data("Stats / Env stepping time (ms)", waited)
        timestep, timesteps = self._counted(timestep, timesteps)
        with torch.no_grad():
            if transition.all_valid:
                self._record(transition, timestep, timesteps)
            else:
                with self._recording(transition.valid):
                    self._record(transition, timestep, timesteps)
                self._discount_resets(transition)
                if self.training and not self._memories():
                    keep_rows(self.agent, transition.valid)
        self._note_infos(transition.infos)

    def post_interaction(self, *, timestep: int, timesteps: int) -> None:
        """Let the agent learn, and write what is due."""
        timestep, timesteps = self._counted(timestep, timesteps)
        with self._files.held_back(), ExitStack() as stack:
            for name, resets in self._resets.items():
                if resets.found:
                    stack.enter_context(resets.learning())
                    stack.enter_context(resets.scaling(self.agent, name))
            self.agent.post_interaction(timestep=timestep, timesteps=timesteps)
        self._write(timestep, timesteps)

    def watch(self, transition: Transition[Any], *, timestep: int, timesteps: int) -> None:
        """Let the agent track the rewards of an evaluation, and write them; no checkpoints."""
        with without_value_states(self.agent):
            self.record_transition(transition, timestep=timestep, timesteps=timesteps)
        self._write(*self._counted(timestep, timesteps))

    def episodes_cut(self) -> None:
        """Cut what was recorded off from what comes."""
        if self.cfg.faithful or not self._ready:
            return
        self._cut()
        self._forget_episodes()

    def enable_training_mode(self, enabled: bool = True) -> None:
        """Switch between training and evaluation, which leaves nothing behind in the agent."""
        if not enabled and self._kept is None:
            self._enter_evaluation()
        elif enabled and self._kept is not None:
            self._leave_evaluation()
        super().enable_training_mode(enabled)
        self.agent.enable_training_mode(enabled)

    def metrics(self) -> dict[str, float]:
        """Hand over the means of what the agent tracked since the last call."""
        self._hand_over()
        return super().metrics()

    def state_dict(self) -> State:
        """Return everything that training changes: whatever the agent's attributes lead to."""
        return {
            **super().state_dict(),
            "ready": self._ready,
            "agent": self._captured(),
            "handed_over": self._files.state_dict(),
            "spaces": self._streams.state_dict(),
            "resets": {name: resets.state_dict() for name, resets in self._resets.items()},
        }

    def load_state_dict(self, state: State) -> None:
        """Take over what :meth:`state_dict` of an equal agent returned, into the same objects.

        Raises:
            CheckpointMismatch: It is the state of another agent.
        """
        if state["ready"] and not self._ready:
            self._prepare_quietly()
            self._note_ready()
        super().load_state_dict(state)
        apply(vars(self.agent), state["agent"], self.device)
        self._files.load_state_dict(state["handed_over"])
        self._streams.load_state_dict(state["spaces"])
        for name, void in state["resets"].items():
            self._resets_of(name).load_state_dict(void)

    def learned(self) -> State:
        """Return what another agent can go on with: copies of what was learned, no numbers drawn.

        A rollout under way is a part of it; a replay memory is not, nor what was tracked.
        """
        keeps_memory = all(map(is_rollout, self._memories().values()))
        left = (*_OF_ITS_PLACE, *(() if keeps_memory else ("memory", "memories")))
        return {
            "ready": self._ready,
            "agent": copy.deepcopy(self._captured(left)),
            "resets": {n: copy.deepcopy(resets.state_dict()) for n, resets in self._resets.items()},
        }

    def inherit(self, learned: State) -> None:
        """Go on with what another agent learned; arguments and errors as for the base."""
        own = {"handed_over": self._files.state_dict(), "spaces": self._streams.state_dict()}
        super().inherit({**own, **learned})

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what stays in this process: open files, and results of the last pass."""
        self._files.close()
        for model in self._models():
            for part in model.modules():
                _drop_distributions(vars(part))
        return dict(vars(self))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Arrive in another process, where schedulers watch their optimisers again."""
        vars(self).update(state)
        watch_optimisers(vars(self.agent))

    def prepare(self, timesteps: int) -> None:
        """Initialise the agent where it works, once; skrl's own method opens its files there.

        Args:
            timesteps: Number of timesteps of the run, unless its settings tell another.
        """
        if not self._ready:
            timesteps = self.cfg.timesteps or timesteps
            self.agent.init(trainer_cfg=SequentialTrainerCfg(timesteps=timesteps))
            self._note_ready()

    def _note_ready(self) -> None:
        self._ready = True
        _PREPARED.add(self.agent)

    def _prepare_quietly(self) -> None:
        """Initialise the agent without a file, and without a trace of what it draws for that."""
        agent, experiment = self.agent, self.agent.cfg.experiment
        intervals, wandb = (agent.write_interval, agent.checkpoint_interval), experiment.wandb
        agent.write_interval, agent.checkpoint_interval, experiment.wandb = 0, 0, False
        try:
            with isolated_generators(self.seed):
                agent.init(trainer_cfg=None)
        finally:
            (agent.write_interval, agent.checkpoint_interval), experiment.wandb = intervals, wandb

    def _enter_evaluation(self) -> None:
        self._kept = {
            "agent": self._captured(light=True),
            "handed_over": self._files.state_dict(),
            "spaces": self._streams.state_dict(),
        }
        if not self._ready:
            with without_memories(self.agent):  # training makes what is in them
                self._prepare_quietly()
        self._training_writer = vars(self.agent).pop("writer", None)
        self._files.load_state_dict({})
        if not self.cfg.faithful:  # there, the environment's episodes go on, too
            self._forget_episodes()
        for tracked in _TRACKED:
            getattr(self.agent, tracked).clear()
        self.agent.write_interval = self.agent.cfg.experiment.write_interval

    def _prepare_evaluation(self, timesteps: int) -> None:
        agent = self.agent
        if agent.write_interval == "auto":
            agent.write_interval = int((self.cfg.timesteps or timesteps) / 100)
        if agent.write_interval > 0:
            self._files.open("eval")

    def _leave_evaluation(self) -> None:
        self._files.close()
        if self._training_writer is not None:
            self.agent.writer, self._training_writer = self._training_writer, None
        self.agent.tracking_data.clear()
        kept, self._kept = self._kept, None
        apply(vars(self.agent), kept["agent"], self.device)
        self._files.load_state_dict(kept["handed_over"])
        self._streams.load_state_dict(kept["spaces"])

    def _forget_episodes(self) -> None:
        for name in _COUNTED:
            setattr(self.agent, name, None)
        forget_hidden(self.agent)

    def _counted(self, timestep: int, timesteps: int) -> tuple[int, int]:
        """Count timesteps as skrl does, from 0 in each run, where that is wanted."""
        if not self.cfg.faithful or self.cfg.timesteps is None:
            return timestep, timesteps
        first = timesteps - self.cfg.timesteps
        return timestep - first, self.cfg.timesteps

    @contextmanager
    def _as_wanted(self, deterministic: bool) -> Iterator[None]:
        """Let the agent draw and explore as it should, while it acts."""
        with ExitStack() as stack:
            if self._draws:
                stack.enter_context(self._streams.active())
            if not self.training and not self.cfg.faithful:
                quiet = without_exploration(self.agent, noise=not deterministic)
                stack.enter_context(quiet)
            yield

    def _record(self, transition: Transition[Any], timestep: int, timesteps: int) -> None:
        observations, states = self._answered
        next_observations, next_states = self.flat(
            transition.next_observations, transition.next_states
        )
        self.agent.record_transition(
            observations=observations,
            states=states,
            actions=self._acted,
            rewards=self._column(true_rewards(transition)),
            next_observations=next_observations,
            next_states=next_states,
            terminated=self._column(transition.terminated),
            truncated=self._column(transition.truncated),
            infos=transition.infos,
            timestep=timestep,
            timesteps=timesteps,
        )

    def _recording(self, valid: Any) -> AbstractContextManager[Any]:
        """Keep rows that are no experience out of the memories, while a step is recorded."""
        names = list(self._memories()) if self.training else []
        if names == [""]:
            return self._resets_of("").recording(valid)
        stack = ExitStack()
        for name in names:
            stack.enter_context(self._resets_of(name).recording(valid[name]))
        return stack

    def _resets_of(self, name: str) -> ResetSteps:
        if name not in self._resets:
            in_sequences = bool(getattr(self.agent, "_rnn", False))
            self._resets[name] = ResetSteps(self._memories()[name], in_sequences)
        return self._resets[name]

    def _discount_resets(self, transition: Transition[Any]) -> None:
        """Take steps that only reset an instance out of the lengths of episodes."""
        lengths = self.agent._cumulative_timesteps
        valid = transition.valid
        if isinstance(valid, dict):
            valid = torch.stack(list(valid.values())).any(0)
        if isinstance(lengths, torch.Tensor):
            lengths[~valid] -= 1

    def _note_infos(self, infos: Mapping[str, Any]) -> None:
        found = infos.get(self.cfg.environment_info)
        for key, value in found.items() if isinstance(found, Mapping) else ():
            if (isinstance(value, torch.Tensor) and value.numel() == 1) or (
                isinstance(value, int | float) and not isinstance(value, bool)
            ):
                self.agent.track_data(key if "/" in key else f"Info / {key}", float(value))

    def _write(self, timestep: int, timesteps: int) -> None:
        if self._files.due(timestep):
            self._hand_over()
            self._files.write(timestep=timestep, timesteps=timesteps)

    def _hand_over(self) -> None:
        for name, value in self._files.take():
            self.track(name, value)

    def _captured(self, left: Iterable[str] = (), *, light: bool = False) -> State:
        """Note the state of the agent's attributes, but for those that are none or are left out."""
        out = {*_NO_STATE, *left}
        attributes = {name: value for name, value in vars(self.agent).items() if name not in out}
        kinds: Iterable[Any] = (self.agent, *self._models(), *self._memories().values())
        homes = {"skrl"} | {type(one).__module__.partition(".")[0] for one in kinds}
        state: State = capture(attributes, homes, light=light)
        return state


def distinct(models: Iterable[nn.Module | None]) -> list[nn.Module]:
    """List networks, each once, for several roles may share one."""
    return list({id(model): model for model in models if model is not None}.values())


def _drop_distributions(attributes: dict[str, Any]) -> None:
    """Forget the distributions of the last pass: they hold its graph, which can't travel."""
    for name, value in attributes.items():
        several = isinstance(value, list) and value and isinstance(value[0], Distribution)
        if several or isinstance(value, Distribution):
            attributes[name] = [] if several else None
