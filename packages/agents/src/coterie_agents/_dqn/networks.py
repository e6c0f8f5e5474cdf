"""The learning network and the target network of DQN."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from .._models.initialise import VALUE_GAIN, init_generator
from .._models.inputs import NetworkInput
from .._models.mlp import StackedMLP
from .._models.user import UserNetwork, check_output
from .cfg import QModelCfg
from .losses import QLosses, dueling_slopes, dueling_values, take_actions

Loss = Callable[[torch.Tensor], QLosses]
"""From values of the actions taken, ``[P, B]``, to losses."""


class QNetworks:
    """Two networks that give a value to each action, the second following the first.

    Args:
        online: What learns: maps inputs ``[P, B, ...]`` to ``[P, B, outputs]``.
        target: A copy of it.
        dueling: Whether outputs are a value and advantages.
    """

    def __init__(self, online: nn.Module, target: nn.Module, *, dueling: bool) -> None:
        self.online, self.target, self.dueling = online, target, dueling
        self.parameters: list[torch.Tensor] = [p for p in online.parameters() if p.requires_grad]

    def values(self, inputs: Any) -> torch.Tensor:
        """Value every action by the learning network, ``[P, B, actions]``."""
        return self._combined(self.online(inputs))

    def target_values(self, inputs: Any) -> torch.Tensor:
        """Value every action by the target network, ``[P, B, actions]``."""
        return self._combined(self.target(inputs))

    def _combined(self, outputs: torch.Tensor) -> torch.Tensor:
        return dueling_values(outputs) if self.dueling else outputs

    def descend(
        self, inputs: Any, actions: torch.Tensor, loss: Loss
    ) -> tuple[QLosses, torch.Tensor, Sequence[torch.Tensor | None]]:
        """Compute the losses of actions and their gradient.

        Args:
            inputs: Inputs ``[P, B, ...]``.
            actions: Actions taken, int64 ``[P, B]``.
            loss: The loss of their values.

        Returns:
            Losses, values of the actions ``[P, B]``, and gradients of the learning network's
            parameters.
        """
        online = self.online
        if isinstance(online, StackedMLP) and online.backward_by_hand:
            return self._by_hand(online, inputs, actions, loss)
        return self._by_autograd(inputs, actions, loss)

    @torch.no_grad()
    def _by_hand(
        self, online: StackedMLP, inputs: torch.Tensor, actions: torch.Tensor, loss: Loss
    ) -> tuple[QLosses, torch.Tensor, Sequence[torch.Tensor | None]]:
        trace = online.trace(inputs)
        values = self._combined(trace[-1])
        taken = take_actions(values, actions)
        found = loss(taken)
        slopes = torch.zeros_like(values)
        slopes.scatter_(-1, actions.unsqueeze(-1), found.slope.unsqueeze(-1))
        if self.dueling:
            slopes = dueling_slopes(slopes)
        return found, taken, online.pull(trace, slopes)

    def _by_autograd(
        self, inputs: Any, actions: torch.Tensor, loss: Loss
    ) -> tuple[QLosses, torch.Tensor, Sequence[torch.Tensor | None]]:
        with torch.enable_grad():
            taken = take_actions(self.values(inputs), actions)
            found = loss(taken.detach())
            gradients = torch.autograd.grad(taken, self.parameters, found.slope, allow_unused=True)
        return found, taken.detach(), gradients

    @torch.no_grad()
    def follow(self, share: torch.Tensor) -> None:
        """Move the target network towards the learning one.

        Args:
            share: Share of the way that each member goes, ``[P]``.
        """
        pairs = zip(self.target.parameters(), self.online.parameters(), strict=True)
        for target, online in pairs:
            target.lerp_(online, share.view(-1, *[1] * (online.dim() - 1)))
        _copy_buffers(self.online, self.target)

    def state(self, member: int = 0) -> dict[str, Any]:
        """Return a member's weights by network and name, as copies without the population axis."""
        return {name: _weights(net, member) for name, net in self._both().items()}

    @torch.no_grad()
    def load(self, state: Mapping[str, Any], member: int = 0) -> None:
        """Take over what :meth:`state` returned."""
        for name, network in self._both().items():
            stacked = isinstance(network, StackedMLP)
            for key, tensor in _stored(network).items():
                (tensor[member] if stacked else tensor).copy_(state[name][key])

    def _both(self) -> dict[str, nn.Module]:
        return {"q": self.online, "target": self.target}


def build_q_networks(
    place: NetworkInput,
    actions: int,
    cfg: QModelCfg,
    seeds: Sequence[int],
    *,
    dueling: bool,
    dtype: torch.dtype,
    device: torch.device,
) -> QNetworks:
    """Make built-in networks, each member's drawn from its own seed."""
    sizes = (place.features, *cfg.hidden_sizes, actions + dueling)
    generators = [init_generator(seed, "q") for seed in seeds]
    network = StackedMLP(sizes, cfg.activation, generators, VALUE_GAIN, dtype=dtype, device=device)
    return QNetworks(network, _target_of(network), dueling=dueling)


def user_q_networks(
    place: NetworkInput, actions: int, module: nn.Module, device: torch.device
) -> QNetworks:
    """Take a user's module as it is, moved to the device; the target network is a copy.

    Raises:
        ConfigError: The module can't take the observations, or gives another shape.
    """
    module = module.to(device)
    check_output("q", module, place.example(device), actions, "the value of each action")
    online, target = UserNetwork(module, actions), UserNetwork(_target_of(module), actions)
    return QNetworks(online, target, dueling=False)


def _target_of(module: nn.Module) -> nn.Module:
    return copy.deepcopy(module).requires_grad_(False)


def _copy_buffers(source: nn.Module, target: nn.Module) -> None:
    """Copy what a module keeps beside its parameters (running statistics)."""
    for ours, theirs in zip(target.buffers(), source.buffers(), strict=True):
        ours.copy_(theirs)


def _stored(network: nn.Module) -> dict[str, torch.Tensor]:
    inner = network.module if isinstance(network, UserNetwork) else network
    return dict(inner.state_dict())


def _weights(network: nn.Module, member: int) -> dict[str, torch.Tensor]:
    stacked = isinstance(network, StackedMLP)
    return {k: (t[member] if stacked else t).clone() for k, t in _stored(network).items()}
