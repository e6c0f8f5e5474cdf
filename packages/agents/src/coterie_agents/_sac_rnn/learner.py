"""Recurrent SAC for a stack of members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from coterie import ConfigError, Transition

from .._continuous.losses import soft_values
from .._memory.replay import ReplayMemory
from .._memory.sequences import SequenceReplayMemory
from .._memory.shared import SharedReplayPart
from .._offpolicy.samples import Samples
from .._recurrent.hidden import HiddenStates
from .._recurrent.inputs import check_built_in, check_vectors
from .._recurrent.sequences import Sequences, episode_starts, parted
from .._sac.learner import SACLearner
from .cfg import SACRNNCfg
from .networks import RecurrentNetworks, network_of


class SACRNNLearner(SACLearner):
    """``P`` SAC members whose actors and critics remember.

    Losses and optimiser steps are SAC's, on all steps of sequences behind their burn-in.

    Args:
        arguments: Those of :class:`~coterie_agents.Learner`.

    Attributes:
        hidden: What the actors remember.
    """

    kind: ClassVar[str] = "sac_rnn"

    cfg: SACRNNCfg
    networks: RecurrentNetworks

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        size = network_of(self.networks.actor).state_size
        self.hidden = HiddenStates(self.population, size, self.dtype, self.device)

    def make_networks(self) -> RecurrentNetworks:
        """Make the networks."""
        check_built_in(self.kind, self.own_models, getattr(self.cfg, "mixed_precision", "off"))
        check_vectors(self.kind, observations=self.observation_space, states=self.state_space)
        return RecurrentNetworks(
            self.observations,
            self.critic_states,
            outputs=self.actor_outputs(self.unit.size),
            action_size=self.unit.size,
            critics=self.critics,
            cfg=self.cfg.model,
            seeds=self.seeds,
            dtype=self.dtype,
            device=self.device,
        )

    @property
    def cnn(self) -> None:  # type: ignore[override]  # there are no images
        """How images are read: not at all."""
        return

    @property
    def samples_per_step(self) -> int:
        """Samples of each member that one optimiser step draws actions for."""
        return self.cfg.batch_size * self.cfg.sequence_length

    def _make_memory(self, num_envs: int) -> ReplayMemory:
        size = self.cfg.memory_size // num_envs, self.population, num_envs, self.device
        return SequenceReplayMemory(self.fields, *size, length=self.cfg.length)

    def share(self, part: SharedReplayPart) -> None:
        """Refuse a memory that members share.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"{self.kind!r} learns from sequences, which shared memories don't keep")

    def allocate(self, num_envs: int) -> None:
        """Get a memory for ``num_envs`` instances per member; keeps one that fits.

        Raises:
            ConfigError: The members can't learn from so many.
        """
        super().allocate(num_envs)
        self.hidden.allocate(num_envs)

    def see(self, observations: Any, *, evaluating: bool) -> Any:
        """Let the actors go on by one step; it counts once it is recorded.

        Args:
            observations: Tensors ``[P * N, ...]``.
            evaluating: Whether it is the evaluation that goes on.

        Returns:
            What the actors say, ``[P, N, outputs]``.
        """
        inputs = self.observations.from_step(observations)
        before = self.hidden.before(inputs.shape[1], evaluating=evaluating)
        outputs, after = network_of(self.networks.actor).step(inputs, before)
        self.hidden.acted(after, evaluating=evaluating)
        return outputs

    def best(self, inputs: Any) -> torch.Tensor:
        """Choose the squashed means of what the actors say, ``[P, N, action_size]``."""
        return self.head.mode(inputs)

    def explore(self, inputs: Any, noise: torch.Tensor) -> torch.Tensor:
        """Sample actions.

        Args:
            inputs: What the actors say, ``[P, N, outputs]``.
            noise: Normal numbers ``[P, N, action_size]``.
        """
        return self.head.sample(inputs, noise.to(self.dtype))

    @torch.no_grad()
    def record(self, transition: Transition) -> None:
        """Remember one timestep, with tensors ``[P * N, ...]``.

        Raises:
            ValueError: Privileged observations are missing.
        """
        if self.hidden.pending is None:
            self.see(transition.observations, evaluating=False)
        super().record(transition)

    def recorded(self, transition: Transition) -> None:
        """Let what is remembered go on, or forget it where an episode ended."""
        self.hidden.recorded(transition.starts)

    def cut(self) -> None:
        """Treat the last recorded timestep as truncated, and forget all episodes."""
        super().cut()
        self.hidden.cut()

    def episodes_ended(self, ended: torch.Tensor) -> None:
        """Forget episodes that ended in the evaluation."""
        self.hidden.episodes_ended(ended)

    def train(self, enabled: bool) -> None:
        """Switch between training and evaluation, which starts with nothing remembered."""
        super().train(enabled)
        self.hidden.start_evaluation()

    @torch.no_grad()
    def draw(self) -> Samples:
        """Draw the sequences of the next optimiser step.

        Returns:
            Samples whose observations and states are :class:`Sequences`; everything else is
            ``[P, B * L, ...]``, without the burn-in.
        """
        assert self.memory is not None
        drawn = self.memory.pick(self.batches.take().to(self.memory.device))
        batch = {name: tensor.to(self.device) for name, tensor in drawn.items()}
        ended = self._by_sequence(batch["terminated"] | batch["truncated"])
        starts = episode_starts(ended)
        observations, following = self._sequences(batch, "observations", starts)
        states, next_states = observations, following
        if self.critic_states is not self.observations:
            states, next_states = self._sequences(batch, "states", starts)
        return Samples(
            observations=observations,
            next_observations=following,
            states=states,
            next_states=next_states,
            actions=self._late(batch["actions"]),
            rewards=self._late(batch["rewards"]),
            terminated=self._late(self._terminated(batch)),
            discounts=self.discount.unsqueeze(1) ** self._late(batch["steps"]),
            weights=None,
            leaves=None,
        )

    def _sequences(
        self, batch: Mapping[str, torch.Tensor], name: str, starts: torch.Tensor
    ) -> tuple[Sequences, torch.Tensor]:
        """Build inputs: sequences, and what the steps behind the burn-in ended in."""
        place = self.observations if name == "observations" else self.critic_states
        features, following = self._inputs(dict(batch), place, name)
        found = Sequences(self._by_sequence(features), None, starts, self.cfg.burn_in)
        return found, self._late(following)

    def _by_sequence(self, tensor: torch.Tensor) -> torch.Tensor:
        return parted(tensor, 1, (-1, self.cfg.length))

    def _late(self, tensor: torch.Tensor) -> torch.Tensor:
        """Leave the burn-in out: from ``[P, B * length, ...]`` to ``[P, B * L, ...]``."""
        return self._by_sequence(tensor)[:, :, self.cfg.burn_in :].flatten(1, 2)

    def next_values(self, samples: Samples, noise: torch.Tensor | None) -> torch.Tensor:
        """Value the policy's actions softly, by the smaller of the target critics, ``[P, B * L]``.

        Every network goes on by one step, from what it remembers of a step's episode to the
        observation that the step truly ended in, whether the episode goes on or not.
        """
        assert noise is not None
        actor = network_of(self.networks.actor)
        states = actor.encode(samples.observations)[1].flatten(1, 2)
        outputs, _ = actor.step(samples.next_observations, states)
        actions, log_prob = self.head.sample_with_log_prob(outputs, noise[:, 0])
        critics = self.networks.target_critics
        values = critics.next_values(samples.states, samples.next_states, actions)
        return soft_values(values, log_prob, self.temperature)

    def release(self) -> None:
        """Give the memory back, with what the actors remember."""
        super().release()
        if self.memory is None:
            self.hidden.release()

    def own_state(self, member: int) -> dict[str, Any]:
        """Return a member's weights, moments, temperature and what it remembers, as copies."""
        return super().own_state(member) | {"hidden": self.hidden.state(member)}

    def load_own_state(self, state: Mapping[str, Any], member: int) -> None:
        """Take over what :meth:`own_state` returned.

        States of another number of instances start anew.
        """
        super().load_own_state(state, member)
        self.hidden.load(state["hidden"], member)
