"""One member in front of a learner: the agent that every algorithm is to the trainers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from gymnasium import spaces
from torch import nn

from coterie import Agent, Stack, StackKey, Transition, derive_seed

from .._models.user import check_models, may_draw_globally
from .differences import taking_over
from .errors import NonFiniteLoss
from .interface import Learner
from .stack import LearnerStack, stack_key


class LearnerAgent(Agent):
    """An agent whose algorithm is a :class:`Learner`; here the learner has one member.

    A subclass says :attr:`kind`, :attr:`config_class` and :attr:`learner_class`.

    Args:
        observation_space: Space of one instance's observation.
        action_space: Space of one instance's action.
        state_space: Space of one instance's privileged observation, or ``None``.
        device: Where the agent's tensors live.
        name: Name of the member; ``None``: the trainer gives it one.
        seed: Seed of everything random in the agent.
        cfg: An instance of :attr:`config_class`, a mapping of its fields, or ``None``.
        models: Your own modules, by name; ``None``: built from the settings. They are trained
            where they are and never copied.

    Raises:
        ConfigError: The settings, a space or a module can't be used.
    """

    learner_class: ClassVar[type[Learner]]
    """The algorithm."""

    dtype: ClassVar[torch.dtype] = torch.float32
    """Type of weights and losses."""

    uses_global_generators: ClassVar[bool] = False
    uses_infos: ClassVar[bool] = False
    keeps_transitions: ClassVar[bool] = False
    refuses_untouched: ClassVar[bool] = True

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
        own = None if models is None else check_models(models, self.learner_class.model_names)
        if own is not None and any(may_draw_globally(m) for m in own.values()):
            # A module of the user may draw (dropout does): it then needs streams of its own.
            self.uses_global_generators = True  # type: ignore[misc]
        self._learner = self.learner_class(
            observation_space=observation_space,
            action_space=action_space,
            state_space=state_space,
            cfgs=(self.cfg,),
            generators=(self.generator,),
            seeds=(self.seed,),
            device=self.device,
            dtype=self.dtype,
            models=None if own is None else (own,),
        )
        self._evaluation: tuple[torch.Generator, ...] | None = None
        self.models = dict(self._learner.modules)

    @property
    def learner(self) -> Learner:
        """The algorithm with this agent as its only member."""
        return self._learner

    def check_scope(self, num_envs: int) -> None:
        """Check that the agent can learn from ``num_envs`` instances.

        Raises:
            ConfigError: It can't; the message says what it needs.
        """
        self.learner_class.check_scope(self.cfg, num_envs)

    def setup(self, num_envs: int) -> None:
        """Get a memory for ``num_envs`` instances.

        What was learned stays. With another number than before, what is remembered of the
        instances is dropped.

        Args:
            num_envs: Number of instances in the scope.

        Raises:
            ConfigError: The agent can't learn from so many.
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
            states: Privileged observations, if there are any.
            timestep: Timestep from 0.
            timesteps: Number of timesteps in all.
            deterministic: Whether to return the best actions; nothing is drawn then.

        Returns:
            Actions ``[num_envs, ...]`` of the action space.
        """
        return self._learner.act(
            observations,
            states=states,
            timestep=timestep,
            timesteps=timesteps,
            deterministic=deterministic,
            generators=self._evaluation,
        )

    def record_transition(
        self, transition: Transition, *, timestep: int = 0, timesteps: int = 0
    ) -> None:
        """Remember what the last actions led to."""
        self._learner.record(transition)

    def post_interaction(self, *, timestep: int, timesteps: int) -> None:
        """Learn, when there is enough to learn from.

        Raises:
            NonFiniteLoss: A loss or gradient is NaN or infinite; the weights are those from
                before it.
        """
        learner = self._learner
        if not learner.ready_to_learn:
            return
        (scalars,) = learner.update(timestep=timestep, timesteps=timesteps)
        for error in learner.take_failures().values():
            learner.revive()
            raise NonFiniteLoss(f"agent {self.name or self.kind!r}: {error}")
        for name, value in scalars.items():
            self.track(name, value)

    def episodes_cut(self) -> None:
        """Treat the last recorded step as truncated: its episode will not go on."""
        self._learner.cut()

    def episodes_ended(self, ended: torch.Tensor) -> None:
        """Learn, in evaluation, where the next observations begin new episodes."""
        self._learner.episodes_ended(ended)

    def enable_training_mode(self, enabled: bool = True) -> None:
        """Switch between training and evaluation.

        Evaluation draws from a generator of its own, started anew each time, so that it leaves
        the training's random numbers as they are.
        """
        super().enable_training_mode(enabled)
        self._learner.train(enabled)
        self._evaluation = None if enabled else (self.evaluation_generator(),)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that training changes, as copies: tensors and plain values.

        That is weights, optimiser, statistics, settings that can change, the memory and the
        generator: training goes on from it bit for bit.
        """
        return {**super().state_dict(), **self._learner.member_state()}

    def handover(self) -> dict[str, Any]:
        """Return :meth:`state_dict` with what settings leave out of it, such as a memory."""
        return {**self.state_dict(), **self._learner.left_out()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` of an equal agent returned.

        Settings that can change (see :meth:`reconfigure`) are taken over too.

        Raises:
            CheckpointMismatch: The state belongs to another agent; nothing was changed.
        """
        own = {key: value for key, value in state.items() if key != "generator"}
        with taking_over(self.generator, state):
            self._learner.load_member_state(own)
        self.cfg = self._learner.cfgs[0]

    def learned(self) -> dict[str, Any]:
        """Return weights, optimiser, statistics and settings that can change, as copies.

        An algorithm that learns from its latest steps adds those; a replay memory stays here.
        """
        return self._learner.learned()

    def inherit(self, learned: Mapping[str, Any]) -> None:
        """Go on with what another agent learned, with the own generator and replay memory.

        Raises:
            CheckpointMismatch: It belongs to another agent; nothing was changed.
        """
        self._learner.inherit(learned)
        self.cfg = self._learner.cfgs[0]

    @property
    def changeable(self) -> tuple[str, ...]:
        """Names of the settings that can change: those in the learner's ``per_member``."""
        return self.learner_class.per_member

    def reconfigure(self, settings: Mapping[str, Any]) -> None:
        """Change settings between two timesteps.

        Args:
            settings: New values of fields in :attr:`changeable`.

        Raises:
            ConfigError: A field is unknown, wrong, or can't change any more.
        """
        cfg = self.check_settings(settings)
        self._learner.reconfigure(0, cfg)
        self.cfg = cfg

    def evaluation_generator(self) -> torch.Generator:
        """Make the generator that an evaluation draws from, always the same."""
        seed = derive_seed(self.seed, "evaluation")
        return torch.Generator(device=self.device).manual_seed(seed)

    def stack_key(self) -> StackKey:
        """Say what the agent has in common with those that it can be stacked with."""
        return stack_key(self)

    def stack(self, agents: Sequence[LearnerAgent]) -> Stack:
        """Learn several agents, this one the first of them, as one."""
        return LearnerStack(agents)
