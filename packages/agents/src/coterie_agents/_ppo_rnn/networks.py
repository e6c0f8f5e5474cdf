"""Recurrent policy and value network of a stack of members."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from .._heads.interface import Head
from .._models.actor_critic import ActorCritic
from .._models.initialise import POLICY_GAIN, VALUE_GAIN, init_generator
from .._models.inputs import NetworkInput
from .._recurrent.network import StackedRecurrent
from .cfg import PPORNNModelCfg


class RecurrentActorCritic(ActorCritic):
    """A policy and a value network that remember, each for itself.

    What is learned from are :class:`Sequences`; log-probabilities, entropies and values of them
    are ``[P, B * L]``.

    Args:
        head: Distribution of the actions.
        policy_input: Inputs of the policy.
        value_input: Inputs of the value network.
        cfg: Sizes.
        seeds: Seed of each member, which its weights are drawn from.
        dtype: Type of the weights.
        device: Where they live.
    """

    policy: StackedRecurrent
    value: StackedRecurrent

    def __init__(
        self,
        head: Head,
        policy_input: NetworkInput,
        value_input: NetworkInput,
        cfg: PPORNNModelCfg,
        seeds: Sequence[int],
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        def network(name: str, place: NetworkInput, outputs: int, gain: float) -> StackedRecurrent:
            generators = [init_generator(seed, name) for seed in seeds]
            own = (place.features, outputs, cfg, generators, gain)
            return StackedRecurrent(*own, dtype=dtype, device=device)

        log_std = None
        if head.learns_log_std:
            first = torch.full((len(seeds), head.size), cfg.initial_log_std)
            log_std = nn.Parameter(first.to(dtype=dtype, device=device))
        policy = network("policy", policy_input, head.size, POLICY_GAIN)
        value = network("value", value_input, 1, VALUE_GAIN)
        super().__init__(head, policy, value, policy_input, value_input, log_std)

    def sample(self, inputs: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
        """Choose actions ``[P, B, head.action_size]``; without noise the most probable ones.

        Args:
            inputs: What the policy said, ``[P, B, head.size]``: it went on by its step already.
            noise: Random numbers of the head.
        """
        if noise is None:
            return self.head.mode(inputs)
        return self.head.sample(inputs, self.log_std, noise)
