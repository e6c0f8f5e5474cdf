"""PPO for members of one architecture: the class behind one agent and many."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from gymnasium import spaces
from torch import nn

from coterie import ConfigError, FunctionalEnv, TrainerStateError, Transition

from .._heads.build import build_head
from .._learning.interface import Learner
from .._memory.rollout import Fields, RolloutMemory
from .._models.actor_critic import ActorCritic, build_from_user, build_stacked
from .._models.inputs import NetworkInput
from .._models.workspace import Workspace
from .._optim.adam import PopulationAdam
from .._optim.flat import FlatOptimizer
from .._precision.autocast import make_precision
from .._precision.scaler import LossScaler
from .._preprocessors.scaler import RunningStandardScaler
from .cfg import PER_MEMBER, PPOCfg
from .compiled import CompiledGradients
from .hyper import Hyper, stack_settings
from .losses import Losses, known_losses, ppo_losses, ppo_slopes
from .prepare import Prepared, prepare
from .rolling import PPORollout
from .rollout import Samples, mini_batches
from .state import learned_state, load_member_state, member_state, rollout_phase
from .update import Step, epochs, update_members


class PPOLearner(Learner):
    """``P`` PPO members with stacked networks, one optimiser and one memory.

    The arguments are those of :class:`~coterie_agents.Learner`; with a ``state_space`` the value
    network sees the privileged observations. Models are a ``policy`` and a ``value`` module.

    Raises:
        ConfigError: A space or a module can't be used.
        ValueError: Settings differ that may not.
    """

    kind: ClassVar[str] = "PPO"
    per_member: ClassVar[tuple[str, ...]] = PER_MEMBER
    model_names: ClassVar[tuple[str, ...]] = ("policy", "value")
    diagnostics: ClassVar[tuple[str, ...]] = ("kl", "clip_fraction")
    """Parts of the losses that the scalars tell besides the terms that are minimised."""

    cfg: PPOCfg
    cfgs: tuple[PPOCfg, ...]

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.memory: RolloutMemory | None = None
        self.all_valid = True
        self.workspace = Workspace()
        self.precision = make_precision(self.cfg.mixed_precision, self.dtype, self.device)
        self.scaler = LossScaler(self.population, self.precision, self.device)
        self.networks = self._build()
        self.hyper = self.stack_settings()
        rates = torch.tensor([cfg.learning_rate for cfg in self.cfgs], dtype=torch.float64)
        self.optimizer = self.make_optimizer(rates)
        self.value_scaler: RunningStandardScaler | None = None
        if self.cfg.value_normalization:
            self.value_scaler = RunningStandardScaler(
                self.population, (), dtype=self.dtype, device=self.device, clip=None
            )
        self.noise: torch.Tensor | None = None
        self.undrawn: set[int] = set()
        self.pending: torch.Tensor | None = None
        self.compiled = self._make_compiled()
        self.compile_seconds = 0.0

    def _build(self) -> ActorCritic:
        models = self.own_models

        def place(space: spaces.Space[Any]) -> NetworkInput:
            return NetworkInput(
                space,
                self.population,
                flat=models is None,
                normalize=self.cfg.observation_normalization,
                dtype=self.dtype,
                device=self.device,
                cnn=None if models is not None else self.cfg.model.cnn,
            )

        head = build_head(self.action_space, self.device)
        policy_input = place(self.observation_space)
        value_input = policy_input if self.state_space is None else place(self.state_space)
        both, model = (policy_input, value_input), self.cfg.model
        if models is not None:
            return build_from_user(head, *both, model, models, self.device, self.precision)
        return build_stacked(
            head, *both, model, self.seeds, self.dtype, self.device, self.precision
        )

    def _make_compiled(self) -> CompiledGradients | None:
        if not getattr(self.cfg, "compile_update", False):
            return None
        if not getattr(self.networks, "backward_by_hand", False):
            raise ConfigError(
                "compile_update = true needs built-in perceptrons with tanh, relu or elu in full "
                "precision: leave compile_update out"
            )
        return CompiledGradients()

    def stack_settings(self) -> Hyper:
        """Lay the settings that may differ side by side, ``[P]`` each."""
        return stack_settings(self.cfgs, self.dtype, self.device)

    def make_optimizer(self, rates: torch.Tensor) -> FlatOptimizer:
        """Make the optimiser of all parameters.

        Args:
            rates: Learning rates, float64 ``[P]``.
        """
        parameters, epsilon = self.networks.parameters, self.cfg.adam_epsilon
        return PopulationAdam(parameters, self.population, rates, epsilon=epsilon)

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The policy and the value network, and what they see with if they share it."""
        if self.own_models is not None and self.population == 1:
            return dict(self.own_models[0])
        return self.networks.parts

    def allocate(self, num_envs: int) -> None:
        """Get a memory for ``num_envs`` instances per member; keeps one that fits.

        Raises:
            ConfigError: A rollout has fewer samples than mini-batches.
        """
        if self.memory is not None and self.memory.num_envs == num_envs:
            return
        self.check_scope(self.cfg, num_envs)
        fields = self._fields()
        size = self.cfg.rollouts, self.population, num_envs
        self.memory = RolloutMemory(fields, *size, self.device)
        self.noise, self.pending, self.all_valid = None, None, True

    def _fields(self) -> Fields:
        networks = self.networks
        fields: dict[str, tuple[tuple[int, ...], torch.dtype]] = {}
        groups = [("observations", networks.policy_input), ("next", networks.value_input)]
        if networks.value_input is not networks.policy_input:
            groups.append(("states", networks.value_input))
        for name, place in groups:
            for i, leaf in enumerate(place.leaves):
                fields[f"{name}.{i}"] = (leaf.shape, leaf.dtype)
        head = networks.head
        float_actions = head.action_dtype.is_floating_point
        fields["actions"] = (
            (head.action_size,),
            self.dtype if float_actions else head.action_dtype,
        )
        fields["rewards"] = ((), self.dtype)
        return fields | dict.fromkeys(("terminated", "truncated", "valid"), ((), torch.bool))

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
        """Choose actions.

        The noise belongs to the row of the memory that is written next: asking twice for the
        actions of one timestep gives the same ones.

        Args:
            observations: Tensors ``[P * N, ...]``.
            states: Not used: the policy sees observations only.
            timestep: Not used.
            timesteps: Not used.
            deterministic: Whether to take the most probable actions.
            generators: Draw fresh noise from these and remember nothing: for evaluation.

        Returns:
            Actions of the space, ``[P * N, ...]``.
        """
        networks = self.networks
        inputs = self.see(observations, evaluating=generators is not None)
        if deterministic:
            noise = None
        elif generators is not None:
            noise = self._draw((self._instances(observations),), generators)
        else:
            noise = self._next_noise()
        actions = networks.sample(inputs, noise)
        if generators is None:
            self.pending = actions
        return networks.head.to_env(actions.flatten(0, 1))

    def see(self, observations: Any, *, evaluating: bool) -> Any:
        """Turn one step's observations into what the networks' ``sample`` takes in.

        Args:
            observations: Tensors ``[P * N, ...]``.
            evaluating: Whether nothing of it may be remembered for training.
        """
        return self.networks.policy_input.from_step(observations)

    def _instances(self, observations: Any) -> int:
        first = self.networks.policy_input.leaves_of(observations)[0]
        return first.shape[0] // self.population

    def _next_noise(self) -> torch.Tensor:
        return self.noise_of_rollout()[self.ready_memory().position]

    def noise_of_rollout(self) -> torch.Tensor:
        """Return the noise of every timestep of the rollout, ``[T, P, N, ...]``; draw it first."""
        memory = self.ready_memory()
        shape = (memory.length, memory.num_envs)
        if self.noise is None:
            self.noise = self._draw(shape, self.generators)
            self.undrawn.clear()
        for member in sorted(self.undrawn):  # some may draw from one generator
            self.noise[:, member] = self._draw(shape, [self.generators[member]])[:, 0]
        self.undrawn.clear()
        return self.noise

    def set_noise(self, noise: torch.Tensor | None, member: int) -> None:
        """Give a member the noise ``[T, N, ...]`` of its rollout; ``None``: to be drawn."""
        if noise is None:
            self.undrawn.add(member)  # of no meaning while nobody's is drawn
            if self.population == 1:
                self.noise = None
            return
        if self.noise is None:
            shape = (noise.shape[0], self.population, *noise.shape[1:])
            self.noise = torch.zeros(shape, dtype=self.dtype, device=self.device)
            self.undrawn = set(range(self.population))
        self.noise[:, member] = noise.to(self.device)
        self.undrawn.discard(member)

    def _draw(self, shape: tuple[int, ...], generators: Sequence[torch.Generator]) -> torch.Tensor:
        """Draw noise of ``shape`` for each member; members are the second to last but one."""
        drawn = [self.networks.head.noise(shape, generator) for generator in generators]
        return torch.stack(drawn, dim=len(shape) - 1).to(self.dtype)

    def ready_memory(self) -> RolloutMemory:
        """Return the memory, which has room.

        Raises:
            TrainerStateError: It is full, or there is none.
        """
        if self.memory is None:
            raise TrainerStateError("call setup(num_envs) before the agent acts and learns")
        if self.memory.full:
            raise TrainerStateError("the rollout is full: call post_interaction, which learns")
        return self.memory

    @torch.no_grad()
    def record(self, transition: Transition) -> None:
        """Remember one timestep.

        Args:
            transition: The step, with tensors ``[P * N, ...]``.

        Raises:
            ValueError: Privileged observations are missing.
        """
        memory, networks = self.ready_memory(), self.networks
        samples = networks.policy_input.leaves_of(transition.observations)
        if networks.value_input is networks.policy_input:
            samples += networks.policy_input.leaves_of(transition.next_observations)
        elif transition.states is None or transition.next_states is None:
            raise ValueError("the agent has a state_space, but the transition has no states")
        else:
            samples += networks.value_input.leaves_of(transition.next_states)
            samples += networks.value_input.leaves_of(transition.states)
        if self.pending is None:
            samples.append(networks.head.from_env(transition.actions))
        else:
            samples.append(self.pending.flatten(0, 1))
        samples += [transition.rewards, transition.terminated, transition.truncated]
        samples.append(transition.valid)
        memory.write(samples)
        self.pending = None
        self.all_valid = self.all_valid and transition.all_valid

    def rollout(self, env: FunctionalEnv, unit: int) -> PPORollout:
        """Get ready to act, step the environment and record several times in one call.

        Raises:
            ConfigError: Not with these networks.
        """
        return PPORollout(self, env, unit)

    @property
    def ready_to_learn(self) -> bool:
        """Whether a whole rollout was recorded."""
        return self.memory is not None and self.memory.full

    def cut(self) -> None:
        """Treat the last recorded timestep as truncated."""
        self.pending = None
        if self.memory is not None and self.memory.position:
            self.memory.tensors["truncated"][self.memory.position - 1] = True

    def update(self, *, timestep: int, timesteps: int) -> list[dict[str, float]]:
        """Learn from the rollout and start a new one.

        Args:
            timestep: Timestep from 0.
            timesteps: Number of timesteps in all.

        Returns:
            Scalars of each member, by name.
        """
        scalars = update_members(self, timestep=timestep, timesteps=timesteps)
        seconds, self.compile_seconds = self.compile_seconds, 0.0
        if self.compiled is not None:
            seconds += self.compiled.take_seconds()
        if seconds:
            for own in scalars:
                own["compile_seconds"] = seconds
        assert self.memory is not None
        self.memory.clear()
        self.noise, self.all_valid = None, True
        self.updates = [count + 1 for count in self.updates]
        return scalars

    def prepare(self) -> Prepared:
        """Compute what an update needs from the full memory."""
        assert self.memory is not None
        return prepare(
            self.memory,
            self.networks,
            self.hyper,
            self.value_scaler,
            all_valid=self.all_valid,
            normalize_advantages=self.cfg.normalize_advantages,
            time_limit_bootstrap=self.cfg.time_limit_bootstrap,
            alive=self.alive,
        )

    def descend(self, samples: Samples) -> list[Step]:
        """Do every optimiser step of one update.

        Args:
            samples: What is learned from, ``[P, B, ...]``.

        Returns:
            Losses and norms of the gradients of each step, ``[P]`` each.
        """
        return epochs(self, samples)

    def batches(self, samples: Samples) -> Iterable[Samples]:
        """Cut one epoch's samples into mini-batches, in an order of each member's own."""
        return mini_batches(samples, self.cfg.mini_batches, self.generators)

    def losses(
        self,
        batch: Samples,
        log_prob: torch.Tensor,
        entropy: torch.Tensor,
        values: torch.Tensor,
    ) -> Losses:
        """Compute the losses of a mini-batch.

        Args:
            batch: Samples ``[P, b, ...]``.
            log_prob: Log-probabilities of its actions now, ``[P, b]``.
            entropy: Entropies of the policy now, ``[P, b]``.
            values: What the value network gives now, ``[P, b]``.
        """
        known = known_losses(self.hyper, batch)
        return ppo_losses(log_prob=log_prob, entropy=entropy, values=values, **known)

    def slopes(
        self, batch: Samples, log_prob: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Differentiate the total of :meth:`losses`.

        Returns:
            Gradients of log-probabilities, values and entropies, ``[P, b]`` each.
        """
        return ppo_slopes(log_prob=log_prob, values=values, **known_losses(self.hyper, batch))

    def settings_changed(self, member: int, before: PPOCfg) -> None:
        """Lay the settings side by side again; a new learning rate counts from now on."""
        self.hyper = self.stack_settings()
        if self.cfgs[member].learning_rate != before.learning_rate:
            self.optimizer.learning_rate[member] = self.cfgs[member].learning_rate

    def example_inputs(self) -> dict[str, Any]:
        """Return two observations for each of a user's modules."""
        networks = self.networks
        return {
            "policy": networks.policy_input.example(self.device),
            "value": networks.value_input.example(self.device),
        }

    def release(self) -> None:
        """Give the memory back, with the noise that belongs to its rows."""
        self.memory, self.noise, self.pending, self.all_valid = None, None, None, True
        self.workspace = Workspace()

    def member_state(self, member: int = 0) -> dict[str, Any]:
        """Return a member's weights, optimiser, statistics, settings and unfinished rollout."""
        return member_state(self, member)

    def load_member_state(self, state: Mapping[str, Any], member: int = 0) -> None:
        """Take over what :meth:`member_state` returned.

        An unfinished rollout is taken over where its length and its number of instances are
        those of the learner (or the learner has no memory yet); otherwise a new one starts.

        Raises:
            CheckpointMismatch: It belongs to another architecture; every difference is listed.
        """
        load_member_state(self, state, member)

    def learned(self, member: int = 0) -> dict[str, Any]:
        """Return a member's weights, optimiser, statistics, settings and unfinished rollout."""
        return learned_state(self.member_state(member))

    def phase(self) -> Hashable:
        """How far the rollout is, and of what size; 0: at its start."""
        memory = self.memory
        if memory is None or not memory.position:
            return 0
        return memory.length, memory.num_envs, memory.position

    @classmethod
    def phase_of(cls, state: Mapping[str, Any]) -> Hashable:
        """Tell the phase from what :meth:`member_state` returned."""
        return rollout_phase(state)

    @classmethod
    def check_scope(cls, cfg: PPOCfg, num_envs: int) -> None:
        """Check that a rollout of ``num_envs`` instances can be cut into the mini-batches.

        Raises:
            ConfigError: It has fewer samples than there are mini-batches.
        """
        if cfg.rollouts * num_envs < cfg.mini_batches:
            raise ConfigError(
                f"a rollout of {cfg.rollouts} timesteps in {num_envs} instances can't be cut "
                f"into {cfg.mini_batches} mini-batches: lower mini_batches or raise rollouts"
            )
