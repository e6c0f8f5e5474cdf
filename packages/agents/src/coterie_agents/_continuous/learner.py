"""What DDPG, TD3 and SAC have in common: networks, optimisers, bounded actions, state."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import nn

from coterie import ConfigError

from .._exploration.draws import Draws
from .._heads.bounds import UnitActions
from .._learning.settings import stack_field, stack_limit
from .._models.cfg import CnnCfg
from .._models.flat import FlatParameters
from .._offpolicy.learner import OffPolicyLearner
from .._offpolicy.samples import Learned, Samples
from .._optim.adam import PopulationAdam, clip_by_norm
from .._precision.scaler import LossScaler, load_scalers, scaler_states
from .cfg import PER_MEMBER, ContinuousCfg
from .gradients import descend_critics
from .losses import td_targets
from .networks import ContinuousNetworks

_ROWS = 16
_ADVICE = (
    "Look for infinite or very large observations and rewards; lower learning rates, "
    "observation_normalization or a grad_norm_clip may help"
)


class ContinuousLearner(OffPolicyLearner):
    """Members with an actor and critics; every critic learns the same targets.

    An algorithm says :attr:`critics` and :attr:`target_actor`, and implements
    :meth:`actor_outputs`, :meth:`next_values` and :meth:`improve`.

    Args:
        arguments: Those of :class:`Learner`.

    Raises:
        ConfigError: The action space is no bounded Box, or there are modules of the user.

    Attributes:
        unit: The space's actions as numbers from -1 to 1.
        networks: Actor, critics and targets.
        optimizers: Those of ``actor`` and ``critics``.
        scalers: Scales of their losses.
        descents: Optimiser steps of the critics so far.
        update_noise: Random numbers of an optimiser step; ``None``: it needs none.
    """

    per_member: ClassVar[tuple[str, ...]] = PER_MEMBER
    noise_kind: ClassVar[Literal["uniform", "normal"]] = "normal"
    rhythm: ClassVar[tuple[str, ...]] = ("descents",)
    critics: ClassVar[int] = 2
    target_actor: ClassVar[bool] = True
    update_draws: ClassVar[int] = 0
    """Normal numbers that an optimiser step needs for each action of each sample."""

    cfg: ContinuousCfg

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        if self.own_models is not None:
            raise ConfigError(
                f"{self.kind!r} has built-in networks only; set their sizes with 'model'"
            )
        self.unit = UnitActions(self.action_space, self.device, self.kind)
        self.networks = self.make_networks()
        self.optimizers = {
            "actor": self.make_optimizer(self.networks.actor.matrix, "actor_learning_rate"),
            "critics": self.make_optimizer(
                self.networks.critics.flat.matrix, "critic_learning_rate"
            ),
        }
        self.scalers = {
            name: LossScaler(self.population, self.precision, self.device)
            for name in ("actor", "critics")
        }
        self.descents = 0
        self.update_noise: Draws | None = None
        if self.update_draws:
            shape = (self.update_draws, self.samples_per_step, self.unit.size)
            self.update_noise = Draws(self.generators, shape, "normal", rows=_ROWS)
        self.stack_settings()

    def make_networks(self) -> ContinuousNetworks:
        """Make the networks."""
        return ContinuousNetworks(
            self.observations,
            self.critic_states,
            outputs=self.actor_outputs(self.unit.size),
            action_size=self.unit.size,
            critics=self.critics,
            target_actor=self.target_actor,
            cfg=self.cfg.model,
            seeds=self.seeds,
            dtype=self.dtype,
            device=self.device,
            precision=self.precision,
        )

    @property
    def samples_per_step(self) -> int:
        """Samples of each member that one optimiser step draws actions for."""
        return self.cfg.batch_size

    @property
    def cnn(self) -> CnnCfg:
        """How images are read."""
        return self.cfg.model.cnn

    def make_optimizer(self, matrix: torch.Tensor, rate: str) -> PopulationAdam:
        """Make Adam for ``[P, parameters]`` with the learning rates of a setting."""
        rates = self.stacked(rate, torch.float64)
        return PopulationAdam([matrix], self.population, rates, epsilon=self.cfg.adam_epsilon)

    def stacked(self, name: str, dtype: torch.dtype | None = None) -> torch.Tensor:
        """Lay a setting of the members side by side, ``[P]``."""
        return stack_field(self.cfgs, name, dtype or self.dtype, self.device)

    def stack_settings(self) -> None:
        """Lay the settings that can change side by side."""
        self.polyak = self.stacked("polyak").unsqueeze(1)
        self.limit = stack_limit(self.cfgs, "grad_norm_clip", self.dtype, self.device)

    @abc.abstractmethod
    def actor_outputs(self, action_size: int) -> int:
        """Return how many outputs the actor has."""

    @abc.abstractmethod
    def next_values(self, samples: Samples, noise: torch.Tensor | None) -> torch.Tensor:
        """Value what samples ended in, by the targets: ``[P, B]``.

        Args:
            samples: The samples.
            noise: Normal numbers ``[P, update_draws, B, action_size]``.
        """

    @abc.abstractmethod
    def improve(self, samples: Samples, noise: torch.Tensor | None) -> dict[str, torch.Tensor]:
        """Improve the actor, if it is due, and let targets follow.

        Args:
            samples: The samples that the critics have just learned from.
            noise: As above.

        Returns:
            Scalars of the members by name, ``[P]`` each.
        """

    def noise_shape(self, num_envs: int) -> tuple[int, ...]:
        """Return the shape of a member's random numbers for one timestep."""
        return num_envs, self.unit.size

    def randomly(self, uniforms: torch.Tensor) -> torch.Tensor:
        """Spread numbers of ``[0, 1)`` from -1 to 1."""
        return (uniforms * 2 - 1).to(self.dtype)

    def to_env(self, actions: torch.Tensor) -> torch.Tensor:
        """Turn stored actions ``[P * N, A]`` into those of the space."""
        return self.unit.to_env(actions)

    def from_env(self, actions: Any) -> torch.Tensor:
        """Turn the space's actions into stored ones ``[P * N, A]``."""
        return self.unit.from_env(actions).to(self.dtype)

    @torch.no_grad()
    def learn(self, samples: Samples) -> Learned:
        """Make one optimiser step of the critics and, if it is due, of the actor.

        Args:
            samples: What to learn from.

        Returns:
            Scalars, and the mean of the critics' temporal-difference errors.
        """
        noise = None
        if self.update_noise is not None:
            noise = self.update_noise.take().to(self.dtype)
        behind = samples.discounts.masked_fill(samples.terminated, 0.0)
        targets = td_targets(samples.rewards, self.next_values(samples, noise), behind)
        critics = self.networks.critics
        seen, done, weights = samples.states, samples.actions, samples.weights
        step = descend_critics(critics, seen, done, targets, weights, self.scalers["critics"])
        norm = self.descend("critics", step.gradient, step.loss)
        self.descents += 1
        scalars = {
            "loss/critic": step.loss,
            "value": step.values.mean((1, 2)),
            "gradient_norm/critic": norm,
            **self.scalers["critics"].scalars("loss_scale/critic"),
        }
        errors = (step.values - targets.unsqueeze(1)).mean(1)
        return Learned(scalars=scalars | self.improve(samples, noise), errors=errors)

    def descend(self, name: str, gradient: torch.Tensor, loss: torch.Tensor) -> torch.Tensor:
        """Make an optimiser step, except for members whose loss or gradient is not finite.

        Args:
            name: Which optimiser.
            gradient: ``[P, parameters]``; is clipped in place.
            loss: ``[P]``.

        Returns:
            Norms of the gradients before they were clipped, ``[P]``.
        """
        scaler = self.scalers[name]
        norm = scaler.check(clip_by_norm(gradient, self.limit))
        parts = {f"the loss of the {name}": loss, "its gradient's norm": norm}
        active = self.guard(loss + norm, parts, _ADVICE)
        self.optimizers[name].step(gradient, scaler.allowed(active))
        return norm

    def follow(self) -> None:
        """Let the targets of members that learn follow."""
        share = self.polyak
        if self.alive is not None:
            share = torch.where(self.alive.unsqueeze(1), share, 0.0)
        self.networks.follow(share)

    def start_update(self, share: float) -> None:
        """Set the learning rates of the schedule."""
        if self.cfg.learning_rate_scheduler == "constant":
            return
        for name, setting in self.rates().items():
            first = self.stacked(setting, torch.float64)
            self.optimizers[name].learning_rate.copy_(self.scheduled(first, share))

    def rates(self) -> dict[str, str]:
        """Return which setting each optimiser's learning rate is."""
        return {"actor": "actor_learning_rate", "critics": "critic_learning_rate"}

    def settings_changed(self, member: int, before: Any) -> None:
        """Take new settings over."""
        super().settings_changed(member, before)
        self.stack_settings()
        for name, setting in self.rates().items():
            rate = getattr(self.cfgs[member], setting)
            if rate != getattr(before, setting):
                self.optimizers[name].learning_rate[member] = rate

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """The networks by name, with a leading population axis (of critics, ``P * K``)."""
        return self.networks.modules

    def own_draws(self) -> dict[str, Draws]:
        """Return the random numbers of optimiser steps."""
        return {} if self.update_noise is None else {"update": self.update_noise}

    def own_state(self, member: int) -> dict[str, Any]:
        """Return a member's weights and moments, as copies."""
        return {
            "networks": self.networks.state(member),
            "optimizers": {n: each.state(member) for n, each in self.optimizers.items()},
            "descents": self.descents,
            **scaler_states(self.scalers, member),
        }

    def load_own_state(self, state: Mapping[str, Any], member: int) -> None:
        """Take over what :meth:`own_state` returned."""
        self.networks.load(state["networks"], member)
        for name, optimizer in self.optimizers.items():
            optimizer.load(state["optimizers"][name], member)
        load_scalers(self.scalers, state, member)
        self.descents = int(state["descents"])


def outputs_of(actor: FlatParameters, inputs: Any) -> torch.Tensor:
    """Run an actor: from inputs ``[P, B, features]`` to its outputs ``[P, B, outputs]``."""
    return actor.run(inputs)
