"""Actor, critics and the slowly following copies of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from .._models.build import build_network
from .._models.critics import StackedCritics
from .._models.flat import FlatParameters
from .._models.initialise import POLICY_GAIN, init_generator
from .._models.inputs import NetworkInput
from .._precision.autocast import FULL, Precision
from .cfg import ContinuousModelCfg


class ContinuousNetworks:
    """The built-in networks of a stack of members, each member's drawn from its own seed.

    Args:
        actor_input: What the actor takes in.
        critic_input: What the critics take in beside the action; may be the same object.
        outputs: Outputs of the actor.
        action_size: Numbers in one action.
        critics: Critics per member, K.
        target_actor: Whether the actor has a target network too.
        cfg: Sizes.
        seeds: Seed of each member.
        dtype: Type of the weights.
        device: Where they live.
        precision: How the networks are run.

    Attributes:
        actor: Maps observations ``[P, B, features]`` to ``[P, B, outputs]``.
        critics: Value observations and actions.
        target_actor: Follows the actor, or is the actor where there is no target.
        target_critics: Follow the critics.
    """

    def __init__(
        self,
        actor_input: NetworkInput,
        critic_input: NetworkInput,
        *,
        outputs: int,
        action_size: int,
        critics: int,
        target_actor: bool,
        cfg: ContinuousModelCfg,
        seeds: Sequence[int],
        dtype: torch.dtype,
        device: torch.device,
        precision: Precision = FULL,
    ) -> None:
        self.actor_input, self.critic_input = actor_input, critic_input
        self.actor = FlatParameters(
            build_network(
                actor_input,
                (*cfg.hidden_sizes, outputs),
                cfg.activation,
                [init_generator(seed, "actor") for seed in seeds],
                POLICY_GAIN,
                dtype=dtype,
                device=device,
            ),
            len(seeds),
            precision,
        )
        hidden = cfg.hidden_sizes if cfg.critic_hidden_sizes is None else cfg.critic_hidden_sizes
        self.critics = StackedCritics(
            critic_input.features,
            action_size,
            hidden,
            cfg.activation,
            seeds,
            critics,
            dtype=dtype,
            device=device,
            images=critic_input.images,
            precision=precision,
        )
        self.target_actor = self.actor.copy() if target_actor else self.actor
        self.target_critics = self.critics.copy()

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The modules by name, with a leading population axis."""
        found: dict[str, nn.Module] = {
            "actor": self.actor.network,
            "critics": self.critics.network,
            "target_critics": self.target_critics.network,
        }
        if self.target_actor is not self.actor:
            found["target_actor"] = self.target_actor.network
        return found

    @property
    def backward_by_hand(self) -> bool:
        """Whether all networks have a backward pass that needs no autograd."""
        return self.actor.backward_by_hand and self.critics.flat.backward_by_hand

    def follow(self, share: torch.Tensor) -> None:
        """Move every target towards its network.

        Args:
            share: Tau of Polyak averaging, ``[P, 1]``.
        """
        self.target_critics.flat.follow(self.critics.flat, share)
        if self.target_actor is not self.actor:
            self.target_actor.follow(self.actor, share)

    def state(self, member: int = 0) -> dict[str, Any]:
        """Return a member's weights, as copies without the population axis."""
        return {name: flat.state(member) for name, flat in self._parts().items()}

    def load(self, state: Mapping[str, Any], member: int = 0) -> None:
        """Take over what :meth:`state` returned."""
        for name, flat in self._parts().items():
            flat.load(state[name], member)

    def _parts(self) -> dict[str, FlatParameters]:
        parts = {
            "actor": self.actor,
            "critics": self.critics.flat,
            "target_critics": self.target_critics.flat,
        }
        if self.target_actor is not self.actor:
            parts["target_actor"] = self.target_actor
        return parts
