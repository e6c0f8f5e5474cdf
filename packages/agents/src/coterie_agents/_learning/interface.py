"""The contract of an algorithm: members of one architecture that are learned as one."""

from __future__ import annotations

import abc
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import torch
from gymnasium import spaces
from torch import nn

from coterie import ConfigError, FunctionalEnv, Rollout, Transition

from .errors import NonFiniteLoss
from .settings import common_settings

_Check: TypeAlias = tuple[torch.Tensor, Mapping[str, torch.Tensor], str, list[int]]


class Learner(abc.ABC):
    """``P`` members with stacked networks, one optimiser and one memory; ``P`` may be 1.

    Tensors that come in and go out have the leading dimension ``P * N``: the ``N`` instances of
    the first member, then those of the second, and so on. What a member computes may not depend
    on the others: sums run within a member, and each draws from a generator of its own, in
    the order in which it would alone.

    An algorithm calls this constructor first and then builds its networks. It copies what it
    remembers of the tensors that it is given.

    Args:
        observation_space: Space of one instance's observation.
        action_space: Space of one instance's action.
        state_space: Space of one instance's privileged observation, or ``None``.
        cfgs: Settings of each member; they may differ in :attr:`per_member` only.
        generators: Random generator of each member, on the device.
        seeds: Seeds that the members' initial weights are drawn from.
        device: Where everything lives.
        dtype: Type of weights and losses.
        models: Each member's own modules by name; ``None``: built-in ones.

    Raises:
        ConfigError: A space or a module can't be used.
        ValueError: Settings differ that may not.

    Attributes:
        cfg: The first member's settings, for what all have in common.
        cfgs: Settings of each member.
        generators: Random generator of each member.
        updates: Updates that each member has made.
        alive: bool ``[P]``: members that still learn; ``None``: all.
        looks: Whether the host looks at the losses of each optimiser step. An accelerator would
            stall, so there it looks once per update (:meth:`take_failures`).
    """

    kind: ClassVar[str]
    """Name of the algorithm, for messages."""

    per_member: ClassVar[tuple[str, ...]] = ()
    """Settings that may differ between members, and change while they live."""

    model_names: ClassVar[tuple[str, ...]] = ()
    """Names of the modules that a user may bring."""

    def __init__(
        self,
        *,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        state_space: spaces.Space[Any] | None = None,
        cfgs: Sequence[Any],
        generators: Sequence[torch.Generator],
        seeds: Sequence[int],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        models: Sequence[Mapping[str, nn.Module]] | None = None,
    ) -> None:
        self.observation_space, self.action_space = observation_space, action_space
        self.state_space = state_space
        self.cfgs = tuple(cfgs)
        self.cfg = common_settings(self.cfgs, self.per_member)
        self.generators = list(generators)
        self.seeds = tuple(seeds)
        self.device, self.dtype = torch.device(device), dtype
        self.own_models = None if models is None else tuple(models)
        self.updates = [0] * len(self.cfgs)
        self.alive: torch.Tensor | None = None
        self.looks = self.device.type == "cpu"
        self._failures: dict[int, NonFiniteLoss] = {}
        self._unseen: list[_Check] = []

    @property
    def population(self) -> int:
        """Number of members, P."""
        return len(self.cfgs)

    @classmethod
    def check_scope(cls, cfg: Any, num_envs: int) -> None:
        """Check that members with these settings can learn from ``num_envs`` instances.

        Raises:
            ConfigError: They can't.
        """

    @property
    @abc.abstractmethod
    def modules(self) -> Mapping[str, nn.Module]:
        """The networks by name, with a leading population axis or, of one member, the user's."""

    @abc.abstractmethod
    def allocate(self, num_envs: int) -> None:
        """Get a memory for ``num_envs`` instances per member; keeps one that fits.

        Raises:
            ConfigError: The members can't learn from so many.
        """

    @abc.abstractmethod
    def act(
        self,
        observations: Any,
        *,
        states: Any = None,
        timestep: int = 0,
        timesteps: int = 0,
        deterministic: bool = False,
        generators: Sequence[torch.Generator] | None = None,
    ) -> torch.Tensor:
        """Choose actions.

        Args:
            observations: Tensors ``[P * N, ...]``.
            states: Privileged observations, or ``None``.
            timestep: Timestep from 0.
            timesteps: Number of timesteps in all.
            deterministic: Whether to take the best actions: nothing is drawn.
            generators: Draw from these and remember nothing: for evaluation.

        Returns:
            Actions of the space, ``[P * N, ...]``.
        """

    @abc.abstractmethod
    def record(self, transition: Transition) -> None:
        """Remember one timestep, with tensors ``[P * N, ...]``."""

    @property
    @abc.abstractmethod
    def ready_to_learn(self) -> bool:
        """Whether there is enough to learn from, after a timestep was recorded."""

    @abc.abstractmethod
    def update(self, *, timestep: int, timesteps: int) -> list[dict[str, float]]:
        """Learn.

        A member with a loss that is not finite is frozen (see :meth:`guard`): the others go on,
        bit for bit as if it had stayed well.

        Args:
            timestep: Timestep from 0.
            timesteps: Number of timesteps in all.

        Returns:
            Scalars of each member, by name.
        """

    def rollout(self, env: FunctionalEnv, unit: int) -> Rollout:
        """Get ready to act, step the environment and record several times in one call.

        Args:
            env: An environment of ``P * N`` instances.
            unit: Timesteps that are made one program.

        Raises:
            ConfigError: The algorithm acts step by step only, which is the default.
        """
        raise ConfigError(f"agents of the kind {self.kind} can act step by step only")

    @abc.abstractmethod
    def cut(self) -> None:
        """Treat the last recorded timestep as truncated: its episodes will not go on."""

    def episodes_ended(self, ended: torch.Tensor) -> None:
        """Learn, in evaluation, where the next observations begin new episodes: ``[P * N]``."""

    @abc.abstractmethod
    def member_state(self, member: int = 0) -> dict[str, Any]:
        """Return everything that training changes in a member but its generator, as copies.

        Tensors have no population axis: it is the state that the member would have alone.
        """

    def left_out(self, member: int = 0) -> dict[str, Any]:
        """Return the parts of a member's state that settings leave out of :meth:`member_state`.

        Together they are all that another learner of this member goes on from in the same run.
        """
        return {}

    @abc.abstractmethod
    def load_member_state(self, state: Mapping[str, Any], member: int = 0) -> None:
        """Take over what :meth:`member_state` returned; nothing is changed if it does not fit.

        Raises:
            CheckpointMismatch: It belongs to another architecture; every difference is listed.
        """

    def learned(self, member: int = 0) -> dict[str, Any]:
        """Return what another member can go on with, as copies.

        That is a part of :meth:`member_state`: weights, optimiser, statistics and settings. A
        learner of latest steps hands those over too, the last of them truncated, with no random
        numbers; one with a replay memory keeps that.
        """
        return self.member_state(member)

    def inherit(self, learned: Mapping[str, Any], member: int = 0) -> None:
        """Let a member go on with what :meth:`learned` returned, and nobody else change.

        Raises:
            CheckpointMismatch: It belongs to another architecture; nothing was changed.
        """
        self.load_member_state(learned, member)

    def can_inherit(self, learned: Mapping[str, Any]) -> bool:
        """Whether :meth:`inherit` works while the others of a stack go on."""
        return bool(self.phase_of(learned) == self.phase())

    def phase(self) -> Hashable:
        """Where in its rhythm the learner stands: members are stacked only in the same phase.

        For example how much of a memory is filled.
        """
        return None

    @classmethod
    def phase_of(cls, state: Mapping[str, Any]) -> Hashable:
        """Tell the phase from what :meth:`member_state` returned."""
        return None

    def example_inputs(self) -> Mapping[str, Any]:
        """Return what each of a user's modules takes in, two samples, by the modules' names.

        For the check whether they can be stacked.
        """
        return {}

    def release(self) -> None:
        """Give the memory back, while a stack has its contents.

        What :meth:`load_member_state` gets next brings it again.
        """

    def train(self, enabled: bool) -> None:
        """Switch the networks between training and evaluation."""
        for module in self.modules.values():
            module.train(enabled)

    def reconfigure(self, member: int, cfg: Any) -> None:
        """Give a member new settings, which may differ from the old in :attr:`per_member` only.

        Raises:
            ValueError: They differ in something else.
        """
        cfgs = list(self.cfgs)
        before, cfgs[member] = cfgs[member], cfg
        self.cfg = common_settings(cfgs, self.per_member)
        self.cfgs = tuple(cfgs)
        self.settings_changed(member, before)

    def settings_changed(self, member: int, before: Any) -> None:
        """Take note that ``cfgs[member]`` is new; ``before`` is what it was."""

    def settings_of(self, member: int) -> dict[str, Any]:
        """Return a member's settings that can change, for its state."""
        return {name: getattr(self.cfgs[member], name) for name in self.per_member}

    def guard(
        self, total: torch.Tensor, parts: Mapping[str, torch.Tensor], advice: str = ""
    ) -> torch.Tensor | None:
        """Freeze members whose losses are not finite, before their weights are spoiled.

        Args:
            total: ``[P]``: not finite where anything of a member is not.
            parts: What ``total`` consists of, by name, ``[P]`` each.
            advice: What may help, for the message.

        Returns:
            bool ``[P]``: members that may make the next step; ``None``: all.
        """
        if self.alive is not None:
            total = torch.where(self.alive, total, 0.0)
        if not self.looks:
            self._unseen.append((total, parts, advice, list(self.updates)))
            well = torch.isfinite(total)
            self.alive = well if self.alive is None else self.alive & well
            return self.alive
        if math.isfinite(float(total.sum())):
            return self.alive
        bad = ~torch.isfinite(total)
        for member in bad.nonzero().flatten().tolist():
            self._note_failure(member, parts, advice, self.updates)
        self.alive = ~bad if self.alive is None else self.alive & ~bad
        return self.alive

    def _note_failure(
        self, member: int, parts: Mapping[str, torch.Tensor], advice: str, updates: list[int]
    ) -> None:
        numbers = {name: float(part[member]) for name, part in parts.items()}
        wrong = ", ".join(f"{k} is {v}" for k, v in numbers.items() if not math.isfinite(v))
        self._failures[member] = NonFiniteLoss(
            f"{wrong or 'the loss is not finite'} in update {updates[member] + 1}; the "
            f"weights are those from before. {advice}".strip(),
            (member,),
        )

    def look(self) -> None:
        """Look at the losses that nobody has looked at yet: at the end of an update."""
        unseen, self._unseen = self._unseen, []
        if not unseen:
            return
        bad = ~torch.isfinite(torch.stack([check[0] for check in unseen]))
        for step, member in bad.nonzero().tolist():
            self._note_failure(member, *unseen[step][1:])
        if self.alive is not None and bool(self.alive.all()):
            self.alive = None

    def take_failures(self) -> dict[int, NonFiniteLoss]:
        """Hand over what froze members since the last call, by position."""
        self.look()
        failures, self._failures = self._failures, {}
        return failures

    def revive(self) -> None:
        """Let frozen members learn again."""
        self.alive = None
