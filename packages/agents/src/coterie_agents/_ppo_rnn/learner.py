"""Recurrent PPO for members of one architecture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import torch
from gymnasium import spaces

from coterie import CheckpointMismatch, ConfigError, Transition

from .._heads.build import build_head
from .._models.inputs import NetworkInput
from .._ppo.learner import PPOLearner
from .._ppo.prepare import Prepared
from .._ppo.rollout import Samples
from .._recurrent.hidden import HiddenStates, replaced
from .._recurrent.inputs import check_built_in, check_vectors
from .batches import sequence_batches
from .cfg import PPORNNCfg
from .networks import RecurrentActorCritic
from .prepare import prepare


class PPORNNLearner(PPOLearner):
    """``P`` PPO members whose policies and value networks remember.

    It acts and remembers rollouts as PPO does, and learns from sequences: losses, advantages and
    optimiser steps are PPO's. The value network is not asked while it acts: it goes through
    the whole rollout before each update, from what it remembered at its start.

    The arguments are those of :class:`~coterie_agents.Learner`.

    Raises:
        ConfigError: A space can't be used, or there are modules of the user.
        ValueError: Settings differ that may not.

    Attributes:
        hidden: What the policies remember.
    """

    kind: ClassVar[str] = "PPO-RNN"
    model_names: ClassVar[tuple[str, ...]] = ()

    cfg: PPORNNCfg
    cfgs: tuple[PPORNNCfg, ...]
    networks: RecurrentActorCritic

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        size = self.networks.policy.state_size
        self.hidden = HiddenStates(self.population, size, self.dtype, self.device)
        self._first: torch.Tensor | None = None  # the policy's state at the rollout's start
        self._value_first: torch.Tensor | None = None
        self._value_next: torch.Tensor | None = None

    def _build(self) -> RecurrentActorCritic:
        check_built_in(self.kind, self.own_models, getattr(self.cfg, "mixed_precision", "off"))
        check_vectors(self.kind, observations=self.observation_space, states=self.state_space)

        def place(space: spaces.Space[Any]) -> NetworkInput:
            return NetworkInput(
                space,
                self.population,
                flat=True,
                normalize=self.cfg.observation_normalization,
                dtype=self.dtype,
                device=self.device,
            )

        policy_input = place(self.observation_space)
        value_input = policy_input if self.state_space is None else place(self.state_space)
        head = build_head(self.action_space, self.device)
        own = self.cfg.model, self.seeds, self.dtype, self.device
        return RecurrentActorCritic(head, policy_input, value_input, *own)

    def allocate(self, num_envs: int) -> None:
        """Get a memory for ``num_envs`` instances per member; keeps one that fits.

        Raises:
            ConfigError: A rollout has fewer sequences than mini-batches.
        """
        super().allocate(num_envs)
        self.hidden.allocate(num_envs)
        if self._value_first is None or self._value_first.shape[1] != num_envs:
            self._first = self._value_first = self.hidden.nothing(num_envs)

    def see(self, observations: Any, *, evaluating: bool) -> Any:
        """Let the policies go on by one step; it counts once it is recorded.

        Args:
            observations: Tensors ``[P * N, ...]``.
            evaluating: Whether it is the evaluation that goes on.

        Returns:
            What the policies say, ``[P, N, head.size]``.
        """
        inputs = self.networks.policy_input.from_step(observations)
        before = self.hidden.before(inputs.shape[1], evaluating=evaluating)
        outputs, after = self.networks.policy.step(inputs, before)
        self.hidden.acted(after, evaluating=evaluating)
        return outputs

    @torch.no_grad()
    def record(self, transition: Transition) -> None:
        """Remember one timestep.

        Args:
            transition: The step, with tensors ``[P * N, ...]``.

        Raises:
            ValueError: Privileged observations are missing.
        """
        memory = self.ready_memory()
        if self.hidden.pending is None:
            self.see(transition.observations, evaluating=False)
        super().record(transition)
        if memory.position == 1:
            self._first = self.hidden.now
        self.hidden.recorded(transition.starts)

    def cut(self) -> None:
        """Treat the last recorded timestep as truncated, and forget all episodes."""
        super().cut()
        self.hidden.cut()
        if self._value_first is not None and (self.memory is None or not self.memory.position):
            self._value_first = torch.zeros_like(self._value_first)

    def episodes_ended(self, ended: torch.Tensor) -> None:
        """Forget episodes that ended in the evaluation."""
        self.hidden.episodes_ended(ended)

    def train(self, enabled: bool) -> None:
        """Switch between training and evaluation, which starts with nothing remembered."""
        super().train(enabled)
        self.hidden.start_evaluation()

    def update(self, *, timestep: int, timesteps: int) -> list[dict[str, float]]:
        """Learn from the rollout and start a new one.

        Args:
            timestep: Timestep from 0.
            timesteps: Number of timesteps in all.

        Returns:
            Scalars of each member, by name.
        """
        scalars = super().update(timestep=timestep, timesteps=timesteps)
        self._value_first = self._value_next
        return scalars

    def prepare(self) -> Prepared:
        """Compute what an update needs from the full memory."""
        assert self._first is not None
        assert self._value_first is not None
        prepared, self._value_next = prepare(self, self._first, self._value_first)
        return prepared

    def batches(self, samples: Samples) -> Iterable[Samples]:
        """Cut one epoch's sequences into mini-batches, in an order of each member's own."""
        return sequence_batches(samples, self.cfg.mini_batches, self.generators)

    def release(self) -> None:
        """Give the memory back, and what was remembered."""
        super().release()
        self.hidden.release()
        self._first = self._value_first = self._value_next = None

    def member_state(self, member: int = 0) -> dict[str, Any]:
        """Return a member's weights, optimiser, settings, rollout and what it remembers."""
        kept = {"first": self._first, "value_first": self._value_first}
        hidden = self.hidden.state(member)
        if hidden is not None:
            hidden |= {name: None if t is None else t[member].clone() for name, t in kept.items()}
        return {**super().member_state(member), "hidden": hidden}

    def learned(self, member: int = 0) -> dict[str, Any]:
        """Return what another member can go on with; it begins to remember anew."""
        state = super().learned(member)
        if state["hidden"] is not None:
            state["hidden"] |= {"now": torch.zeros_like(state["hidden"]["now"]), "pending": None}
        return state

    def load_member_state(self, state: Mapping[str, Any], member: int = 0) -> None:
        """Take over what :meth:`member_state` returned.

        What is remembered is taken over together with the unfinished rollout, where that fits;
        otherwise the member remembers nothing.

        Raises:
            CheckpointMismatch: It belongs to another architecture; every difference is listed.
        """
        if "hidden" not in state:
            raise CheckpointMismatch(
                f"this state belongs to another {self.kind} agent: hidden is missing"
            )
        own = {key: value for key, value in state.items() if key != "hidden"}
        super().load_member_state(own, member)
        rollout, hidden = state["rollout"], state["hidden"]
        if rollout is None or int(rollout["length"]) != self.cfg.rollouts:
            hidden = None
        self.hidden.load(hidden, member)
        if self._first is None or self._value_first is None:
            return
        fits = hidden is not None and hidden["first"].shape == self._first.shape[1:]
        self._first = replaced(self._first, member, hidden["first"] if hidden and fits else None)
        value = hidden["value_first"] if hidden and fits else None
        self._value_first = replaced(self._value_first, member, value)

    @classmethod
    def check_scope(cls, cfg: PPORNNCfg, num_envs: int) -> None:  # type: ignore[override]
        """Check that a rollout of ``num_envs`` instances can be cut into the mini-batches.

        Raises:
            ConfigError: It has fewer sequences than there are mini-batches.
        """
        sequences = cfg.rollouts // cfg.length * num_envs
        if sequences < cfg.mini_batches:
            raise ConfigError(
                f"a rollout of {cfg.rollouts} timesteps in {num_envs} instances has {sequences} "
                f"sequences of {cfg.length}, which can't be cut into {cfg.mini_batches} "
                "mini-batches: lower mini_batches or sequence_length, or raise rollouts"
            )
