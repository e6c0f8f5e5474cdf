"""Policy and value networks of a stack of members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from .._heads.interface import Head
from .cfg import ModelCfg
from .initialise import POLICY_GAIN, VALUE_GAIN, init_generator
from .inputs import NetworkInput
from .mlp import StackedMLP
from .stacking import Shared, StackedUserNetwork, user_network
from .user import UserNetwork, check_output


class ActorCritic:
    """A policy and a value network without common layers, and what they take in.

    Attributes:
        head: Distribution of the actions.
        policy: Maps ``[P, B, ...]`` to ``[P, B, head.size]``.
        value: Maps ``[P, B, ...]`` to ``[P, B, 1]``.
        policy_input: Inputs of the policy.
        value_input: Inputs of the value network.
        own_log_std: ``[P, head.size]`` where the head learns one and the user's module has none.
        parameters: Everything that an optimiser updates.
    """

    def __init__(
        self,
        head: Head,
        policy: nn.Module,
        value: nn.Module,
        policy_input: NetworkInput,
        value_input: NetworkInput,
        own_log_std: nn.Parameter | None,
    ) -> None:
        self.head, self.policy, self.value = head, policy, value
        self.policy_input, self.value_input = policy_input, value_input
        self.own_log_std = own_log_std
        found = [*policy.parameters(), *value.parameters()]
        if own_log_std is not None:
            found.append(own_log_std)
        unique = {id(parameter): parameter for parameter in found if parameter.requires_grad}
        self.parameters: list[torch.Tensor] = list(unique.values())

    @property
    def log_std(self) -> torch.Tensor | None:
        """Logarithms of the standard deviations ``[P, head.size]``, if the head has any."""
        if self.own_log_std is not None or not self.head.learns_log_std:
            return self.own_log_std
        found: torch.Tensor = self.policy.log_std  # type: ignore[assignment]
        return found

    def sample(self, inputs: Any, noise: torch.Tensor | None) -> torch.Tensor:
        """Choose actions ``[P, B, head.action_size]``; without noise the most probable ones."""
        outputs = self.policy.forward(inputs)
        if noise is None:
            return self.head.mode(outputs)
        return self.head.sample(outputs, self.log_std, noise)

    def evaluate(self, inputs: Any, actions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return log-probabilities and entropies ``[P, B]``."""
        return self.head.evaluate(self.policy.forward(inputs), self.log_std, actions)

    def values(self, inputs: Any) -> torch.Tensor:
        """Return what the value network says, ``[P, B]``."""
        result: torch.Tensor = self.value.forward(inputs)
        return result.squeeze(-1)

    @property
    def backward_by_hand(self) -> bool:
        """Whether both networks have a backward pass that needs no autograd."""
        networks = self.policy, self.value
        return all(isinstance(n, StackedMLP) and n.backward_by_hand for n in networks)

    def train(self, enabled: bool) -> None:
        """Switch both networks between training and evaluation."""
        self.policy.train(enabled)
        self.value.train(enabled)

    def state(self, member: int = 0) -> dict[str, Any]:
        """Return a member's weights by name, as copies without the population axis."""
        parts = {"policy": self.policy, "value": self.value}
        state: dict[str, Any] = {
            name: {key: tensor.clone() for key, tensor in _tensors(net, member).items()}
            for name, net in parts.items()
        }
        own = self.own_log_std
        state["log_std"] = None if own is None else own[member].detach().clone()
        return state

    @torch.no_grad()
    def load(self, state: Mapping[str, Any], member: int = 0) -> None:
        """Take over what :meth:`state` returned."""
        for name, network in (("policy", self.policy), ("value", self.value)):
            for key, target in _tensors(network, member).items():
                target.copy_(state[name][key])
        if self.own_log_std is not None:
            self.own_log_std[member].copy_(state["log_std"])


def _tensors(network: nn.Module, member: int) -> dict[str, torch.Tensor]:
    """Return a member's tensors by name, without the population axis."""
    if isinstance(network, UserNetwork | StackedUserNetwork):
        return network.tensors(member)
    return {key: tensor[member] for key, tensor in network.state_dict().items()}


def build_stacked(
    head: Head,
    policy_input: NetworkInput,
    value_input: NetworkInput,
    cfg: ModelCfg,
    seeds: Sequence[int],
    dtype: torch.dtype,
    device: torch.device,
) -> ActorCritic:
    """Make built-in networks, each member's drawn from its own seed."""

    def network(name: str, sizes: Sequence[int], gain: float) -> StackedMLP:
        generators = [init_generator(seed, name) for seed in seeds]
        return StackedMLP(sizes, cfg.activation, generators, gain, dtype=dtype, device=device)

    value_hidden = cfg.hidden_sizes if cfg.value_hidden_sizes is None else cfg.value_hidden_sizes
    policy_sizes = (policy_input.features, *cfg.hidden_sizes, head.size)
    value_sizes = (value_input.features, *value_hidden, 1)
    policy = network("policy", policy_sizes, POLICY_GAIN)
    value = network("value", value_sizes, VALUE_GAIN)
    log_std = _initial_log_std(head, cfg, len(seeds), dtype, device)
    return ActorCritic(head, policy, value, policy_input, value_input, log_std)


def build_from_user(
    head: Head,
    policy_input: NetworkInput,
    value_input: NetworkInput,
    cfg: ModelCfg,
    models: Sequence[Mapping[str, nn.Module]],
    device: torch.device,
) -> ActorCritic:
    """Take a user's modules as they are, moved to the device; copy those of several members.

    Raises:
        ConfigError: A module can't take the observations, or gives another shape.
    """
    policies, values = ([own[name].to(device) for own in models] for name in ("policy", "value"))
    check_output("policy", policies[0], policy_input.example(device), head.size, head.note)
    check_output("value", values[0], value_input.example(device), 1, "the value of each")
    log_std = None
    if not isinstance(getattr(policies[0], "log_std", None), torch.Tensor):
        log_std = _initial_log_std(head, cfg, len(models), torch.float32, device)
    shared: Shared = {}
    policy = user_network(policies, head.size, shared)
    value = user_network(values, 1, shared)
    return ActorCritic(head, policy, value, policy_input, value_input, log_std)


def _initial_log_std(
    head: Head, cfg: ModelCfg, population: int, dtype: torch.dtype, device: torch.device
) -> nn.Parameter | None:
    if not head.learns_log_std:
        return None
    shape = (population, head.size)
    return nn.Parameter(torch.full(shape, cfg.initial_log_std, dtype=dtype, device=device))
