"""DQN for members of one architecture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from gymnasium import spaces
from torch import nn

from coterie import ConfigError

from .._exploration.epsilon import epsilon_greedy
from .._exploration.schedule import linear_schedule
from .._learning.settings import stack_field, stack_limit
from .._models.cfg import CnnCfg
from .._offpolicy.learner import OffPolicyLearner
from .._offpolicy.samples import Learned, Samples
from .._optim.adam import PopulationAdam, clip_by_norm
from .._precision.scaler import LossScaler, load_scalers, scaler_states
from .cfg import PER_MEMBER, DQNCfg
from .losses import QLosses, q_losses, q_targets
from .networks import QNetworks, build_q_networks, user_q_networks

_ADVICE = (
    "Look for infinite or very large observations and rewards; a lower learning_rate, "
    "loss='huber', grad_norm_clip or observation_normalization may help"
)


class DQNLearner(OffPolicyLearner):
    """``P`` DQN members with stacked networks, one optimiser and one memory.

    The arguments are those of :class:`~coterie_agents.Learner`. The model is a module ``q`` that
    maps observations ``[B, *shape]`` to values of each action ``[B, actions]``.

    Raises:
        ConfigError: A space, a setting or a module can't be used.
        ValueError: Settings differ that may not.
    """

    kind: ClassVar[str] = "DQN"
    per_member: ClassVar[tuple[str, ...]] = PER_MEMBER
    model_names: ClassVar[tuple[str, ...]] = ("q",)
    noise_kind: ClassVar[Literal["uniform", "normal"]] = "uniform"
    rhythm: ClassVar[tuple[str, ...]] = ("optimizer_steps",)
    uses_states: ClassVar[bool] = False
    cfg: DQNCfg
    cfgs: tuple[DQNCfg, ...]

    def __init__(self, **arguments: Any) -> None:
        space = arguments["action_space"]
        if not isinstance(space, spaces.Discrete):
            raise ConfigError(
                f"DQN needs a Discrete action space, got {space}; for a Box take sac, td3 or "
                "ddpg, for a MultiDiscrete or MultiBinary space ppo"
            )
        super().__init__(**arguments)
        self.actions, self.first_action = int(space.n), int(space.start)
        self.networks = self._build()
        self.optimizer = PopulationAdam(
            self.networks.parameters,
            self.population,
            self._stack("learning_rate", torch.float64),
            epsilon=self.cfg.adam_epsilon,
        )
        self.scaler = LossScaler(self.population, self.precision, self.device)
        self.optimizer_steps = 0
        self._stack_settings()

    def _build(self) -> QNetworks:
        place, cfg = self.observations, self.cfg
        if self.own_models is None:
            return build_q_networks(
                place,
                self.actions,
                cfg.model,
                self.seeds,
                dueling=cfg.dueling,
                dtype=self.dtype,
                device=self.device,
                precision=self.precision,
            )
        if cfg.dueling:
            raise ConfigError(
                "dueling belongs to the built-in network; add value and advantages up in your "
                "own module and leave dueling out"
            )
        modules = [own["q"] for own in self.own_models]
        return user_q_networks(place, self.actions, modules, self.device, self.precision)

    @property
    def cnn(self) -> CnnCfg:
        """How images are read."""
        return self.cfg.model.cnn

    def example_inputs(self) -> dict[str, Any]:
        """Return two observations for a user's module."""
        return {"q": self.observations.example(self.device)}

    def _stack(self, name: str, dtype: torch.dtype | None = None) -> torch.Tensor:
        return stack_field(self.cfgs, name, dtype or self.dtype, self.device)

    def _stack_settings(self) -> None:
        self._rate = self._stack("learning_rate", torch.float64)
        self._share = self._stack("target_update_rate")
        self._clip = stack_limit(self.cfgs, "grad_norm_clip", self.dtype, self.device)
        names = ("initial_epsilon", "final_epsilon", "exploration_timesteps")
        self._epsilons = tuple(self._stack(name, torch.float64) for name in names)

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The learning network."""
        if self.own_models is not None and self.population == 1:
            return dict(self.own_models[0])
        return {"q": self.networks.online}

    @property
    def epsilon(self) -> torch.Tensor:
        """Probability of a random action now, float64 ``[P]``."""
        first, last, over = self._epsilons
        return linear_schedule(first, last, over, self.steps)

    def noise_shape(self, num_envs: int) -> tuple[int, ...]:
        """Two numbers for each instance: whether to act at random, and how."""
        return num_envs, 2

    def best(self, inputs: Any) -> torch.Tensor:
        """Choose the actions with the highest values, int64 ``[P, N]``."""
        return self.networks.values(inputs).argmax(-1)

    def explore(self, inputs: Any, noise: torch.Tensor) -> torch.Tensor:
        """Choose the best actions, and with probability :attr:`epsilon` random ones."""
        return epsilon_greedy(self.best(inputs), noise, self.epsilon, self.actions)

    def to_env(self, actions: torch.Tensor) -> torch.Tensor:
        """Turn indices ``[P * N]`` into actions of the space."""
        return actions + self.first_action if self.first_action else actions

    def from_env(self, actions: Any) -> torch.Tensor:
        """Turn actions of the space into indices ``[P * N]``."""
        found: torch.Tensor = actions - self.first_action
        return found

    def start_update(self, share: float) -> None:
        """Set the learning rates."""
        self.optimizer.learning_rate.copy_(self.scheduled(self._rate, share))

    @torch.no_grad()
    def targets(self, samples: Samples) -> torch.Tensor:
        """Compute what the values of the actions taken should be, ``[P, B]``."""
        following = samples.next_observations
        return q_targets(
            samples.rewards,
            samples.terminated,
            samples.discounts,
            self.networks.target_values(following),
            self.networks.values(following) if self.cfg.double else None,
        )

    def learn(self, samples: Samples) -> Learned:
        """Make one optimiser step, and an update of the target network where one is due."""
        targets = self.targets(samples)

        def loss(values: torch.Tensor) -> QLosses:
            return q_losses(values, targets, self.cfg.loss, samples.weights)

        losses, values, gradients = self.networks.descend(
            samples.observations, samples.actions, loss, self.scaler
        )
        gradient = self.scaler.shrink(self.optimizer.gather(gradients))
        norm = self.scaler.check(clip_by_norm(gradient, self._clip))
        parts = {"loss": losses.loss, "gradient_norm": norm}
        active = self.guard(losses.loss + norm, parts, _ADVICE)
        self.optimizer.step(gradient, self.scaler.allowed(active))
        self._follow(active)
        scalars = {
            "loss/q": losses.loss,
            "q": values.mean(-1),
            "target": targets.mean(-1),
            "gradient_norm": norm,
            "learning_rate": self.optimizer.learning_rate.clone(),
            "epsilon": self.epsilon,
            **self.scaler.scalars(),
        }
        return Learned(scalars=scalars, errors=losses.errors)

    def _follow(self, active: torch.Tensor | None) -> None:
        self.optimizer_steps += 1
        if self.optimizer_steps % self.cfg.target_update_interval:
            return
        self.networks.follow(self._share if active is None else self._share * active)

    def settings_changed(self, member: int, before: DQNCfg) -> None:
        """Lay the settings that can change side by side anew."""
        super().settings_changed(member, before)
        self._stack_settings()
        if self.cfgs[member].learning_rate != before.learning_rate:
            self.optimizer.learning_rate[member] = self.cfgs[member].learning_rate

    def own_state(self, member: int) -> dict[str, Any]:
        """Return a member's weights and its optimiser's state, as copies."""
        return {
            "networks": self.networks.state(member),
            "optimizer": self.optimizer.state(member),
            "optimizer_steps": self.optimizer_steps,
            **scaler_states({"q": self.scaler}, member),
        }

    def load_own_state(self, state: Mapping[str, Any], member: int) -> None:
        """Take over what :meth:`own_state` returned."""
        self.networks.load(state["networks"], member)
        self.optimizer.load(state["optimizer"], member)
        self.optimizer_steps = int(state["optimizer_steps"])
        load_scalers({"q": self.scaler}, state, member)
