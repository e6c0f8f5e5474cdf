"""PPO as an agent: a stack of one member behind core's contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs
import torch
from gymnasium import spaces
from torch import nn

from coterie import Agent, ConfigError, Transition, derive_seed, structure

from .._models.user import check_models, may_draw_globally
from .cfg import PER_MEMBER, PPOCfg
from .errors import NonFiniteLoss
from .learner import PPOLearner, check_rollout
from .state import load_member_state, member_state


class PPO(Agent):
    """Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347).

    Action spaces: Discrete, MultiDiscrete, MultiBinary, and Box of floating-point numbers
    (normally distributed; clipped to the bounds on the way to the environment). Observations of
    any kind are flattened to one vector for the built-in networks. With a ``state_space`` the
    value network sees the privileged observations instead.

    Args:
        observation_space: Space of one instance's observation.
        action_space: Space of one instance's action.
        state_space: Space of one instance's privileged observation, or ``None``.
        device: Where the agent's tensors live.
        name: Name of the member; ``None``: the trainer gives it one.
        seed: Seed of everything random in the agent.
        cfg: A :class:`~coterie_agents.PPOCfg`, a mapping of its fields, or ``None``.
        models: Your own networks, ``{"policy": module, "value": module}``; ``None``: built from
            ``cfg.model``. They are trained where they are and never copied. Each takes the
            observations as the environment gives them, tensors ``[B, *shape]`` (a dict or tuple
            of them for Dict and Tuple spaces; the privileged ones for ``value`` where there is
            a ``state_space``). ``policy`` returns ``[B, n]``: logits of a Discrete space's
            actions, logits of all choices of a MultiDiscrete one side by side, a logit per bit
            of a MultiBinary one, or means of a Box, flattened. The standard deviations of a Box
            are the module's parameter ``log_std`` of shape ``[n]`` if it has one, otherwise the
            agent's own. ``value`` returns ``[B, 1]``.

    Raises:
        ConfigError: The settings, a space or a module can't be used.
    """

    kind: ClassVar[str] = "ppo"
    config_class: ClassVar[type[Any]] = PPOCfg
    uses_global_generators: ClassVar[bool] = False
    cfg: PPOCfg

    def __init__(
        self,
        *,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        state_space: spaces.Space[Any] | None = None,
        device: str | torch.device = "cpu",
        name: str | None = None,
        seed: int = 0,
        cfg: Any = None,
        models: Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__(
            observation_space=observation_space,
            action_space=action_space,
            state_space=state_space,
            device=device,
            name=name,
            seed=seed,
            cfg=cfg,
        )
        modules = None if models is None else check_models(models)
        if modules is not None and any(may_draw_globally(m) for m in modules.values()):
            # A module of the user may draw (dropout does): it then needs streams of its own.
            self.uses_global_generators = True  # type: ignore[misc]
        self._learner = PPOLearner(
            observation_space=observation_space,
            action_space=action_space,
            state_space=state_space,
            cfgs=(self.cfg,),
            generators=(self.generator,),
            seeds=(self.seed,),
            device=self.device,
            models=modules,
        )
        self._evaluation: tuple[torch.Generator, ...] | None = None
        self.models = modules or {
            "policy": self._learner.networks.policy,
            "value": self._learner.networks.value,
        }

    @property
    def learning_rate(self) -> float:
        """The learning rate now; a scheduler may have changed it."""
        return float(self._learner.optimizer.learning_rate[0])

    def check_scope(self, num_envs: int) -> None:
        """Check that a rollout of ``num_envs`` instances can be cut into the mini-batches.

        Raises:
            ConfigError: It has fewer samples than there are mini-batches.
        """
        try:
            check_rollout(self.cfg, num_envs)
        except ValueError as error:
            raise ConfigError(str(error)) from error

    def setup(self, num_envs: int) -> None:
        """Get a memory for ``num_envs`` instances.

        What was learned stays. With another number than before, an unfinished rollout is
        dropped.

        Args:
            num_envs: Number of instances in the scope.

        Raises:
            ConfigError: A rollout has fewer samples than mini-batches.
        """
        self.check_scope(num_envs)
        self._learner.allocate(num_envs)
        super().setup(num_envs)

    def act(
        self,
        observations: Any,
        *,
        states: Any = None,
        timestep: int = 0,
        timesteps: int = 0,
        deterministic: bool = False,
    ) -> torch.Tensor:
        """Choose actions.

        Args:
            observations: Tensors ``[num_envs, ...]``.
            states: Not used: the policy sees observations only.
            timestep: Not used.
            timesteps: Not used.
            deterministic: Whether to return the most probable actions; nothing is drawn then.

        Returns:
            Actions ``[num_envs, ...]`` of the action space.
        """
        return self._learner.act(
            observations, deterministic=deterministic, generators=self._evaluation
        )

    def record_transition(
        self, transition: Transition, *, timestep: int = 0, timesteps: int = 0
    ) -> None:
        """Remember what the last actions led to."""
        self._learner.record(transition)

    def post_interaction(self, *, timestep: int, timesteps: int) -> None:
        """Learn, when a rollout is complete.

        Raises:
            NonFiniteLoss: A loss or gradient is NaN or infinite; the weights are those from
                before it.
        """
        if not self._learner.ready_to_learn:
            return
        try:
            (scalars,) = self._learner.update(timestep=timestep, timesteps=timesteps)
        except NonFiniteLoss as error:
            raise NonFiniteLoss(f"agent {self.name or self.kind!r}: {error}") from None
        for name, value in scalars.items():
            self.track(name, value)

    def episodes_cut(self) -> None:
        """Treat the last recorded step as truncated: its episode will not go on."""
        self._learner.cut()

    def enable_training_mode(self, enabled: bool = True) -> None:
        """Switch between training and evaluation.

        Evaluation draws from a generator of its own, started anew each time, so that it leaves
        the training's random numbers as they are.
        """
        super().enable_training_mode(enabled)
        self._learner.networks.train(enabled)
        self._evaluation = None
        if not enabled:
            generator = torch.Generator(device=self.device)
            generator.manual_seed(derive_seed(self.seed, "evaluation"))
            self._evaluation = (generator,)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that training changes, as copies: tensors and plain values.

        That is weights, optimiser, statistics, settings that can change, an unfinished rollout
        with its noise, and the generator: training goes on from it bit for bit.
        """
        return {**super().state_dict(), **member_state(self._learner)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` of an equal agent returned.

        Settings that can change (see :meth:`reconfigure`) are taken over too. An unfinished
        rollout is, if it is of as many instances and timesteps; otherwise a new one starts.

        Raises:
            CheckpointMismatch: The state belongs to another agent; nothing was changed.
        """
        own = {key: value for key, value in state.items() if key != "generator"}
        load_member_state(self._learner, own)
        super().load_state_dict(dict(state))
        self.cfg = self._learner.cfgs[0]

    def reconfigure(self, settings: Mapping[str, Any]) -> None:
        """Change settings between two timesteps.

        Args:
            settings: New values of learning_rate, discount_factor, gae_lambda, ratio_clip,
                value_clip, entropy_loss_scale, value_loss_scale, grad_norm_clip, kl_target or
                kl_threshold.

        Raises:
            ConfigError: A field is unknown, wrong, or can't change any more.
        """
        known = {field.name: getattr(self.cfg, field.name) for field in attrs.fields(PPOCfg)}
        cfg = structure(PPOCfg, {**known, **settings}, source=f"new settings of {self.kind!r}")
        fixed = [name for name in settings if name not in PER_MEMBER]
        if fixed:
            raise ConfigError(
                f"{', '.join(fixed)} can't change while the agent lives; "
                f"{', '.join(PER_MEMBER)} can"
            )
        self._learner.reconfigure(0, cfg)
        self.cfg = cfg
