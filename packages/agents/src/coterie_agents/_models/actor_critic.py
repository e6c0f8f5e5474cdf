"""Policy and value networks of a stack of members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from coterie import ConfigError

from .._heads.interface import Head
from .._precision.autocast import FULL, Precision
from .._vision.network import StackedEncoder
from .build import build_network
from .cfg import ModelCfg
from .initialise import POLICY_GAIN, VALUE_GAIN, init_generator
from .inputs import NetworkInput
from .mlp import StackedMLP
from .stacking import Shared, StackedUserNetwork, user_network
from .user import UserNetwork, check_output


class ActorCritic:
    """A policy and a value network, and what they take in.

    They have no layers in common, but for an encoder of images where one is given.

    Attributes:
        head: Distribution of the actions.
        policy: Maps ``[P, B, ...]`` to ``[P, B, head.size]``.
        value: Maps ``[P, B, ...]`` to ``[P, B, 1]``.
        policy_input: Inputs of the policy.
        value_input: Inputs of the value network.
        own_log_std: ``[P, head.size]`` where the head learns one and the user's module has none.
        precision: How the networks are run.
        encoder: What both networks see with; ``None``: each takes the inputs as they are.
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
        *,
        precision: Precision = FULL,
        encoder: StackedEncoder | None = None,
    ) -> None:
        self.head, self.policy, self.value = head, policy, value
        self.policy_input, self.value_input = policy_input, value_input
        self.own_log_std = own_log_std
        self.precision, self.encoder = precision, encoder
        found = [*policy.parameters(), *value.parameters()]
        if encoder is not None:
            found += encoder.parameters()
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
        outputs = self._outputs(self.policy, inputs)
        if noise is None:
            return self.head.mode(outputs)
        return self.head.sample(outputs, self.log_std, noise)

    def evaluate(self, inputs: Any, actions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return log-probabilities and entropies ``[P, B]``."""
        return self.head.evaluate(self._outputs(self.policy, inputs), self.log_std, actions)

    def values(self, inputs: Any) -> torch.Tensor:
        """Return what the value network says, ``[P, B]``."""
        return self._outputs(self.value, inputs).squeeze(-1)

    def judge(
        self, policy_inputs: Any, value_inputs: Any, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Do what :meth:`evaluate` and :meth:`values` do; an encoder sees for both at once.

        Returns:
            Log-probabilities, entropies and values, ``[P, B]`` each.
        """
        if self.encoder is None:
            return *self.evaluate(policy_inputs, actions), self.values(value_inputs)
        seen = self.precision.run(self.encoder, policy_inputs)
        found = self.head.evaluate(self.precision.run(self.policy, seen), self.log_std, actions)
        return *found, self.precision.run(self.value, seen).squeeze(-1)

    def _outputs(self, network: nn.Module, inputs: Any) -> torch.Tensor:
        if self.encoder is not None:
            inputs = self.precision.run(self.encoder, inputs)
        return self.precision.run(network, inputs)

    @property
    def backward_by_hand(self) -> bool:
        """Whether both networks have a backward pass that needs no autograd."""
        if self.encoder is not None or self.precision.low is not None:
            return False
        networks = self.policy, self.value
        return all(isinstance(n, StackedMLP) and n.backward_by_hand for n in networks)

    def train(self, enabled: bool) -> None:
        """Switch the networks between training and evaluation."""
        for network in self.parts.values():
            network.train(enabled)

    @property
    def parts(self) -> dict[str, nn.Module]:
        """The networks by name."""
        found = {"policy": self.policy, "value": self.value}
        return found if self.encoder is None else {**found, "encoder": self.encoder}

    def state(self, member: int = 0) -> dict[str, Any]:
        """Return a member's weights by name, as copies without the population axis."""
        state: dict[str, Any] = {
            name: {key: tensor.clone() for key, tensor in _tensors(net, member).items()}
            for name, net in self.parts.items()
        }
        own = self.own_log_std
        state["log_std"] = None if own is None else own[member].detach().clone()
        return state

    @torch.no_grad()
    def load(self, state: Mapping[str, Any], member: int = 0) -> None:
        """Take over what :meth:`state` returned."""
        for name, network in self.parts.items():
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
    precision: Precision = FULL,
) -> ActorCritic:
    """Make built-in networks, each member's drawn from its own seed.

    Raises:
        ConfigError: The encoder can't be shared.
    """
    place: dict[str, Any] = {"dtype": dtype, "device": device}
    encoder: StackedEncoder | None = None
    if cfg.share_encoder:
        _check_sharing(policy_input, value_input)
        generators = [init_generator(seed, "encoder") for seed in seeds]
        encoder = StackedEncoder(policy_input.images, policy_input.features, generators, **place)

    def network(name: str, source: NetworkInput, sizes: Sequence[int], gain: float) -> nn.Module:
        generators = [init_generator(seed, name) for seed in seeds]
        rest = cfg.activation, generators, gain
        if encoder is not None:
            return StackedMLP((encoder.outputs, *sizes), *rest, **place)
        return build_network(source, sizes, *rest, **place)

    value_hidden = cfg.hidden_sizes if cfg.value_hidden_sizes is None else cfg.value_hidden_sizes
    policy = network("policy", policy_input, (*cfg.hidden_sizes, head.size), POLICY_GAIN)
    value = network("value", value_input, (*value_hidden, 1), VALUE_GAIN)
    log_std = _initial_log_std(head, cfg, len(seeds), dtype, device)
    both = policy_input, value_input
    more: dict[str, Any] = {"precision": precision, "encoder": encoder}
    return ActorCritic(head, policy, value, *both, log_std, **more)


def _check_sharing(policy_input: NetworkInput, value_input: NetworkInput) -> None:
    if value_input is not policy_input:
        raise ConfigError(
            "share_encoder = true, but the value network sees privileged observations (there is "
            "a state_space), which the policy may not: leave share_encoder out"
        )
    if not policy_input.images:
        raise ConfigError(
            f"share_encoder = true, but {policy_input.space} has no image that goes through "
            "convolutions: leave share_encoder out, or see cnn.images"
        )


def build_from_user(
    head: Head,
    policy_input: NetworkInput,
    value_input: NetworkInput,
    cfg: ModelCfg,
    models: Sequence[Mapping[str, nn.Module]],
    device: torch.device,
    precision: Precision = FULL,
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
    return ActorCritic(head, policy, value, policy_input, value_input, log_std, precision=precision)


def _initial_log_std(
    head: Head, cfg: ModelCfg, population: int, dtype: torch.dtype, device: torch.device
) -> nn.Parameter | None:
    if not head.learns_log_std:
        return None
    shape = (population, head.size)
    return nn.Parameter(torch.full(shape, cfg.initial_log_std, dtype=dtype, device=device))
