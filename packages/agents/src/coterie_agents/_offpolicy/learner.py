"""What off-policy learners have in common: memory, rhythm, exploration, state."""

from __future__ import annotations

import abc
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from gymnasium import spaces

from coterie import ConfigError, TrainerStateError, Transition

from .._exploration.draws import Draws
from .._exploration.schedule import linear_schedule
from .._learning.interface import Learner
from .._learning.settings import stack_field
from .._memory.prioritized import PrioritizedReplayMemory
from .._memory.replay import Batch, ReplayMemory
from .._memory.shared import SharedReplayPart
from .._models.cfg import CnnCfg
from .._models.inputs import NetworkInput
from .._precision.autocast import make_precision
from .cfg import OffPolicyCfg
from .fields import replay_fields
from .samples import Learned, Samples
from .sharing import check_part, check_shared
from .state import inherit_state, learned_state, load_member_state, member_state, phase_of

_BATCH_ROWS = 16


class OffPolicyLearner(Learner):
    """Members that act, remember and learn from samples of what they remember.

    An algorithm implements :meth:`best`, :meth:`explore`, :meth:`learn`, :meth:`own_state` and
    :meth:`load_own_state`, and builds its networks after this constructor. Stored actions are
    indices ``[P, N]`` of a Discrete space, vectors ``[P, N, A]`` of a Box.

    Args:
        arguments: Those of :class:`Learner`.

    Attributes:
        observations: How observations become inputs of networks.
        precision: How networks are run.
        critic_states: How privileged observations do; without any it is :attr:`observations`.
        memory: What is remembered; ``None`` before :meth:`allocate`.
        noise: Random numbers that :meth:`explore` gets, a row for each timestep.
        batches: Random numbers that samples are chosen by.
        steps: Timesteps that were recorded in all.
    """

    cfg: OffPolicyCfg

    noise_kind: ClassVar[Literal["uniform", "normal"]] = "uniform"
    """What :meth:`explore` draws."""

    rhythm: ClassVar[tuple[str, ...]] = ()
    """Counts in :meth:`own_state` that say when something is due next.

    Members of a stack share them, and who inherits goes on with its own.
    """

    uses_states: ClassVar[bool] = True
    """Whether a critic sees privileged observations, where there are any."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.precision = make_precision(self.cfg.mixed_precision, self.dtype, self.device)
        self.fields = replay_fields(
            self.observation_space,
            self.action_space,
            self.state_space if self.uses_states else None,
            self.dtype,
        )
        self.observations = self._place(self.observation_space)
        self.critic_states = self.observations
        if self.state_space is not None and self.uses_states:
            self.critic_states = self._place(self.state_space)
        self.memory: ReplayMemory | None = None
        self.noise: Draws | None = None
        self.warm_up: Draws | None = None
        self.batches = Draws(self.generators, (self.cfg.batch_size,), "uniform", rows=_BATCH_ROWS)
        self.pending: torch.Tensor | None = None
        self.steps = 0
        self.discount = stack_field(self.cfgs, "discount_factor", self.dtype, self.device)

    def _place(self, space: spaces.Space[Any]) -> NetworkInput:
        return NetworkInput(
            space,
            self.population,
            flat=self.own_models is None,
            normalize=self.cfg.observation_normalization,
            dtype=self.dtype,
            device=self.device,
            cnn=None if self.own_models is not None else self.cnn,
        )

    @property
    def cnn(self) -> CnnCfg | None:
        """How images are read; ``None``: everything is flattened."""
        return None

    @abc.abstractmethod
    def noise_shape(self, num_envs: int) -> tuple[int, ...]:
        """Return the shape of a member's random numbers for one timestep."""

    @abc.abstractmethod
    def best(self, inputs: Any) -> torch.Tensor:
        """Choose the best stored actions for inputs ``[P, N, ...]``."""

    @abc.abstractmethod
    def explore(self, inputs: Any, noise: torch.Tensor) -> torch.Tensor:
        """Choose stored actions to learn from.

        It may be asked twice for one timestep: what changes from one to the next changes in
        :meth:`recorded`.

        Args:
            inputs: Inputs ``[P, N, ...]``.
            noise: Random numbers ``[P, *noise_shape]``.
        """

    def randomly(self, uniforms: torch.Tensor) -> torch.Tensor:
        """Turn numbers of ``[0, 1)``, float64 ``[P, N, A]``, into uniform stored actions."""
        if isinstance(self.action_space, spaces.Discrete):
            return (uniforms.squeeze(-1) * int(self.action_space.n)).long()
        raise NotImplementedError

    @abc.abstractmethod
    def to_env(self, actions: torch.Tensor) -> torch.Tensor:
        """Turn stored actions ``[P * N, ...]`` into those of the space."""

    @abc.abstractmethod
    def from_env(self, actions: Any) -> torch.Tensor:
        """Turn the space's actions ``[P * N, ...]`` into stored ones."""

    @abc.abstractmethod
    def learn(self, samples: Samples) -> Learned:
        """Make one optimiser step; ask :meth:`guard` which members may."""

    def recorded(self, transition: Transition) -> None:
        """Take note of a timestep (for noise that goes on from step to step)."""

    def start_update(self, share: float) -> None:
        """Get ready for an update, ``share`` of the training being over (0 to 1)."""

    def own_draws(self) -> dict[str, Draws]:
        """Return further random numbers of the algorithm by name; they belong to the state."""
        return {}

    @abc.abstractmethod
    def own_state(self, member: int) -> dict[str, Any]:
        """Return what training changes in a member's networks, optimisers and noise."""

    @abc.abstractmethod
    def load_own_state(self, state: Mapping[str, Any], member: int) -> None:
        """Take over what :meth:`own_state` returned; it was found to fit."""

    @classmethod
    def check_scope(cls, cfg: Any, num_envs: int) -> None:
        """Check that the memory can hold as many timesteps as learning needs to start.

        Raises:
            ConfigError: It can't.
        """
        if cfg.memory_size // num_envs < cfg.learning_starts:
            raise ConfigError(
                f"a memory of {cfg.memory_size} transitions holds "
                f"{cfg.memory_size // num_envs} timesteps of {num_envs} instances, but "
                f"learning starts after {cfg.learning_starts}: raise memory_size or lower "
                "learning_starts"
            )

    def allocate(self, num_envs: int) -> None:
        """Get a memory for ``num_envs`` instances per member; keeps one that fits.

        Raises:
            ConfigError: The members can't learn from so many.
        """
        if isinstance(self.memory, SharedReplayPart):
            check_shared(self.cfg, self.memory, num_envs)
            self.memory.sync()
        elif self.memory is None or self.memory.num_envs != num_envs:
            self.check_scope(self.cfg, num_envs)
            self.memory = self._make_memory(num_envs)
            self.noise = self.warm_up = None
        if self.noise is None:
            shape, width = self.noise_shape(num_envs), self.fields["actions"][0] or (1,)
            self.noise = Draws(self.generators, shape, self.noise_kind)
            self.warm_up = Draws(self.generators, (num_envs, *width), "uniform")
            self.pending = None

    def share(self, part: SharedReplayPart) -> None:
        """Use a part of a memory that members share, in place of a memory of its own.

        Raises:
            ConfigError: It holds something else than this learner stores, the memory was to
                be prioritised, or several members are stacked.
        """
        check_part(self, part)
        part.n_step = self.cfg.n_step
        self.memory = part

    def _make_memory(self, num_envs: int) -> ReplayMemory:
        size = self.cfg.memory_size // num_envs, self.population, num_envs, self.device
        if self.cfg.memory == "uniform":
            return ReplayMemory(self.fields, *size, n_step=self.cfg.n_step)
        exponent = stack_field(self.cfgs, "priority_exponent", torch.float64, self.device)
        return PrioritizedReplayMemory(
            self.fields, *size, n_step=self.cfg.n_step, exponent=exponent
        )

    @torch.no_grad()
    def act(
        self,
        observations: Any,
        *,
        states: Any = None,
        timestep: int = 0,
        timesteps: int = 0,
        deterministic: bool = False,
        generators: Sequence[torch.Generator] | None = None,
    ) -> torch.Tensor:
        """Choose actions; asking twice for those of one timestep gives the same ones.

        Args:
            observations: Tensors ``[P * N, ...]``.
            states: Not used: policies see observations only.
            timestep: Not used.
            timesteps: Not used.
            deterministic: Whether to take the best actions.
            generators: Draw fresh noise from these and remember nothing: for evaluation.

        Returns:
            Actions of the space, ``[P * N, ...]``.
        """
        inputs = self.see(observations, evaluating=generators is not None)
        if deterministic:
            actions = self.best(inputs)
        elif generators is not None:
            first = self.observations.leaves_of(observations)[0]
            shape = self.noise_shape(first.shape[0] // self.population)
            fresh = Draws(generators, shape, self.noise_kind, rows=1)
            actions = self.explore(inputs, fresh.current())
        else:
            actions = self._act_to_learn(inputs)
        if generators is None:
            self.pending = actions
        return self.to_env(actions.flatten(0, 1))

    def see(self, observations: Any, *, evaluating: bool) -> Any:
        """Turn one step's observations into what :meth:`best` and :meth:`explore` take in.

        Args:
            observations: Tensors ``[P * N, ...]``.
            evaluating: Whether nothing of it may be remembered for training.
        """
        return self.observations.from_step(observations)

    def _act_to_learn(self, inputs: Any) -> torch.Tensor:
        if self.noise is None or self.warm_up is None:
            raise TrainerStateError("call setup(num_envs) before the agent acts and learns")
        if self.steps < self.cfg.random_timesteps:
            return self.randomly(self.warm_up.current())
        return self.explore(inputs, self.noise.current())

    @torch.no_grad()
    def record(self, transition: Transition) -> None:
        """Remember one timestep, with tensors ``[P * N, ...]``.

        Raises:
            ValueError: Privileged observations are missing.
        """
        if self.memory is None or self.noise is None or self.warm_up is None:
            raise TrainerStateError("call setup(num_envs) before the agent acts and learns")
        valid = None if transition.all_valid else transition.valid
        self._take_statistics(transition, valid)
        if self.pending is None:
            actions = self.from_env(transition.actions)
        else:
            actions = self.pending.flatten(0, 1)
        samples = self._sources(transition)
        samples += [actions, transition.rewards, transition.terminated, transition.truncated]
        self.memory.write(samples, valid)
        self.recorded(transition)
        if self.steps < self.cfg.random_timesteps:
            self.warm_up.advance()
        else:
            self.noise.advance()
        self.pending = None
        self.steps += 1

    def _sources(self, transition: Transition) -> list[torch.Tensor]:
        place = self.observations
        found = place.leaves_of(transition.observations)
        found += place.leaves_of(transition.next_observations)
        if self.critic_states is place:
            return found
        if transition.states is None or transition.next_states is None:
            raise ValueError("the agent has a state_space, but the transition has no states")
        found += self.critic_states.leaves_of(transition.states)
        return found + self.critic_states.leaves_of(transition.next_states)

    def _take_statistics(self, transition: Transition, valid: torch.Tensor | None) -> None:
        """Merge what was acted on into the running statistics."""
        weights = None if valid is None else valid.view(self.population, -1)
        for place, tree in self._scaled(transition.observations, transition.states):
            leaves = [
                leaf.reshape(self.population, -1, *leaf.shape[1:]) for leaf in place.leaves_of(tree)
            ]
            place.take_statistics(place.arrange(leaves), weights)

    def _scaled(self, observations: Any, states: Any) -> list[tuple[NetworkInput, Any]]:
        """List the inputs that have statistics, with their trees."""
        found = [(self.observations, observations)]
        if self.critic_states is not self.observations:
            found.append((self.critic_states, states))
        return [pair for pair in found if pair[0].scaler is not None]

    @property
    def ready_to_learn(self) -> bool:
        """Whether the memory holds enough, and an update is due."""
        if self.memory is None or self.memory.writes < self.cfg.learning_starts:
            return False
        return self.steps % self.cfg.update_interval == 0

    def cut(self) -> None:
        """Treat the last recorded timestep as truncated: its episodes will not go on."""
        self.pending = None
        if self.memory is not None:
            self.memory.cut()

    def update(self, *, timestep: int, timesteps: int) -> list[dict[str, float]]:
        """Learn from samples of the memory.

        Args:
            timestep: Timestep from 0.
            timesteps: Number of timesteps in all.

        Returns:
            Scalars of each member, by name.
        """
        if isinstance(self.memory, PrioritizedReplayMemory):
            first, over = (
                stack_field(self.cfgs, name, torch.float64, self.device)
                for name in ("importance_exponent", "importance_timesteps")
            )
            one = torch.ones_like(first)
            self.memory.importance = linear_schedule(first, one, over, self.steps)
        self.start_update(min(1.0, timestep / max(1, timesteps)))
        steps = [self._step() for _ in range(self.cfg.gradient_steps)]
        for member in range(self.population):
            self.updates[member] += 1
        return _means([step.scalars for step in steps])

    def _step(self) -> Learned:
        samples = self.draw()
        learned = self.learn(samples)
        if samples.leaves is not None:
            assert isinstance(self.memory, PrioritizedReplayMemory)
            errors = learned.errors
            errors = torch.where(errors.isfinite(), errors, 0.0)
            self.memory.update_priorities(samples.leaves, errors)
        return learned

    @torch.no_grad()
    def draw(self) -> Samples:
        """Draw the samples of the next optimiser step."""
        assert self.memory is not None
        place = self.memory.device
        batch = self.memory.pick(self.batches.take().to(place), self.discount.to(place))
        if self.memory.device != self.device:
            batch = {name: tensor.to(self.device) for name, tensor in batch.items()}
        observations, following = self._inputs(batch, self.observations, "observations")
        states, next_states = observations, following
        if self.critic_states is not self.observations:
            states, next_states = self._inputs(batch, self.critic_states, "states")
        weights = batch.get("weights")
        return Samples(
            observations=observations,
            next_observations=following,
            states=states,
            next_states=next_states,
            actions=batch["actions"],
            rewards=batch["rewards"],
            terminated=self._terminated(batch),
            discounts=self.discount.unsqueeze(1) ** batch["steps"],
            weights=None if weights is None else weights.to(self.dtype),
            leaves=batch.get("leaves"),
        )

    def _inputs(self, batch: Batch, place: NetworkInput, name: str) -> tuple[Any, Any]:
        def build(prefix: str) -> Any:
            leaves = [batch[f"{prefix}{name}.{i}"] for i in range(len(place.leaves))]
            return place.scale(place.arrange(leaves))

        return build(""), build("next_")

    def _terminated(self, batch: Batch) -> torch.Tensor:
        if self.cfg.time_limit_bootstrap:
            return batch["terminated"]
        return batch["terminated"] | batch["truncated"]

    def scheduled(self, first: torch.Tensor, share: float) -> torch.Tensor:
        """Return learning rates ``[P]`` at ``share`` of the training, by the schedule."""
        return first if self.cfg.learning_rate_scheduler == "constant" else first * (1 - share)

    def settings_changed(self, member: int, before: Any) -> None:
        """Lay the settings that can change side by side anew."""
        self.discount = stack_field(self.cfgs, "discount_factor", self.dtype, self.device)
        if isinstance(self.memory, PrioritizedReplayMemory):
            exponent = stack_field(self.cfgs, "priority_exponent", torch.float64, self.device)
            self.memory.exponent = exponent

    def member_state(self, member: int = 0) -> dict[str, Any]:
        """Return everything that training changes in a member but its generator, as copies."""
        return member_state(self, member)

    def left_out(self, member: int = 0) -> dict[str, Any]:
        """Return a member's memory, where checkpoints leave it out."""
        if self.memory is None or self.cfg.checkpoint_memory:
            return {}
        return {"memory": self.memory.state(member)}

    def load_member_state(self, state: Mapping[str, Any], member: int = 0) -> None:
        """Take over what :meth:`member_state` returned; nothing is changed if it does not fit.

        A memory of another number of instances is left out.

        Raises:
            CheckpointMismatch: It belongs to another architecture; every difference is listed.
        """
        load_member_state(self, state, member)

    def learned(self, member: int = 0) -> dict[str, Any]:
        """Return a member's weights, optimiser, statistics and settings."""
        return learned_state(self, member)

    def inherit(self, learned: Mapping[str, Any], member: int = 0) -> None:
        """Let a member go on with what :meth:`learned` returned, and with its own memory.

        Raises:
            CheckpointMismatch: It belongs to another architecture; every difference is listed.
        """
        inherit_state(self, learned, member)

    def can_inherit(self, learned: Mapping[str, Any]) -> bool:
        """Whether that works while the others of a stack go on: always."""
        return True

    def release(self) -> None:
        """Give the memory back, unless members share it."""
        if not isinstance(self.memory, SharedReplayPart):
            self.memory = self.noise = self.warm_up = self.pending = None

    def phase(self) -> Hashable:
        """Where in its rhythm the learner stands: steps, what is remembered, numbers left.

        A member with a part of a shared memory has a phase of its own.
        """
        if isinstance(self.memory, SharedReplayPart):
            return id(self)
        return self.phase_of(member_state(self, rows=False))

    @classmethod
    def phase_of(cls, state: Mapping[str, Any]) -> Hashable:
        """Tell the phase from what :meth:`member_state` returned."""
        return phase_of(state, cls.rhythm)


def _means(steps: Sequence[Mapping[str, torch.Tensor]]) -> list[dict[str, float]]:
    """Average scalars ``[P]`` over the optimiser steps that have them; one transfer for all."""
    names = list(dict.fromkeys(name for step in steps for name in step))
    columns = [
        torch.stack([s[name].detach().to(torch.float64) for s in steps if name in s]).mean(0)
        for name in names
    ]
    rows = torch.stack(columns, dim=1).tolist()
    return [dict(zip(names, row, strict=True)) for row in rows]
