"""Recurrent actor and critics of a stack of members."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, cast

import torch

from .._continuous.networks import ContinuousNetworks
from .._models.flat import FlatParameters
from .._models.initialise import POLICY_GAIN, VALUE_GAIN, init_generator
from .._models.inputs import NetworkInput
from .._recurrent.cfg import RecurrentModelCfg
from .._recurrent.network import StackedRecurrent
from .._recurrent.sequences import Sequences


def flat(network: StackedRecurrent, population: int) -> FlatParameters:
    """Move a recurrent network's parameters into one matrix, a row per member."""
    # It is of another class than those written there, but all of its parameters are its own too.
    return FlatParameters(cast(Any, network), population)


def network_of(parameters: FlatParameters) -> StackedRecurrent:
    """Return the recurrent network whose parameters these are."""
    return cast(StackedRecurrent, parameters.network)


class RecurrentCritics:
    """``K`` recurrent critics for each of ``P`` members: Q of what was observed, and an action.

    The recurrent layers see observations; the action joins what they give. So other actions than
    those that were done can be valued at every step of a sequence.

    Args:
        features: Numbers in one observation.
        action_size: Numbers in one action.
        cfg: Sizes.
        seeds: Seed of each member.
        count: Critics per member, K.
        dtype: Type of the weights.
        device: Where they live.

    Attributes:
        flat: The parameters of all of them.
    """

    def __init__(
        self,
        features: int,
        action_size: int,
        cfg: RecurrentModelCfg,
        seeds: Sequence[int],
        count: int,
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.population, self.count = len(seeds), count
        generators = [init_generator(s, f"critic_{k}") for s in seeds for k in range(count)]
        own = (features, 1, cfg, generators, VALUE_GAIN)
        made = StackedRecurrent(*own, extra=action_size, dtype=dtype, device=device)
        self.flat = flat(made, len(seeds))

    @property
    def network(self) -> StackedRecurrent:
        """All critics, ``P * K`` of them."""
        return network_of(self.flat)

    def values(self, sequences: Sequences, actions: torch.Tensor) -> torch.Tensor:
        """Value an action at every step of sequences.

        Args:
            sequences: Observations ``[P, B, L, features]``.
            actions: ``[P, B * L, action_size]``, without those of the burn-in.

        Returns:
            ``[P, K, B * L]``.
        """
        seen, _ = self.network.encode(sequences.spread(self.count))
        return self._valued(seen.flatten(1, 2), actions)

    def next_values(
        self, sequences: Sequences, following: torch.Tensor, actions: torch.Tensor
    ) -> torch.Tensor:
        """Value an action in what every step of sequences ended in.

        Args:
            sequences: Observations ``[P, B, L, features]``.
            following: What their steps ended in, ``[P, B * L, features]``.
            actions: ``[P, B * L, action_size]``.

        Returns:
            ``[P, K, B * L]``.
        """
        states = self.network.encode(sequences.spread(self.count))[1].flatten(1, 2)
        inputs = following.repeat_interleave(self.count, 0)
        seen, _ = self.network.encode(Sequences.one_step(inputs, states))
        return self._valued(seen.squeeze(2), actions)

    def _valued(self, seen: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        joined = torch.cat([seen, actions.repeat_interleave(self.count, 0)], -1)
        return self.network.decode(joined).view(self.population, self.count, -1)

    def copy(self) -> RecurrentCritics:
        """Return critics with the same numbers, which nobody wants gradients of."""
        copied = copy.copy(self)
        copied.flat = self.flat.copy()
        return copied


class RecurrentNetworks(ContinuousNetworks):
    """A recurrent actor, recurrent critics and slowly following copies of them.

    Args:
        actor_input: What the actor takes in.
        critic_input: What the critics take in beside the action; may be the same object.
        outputs: Outputs of the actor.
        action_size: Numbers in one action.
        critics: Critics per member, K.
        cfg: Sizes.
        seeds: Seed of each member.
        dtype: Type of the weights.
        device: Where they live.
    """

    critics: RecurrentCritics  # type: ignore[assignment]  # valued in the same way
    target_critics: RecurrentCritics  # type: ignore[assignment]

    def __init__(
        self,
        actor_input: NetworkInput,
        critic_input: NetworkInput,
        *,
        outputs: int,
        action_size: int,
        critics: int,
        cfg: RecurrentModelCfg,
        seeds: Sequence[int],
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.actor_input, self.critic_input = actor_input, critic_input
        generators = [init_generator(seed, "actor") for seed in seeds]
        own = (actor_input.features, outputs, cfg, generators, POLICY_GAIN)
        place: Any = {"dtype": dtype, "device": device}
        self.actor = flat(StackedRecurrent(*own, **place), len(seeds))
        self.critics = RecurrentCritics(
            critic_input.features, action_size, cfg, seeds, critics, **place
        )
        self.target_actor = self.actor
        self.target_critics = self.critics.copy()
