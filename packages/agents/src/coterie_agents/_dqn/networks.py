"""The learning network and the target network of DQN."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from .._models.build import build_network
from .._models.initialise import VALUE_GAIN, init_generator
from .._models.inputs import NetworkInput
from .._models.mlp import StackedMLP
from .._models.stacking import StackedUserNetwork, user_network
from .._models.user import UserNetwork, check_output
from .._precision.autocast import FULL, Precision
from .._precision.scaler import UNSCALED, LossScaler
from .._vision.network import StackedVision
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
        precision: How both are run.
    """

    def __init__(
        self,
        online: nn.Module,
        target: nn.Module,
        *,
        dueling: bool,
        precision: Precision = FULL,
    ) -> None:
        self.online, self.target, self.dueling = online, target, dueling
        self.precision = precision
        self.parameters: list[torch.Tensor] = [p for p in online.parameters() if p.requires_grad]

    def values(self, inputs: Any) -> torch.Tensor:
        """Value every action by the learning network, ``[P, B, actions]``."""
        return self._combined(self.precision.run(self.online, inputs))

    def target_values(self, inputs: Any) -> torch.Tensor:
        """Value every action by the target network, ``[P, B, actions]``."""
        return self._combined(self.precision.run(self.target, inputs))

    def _combined(self, outputs: torch.Tensor) -> torch.Tensor:
        return dueling_values(outputs) if self.dueling else outputs

    def descend(
        self, inputs: Any, actions: torch.Tensor, loss: Loss, scaler: LossScaler = UNSCALED
    ) -> tuple[QLosses, torch.Tensor, Sequence[torch.Tensor | None]]:
        """Compute the losses of actions and their gradient.

        Args:
            inputs: Inputs ``[P, B, ...]``.
            actions: Actions taken, int64 ``[P, B]``.
            loss: The loss of their values.
            scaler: Scales of the gradients; the losses are not scaled.

        Returns:
            Losses, values of the actions ``[P, B]``, and gradients of the learning network's
            parameters.
        """
        online, full = self.online, self.precision.low is None
        if full and isinstance(online, StackedMLP) and online.backward_by_hand:
            return self._by_hand(online, inputs, actions, loss)
        return self._by_autograd(inputs, actions, loss, scaler)

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
        self, inputs: Any, actions: torch.Tensor, loss: Loss, scaler: LossScaler
    ) -> tuple[QLosses, torch.Tensor, Sequence[torch.Tensor | None]]:
        with torch.enable_grad():
            taken = take_actions(self.values(inputs), actions)
            found = loss(taken.detach())
            slope = scaler.enlarge(found.slope)
            gradients = torch.autograd.grad(taken, self.parameters, slope, allow_unused=True)
        return found, taken.detach(), gradients

    @torch.no_grad()
    def follow(self, share: torch.Tensor) -> None:
        """Move the target network towards the learning one.

        Of a user's module everything real is moved, running statistics too; the rest is copied.

        Args:
            share: Share of the way that each member goes, ``[P]``.
        """
        if isinstance(self.online, StackedMLP | StackedVision):
            pairs = zip(self.target.parameters(), self.online.parameters(), strict=True)
            for behind, online in pairs:
                behind.lerp_(online, share.view(-1, *(1,) * (online.dim() - 1)))
            return
        for member, own in enumerate(share):
            ahead = _tensors(self.online, member)
            # Layers that are shared have several names; they move once.
            moved = {t.data_ptr(): (key, t) for key, t in _tensors(self.target, member).items()}
            for key, target in moved.values():
                if target.is_floating_point():
                    target.lerp_(ahead[key], own.to(target.dtype))
                elif bool(own):
                    target.copy_(ahead[key])

    def state(self, member: int = 0) -> dict[str, Any]:
        """Return a member's weights by network and name, as copies without the population axis."""
        return {
            name: {key: tensor.clone() for key, tensor in _tensors(network, member).items()}
            for name, network in self._both().items()
        }

    @torch.no_grad()
    def load(self, state: Mapping[str, Any], member: int = 0) -> None:
        """Take over what :meth:`state` returned."""
        for name, network in self._both().items():
            for key, tensor in _tensors(network, member).items():
                tensor.copy_(state[name][key])

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
    precision: Precision = FULL,
) -> QNetworks:
    """Make built-in networks, each member's drawn from its own seed."""
    sizes = (*cfg.hidden_sizes, actions + dueling)
    generators = [init_generator(seed, "q") for seed in seeds]
    network = build_network(
        place, sizes, cfg.activation, generators, VALUE_GAIN, dtype=dtype, device=device
    )
    return QNetworks(network, _target_of(network), dueling=dueling, precision=precision)


def user_q_networks(
    place: NetworkInput,
    actions: int,
    modules: Sequence[nn.Module],
    device: torch.device,
    precision: Precision = FULL,
) -> QNetworks:
    """Take a user's module as it is, moved to the device; copy those of several members.

    The target networks are copies.

    Raises:
        ConfigError: The module can't take the observations, or gives another shape.
    """
    own = [module.to(device) for module in modules]
    check_output("q", own[0], place.example(device), actions, "the value of each action")
    online = user_network(own, actions, {})
    target = user_network([_target_of(module) for module in own], actions, {})
    return QNetworks(online, target.eval(), dueling=False, precision=precision)


def _target_of(module: nn.Module) -> nn.Module:
    return copy.deepcopy(module).requires_grad_(False)


def _tensors(network: nn.Module, member: int) -> dict[str, torch.Tensor]:
    """Return a member's tensors by name, without the population axis."""
    if isinstance(network, UserNetwork | StackedUserNetwork):
        return network.tensors(member)
    return {key: tensor[member] for key, tensor in network.state_dict().items()}
