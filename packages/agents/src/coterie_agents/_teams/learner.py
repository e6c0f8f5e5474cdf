"""PPO for teams: groups of actors that are learned beside each other."""

from __future__ import annotations

import abc
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar, cast

import torch
from attrs import evolve
from gymnasium import spaces
from torch import nn

from coterie import ConfigError, TeamTransition

from .._ippo.cfg import IPPOCfg
from .._learning.differences import require_fit
from .._learning.errors import NonFiniteLoss
from .._learning.interface import Learner
from .._ppo.cfg import PER_MEMBER
from .._ppo.state import learned_state
from .actors import ActorsLearner
from .critics import Critic
from .groups import Group, group_actors, network_seed
from .scalars import merge_scalars


class TeamLearner(Learner):
    """``P`` teams, each with a policy and a value network for every actor or kind of actor.

    The networks of actors with equal spaces are learned by one PPO learner: as one network on the
    rows of all of them, or stacked, as if each actor were a member of its own. Losses, advantages,
    statistics and optimiser steps are PPO's; rows of actors that are gone have no part in them.

    The arguments are those of :class:`~coterie_agents.Learner`; models are a ``policy`` and a
    ``value`` module, which all actors share.

    Raises:
        ConfigError: A space or a module can't be used, or there are modules of the user for
            actors that share no networks.
        ValueError: Settings differ that may not.

    Attributes:
        actors: Names of the actors.
        groups: What learns, with the actors that it learns for.
    """

    per_member: ClassVar[tuple[str, ...]] = PER_MEMBER
    model_names: ClassVar[tuple[str, ...]] = ("policy", "value")

    cfg: IPPOCfg
    cfgs: tuple[IPPOCfg, ...]
    observation_space: spaces.Dict
    action_space: spaces.Dict

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.actors = tuple(self.observation_space)
        self.critic = self.make_critic()
        groups = group_actors(
            self.observation_space,
            self.action_space,
            self.critic.spaces,
            self.cfg.sharing,
            self.cfg.actor_id,
        )
        if self.own_models is not None:
            self._check_shared(groups)
        self.groups = tuple(map(self._learn, groups))

    @abc.abstractmethod
    def make_critic(self) -> Critic:
        """Say what the value networks see."""

    def _check_shared(self, groups: Sequence[Group]) -> None:
        if len(groups) == 1 and groups[0].networks == 1:
            return
        owners = [", ".join(g.actors) if g.shared else "; ".join(g.actors) for g in groups]
        raise ConfigError(
            "models: your own modules are for networks that all actors share, but there are "
            f"several: of {'; of '.join(owners)}. Give all actors equal spaces and sharing = "
            "'shared', or leave models out"
        )

    def _learn(self, group: Group) -> ActorsLearner:
        def each(of_teams: Sequence[Any]) -> list[Any]:
            return [own for own in of_teams for _ in group.names]

        seeds = [network_seed(s, self.actors, name) for s in self.seeds for name in group.names]
        return ActorsLearner(
            group=group,
            teams=self.population,
            cfgs=each(self.cfgs),
            generators=each(self.generators),
            seeds=seeds,
            device=self.device,
            dtype=self.dtype,
            models=self.own_models,
        )

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The networks by name; with that of the group's first actor where there are several."""
        if len(self.groups) == 1:
            return self.groups[0].modules
        return {
            f"{name}/{learner.group.actors[0]}": module
            for learner in self.groups
            for name, module in learner.modules.items()
        }

    def check_instances(self, num_envs: int) -> None:
        """Check that rollouts of ``num_envs`` instances can be cut into the mini-batches.

        Raises:
            ConfigError: They have fewer samples than there are mini-batches.
        """
        for learner in self.groups:
            learner.check_scope(self.cfg, learner.group.instances(num_envs))

    def allocate(self, num_envs: int) -> None:
        """Get memories for ``num_envs`` instances per team; keeps those that fit.

        Raises:
            ConfigError: A rollout has fewer samples than mini-batches.
        """
        for learner in self.groups:
            learner.allocate(learner.group.instances(num_envs))

    def act(  # type: ignore[override]
        self,
        observations: Any,
        *,
        states: Any = None,
        timestep: int = 0,
        timesteps: int = 0,
        deterministic: bool = False,
        generators: Sequence[torch.Generator] | None = None,
    ) -> dict[str, torch.Tensor]:
        """Choose actions.

        Args:
            observations: By actor, tensors ``[P * N, ...]``.
            states: Not used: policies see observations only.
            timestep: Not used.
            timesteps: Not used.
            deterministic: Whether to take the most probable actions.
            generators: Draw fresh noise from these and remember nothing: for evaluation.

        Returns:
            Actions of the actors' spaces by actor, ``[P * N, ...]``.
        """
        actions: dict[str, torch.Tensor] = {}
        for learner in self.groups:
            own = None if generators is None else learner.each(generators)
            actions |= learner.act_for(observations, deterministic=deterministic, generators=own)
        return {actor: actions[actor] for actor in self.actors}

    @torch.no_grad()
    def record(self, transition: Any) -> None:
        """Remember one timestep.

        Args:
            transition: A :data:`~coterie.TeamTransition` with tensors ``[P * N, ...]``.

        Raises:
            ValueError: States are missing.
        """
        step = cast(TeamTransition, transition)
        states, next_states = self.critic.seen(step)
        for learner in self.groups:
            learner.record_for(step, states, next_states)

    @property
    def ready_to_learn(self) -> bool:
        """Whether a whole rollout was recorded."""
        return self.groups[0].ready_to_learn

    def cut(self) -> None:
        """Treat the last recorded timestep as truncated."""
        for learner in self.groups:
            learner.cut()

    def update(self, *, timestep: int, timesteps: int) -> list[dict[str, float]]:
        """Learn from the rollout and start a new one.

        A team with a loss that is not finite is frozen as a whole from there on; what others of
        its groups learned in this update stays.

        Args:
            timestep: Timestep from 0.
            timesteps: Number of timesteps in all.

        Returns:
            Scalars of each team, by name.
        """
        found: list[dict[str, dict[str, float]]] = [{} for _ in self.cfgs]
        for learner in self.groups:
            learner.alive = learner.mask(self.alive)
            rows = learner.update(timestep=timestep, timesteps=timesteps)
            self.alive = learner.living
            for team, own in enumerate(found):
                of_team = [rows[member] for member in learner.members_of(team)]
                own |= dict(zip(learner.group.names, of_team, strict=True))
        self.updates = [count + 1 for count in self.updates]
        return [merge_scalars(own) for own in found]

    def take_failures(self) -> dict[int, NonFiniteLoss]:
        """Hand over what froze teams since the last call, by position."""
        failures: dict[int, NonFiniteLoss] = {}
        for learner in self.groups:
            names = learner.group.names
            for member, error in learner.take_failures().items():
                team, place = divmod(member, len(names))
                told = NonFiniteLoss(f"actor {names[place]!r}: {error}", (team,))
                failures.setdefault(team, told)
        return failures

    def revive(self) -> None:
        """Let frozen teams learn again."""
        super().revive()
        for learner in self.groups:
            learner.revive()

    def train(self, enabled: bool) -> None:
        """Switch the networks between training and evaluation."""
        for learner in self.groups:
            learner.train(enabled)

    def settings_changed(self, member: int, before: Any) -> None:
        """Give a team's new settings to all of its networks."""
        for learner in self.groups:
            for position in learner.members_of(member):
                learner.reconfigure(position, self.cfgs[member])

    def example_inputs(self) -> Mapping[str, Any]:
        """Return two observations for each of a user's modules."""
        return self.groups[0].example_inputs()

    def release(self) -> None:
        """Give the memories back."""
        for learner in self.groups:
            learner.release()

    def member_state(self, member: int = 0) -> dict[str, Any]:
        """Return a team's state: settings, and for each pair of networks what PPO has."""
        return {
            "settings": self.settings_of(member),
            "updates": self.updates[member],
            "actors": {
                name: learner.member_state(position)
                for learner in self.groups
                for name, position in zip(
                    learner.group.names, learner.members_of(member), strict=True
                )
            },
        }

    def load_member_state(self, state: Mapping[str, Any], member: int = 0) -> None:
        """Take over what :meth:`member_state` returned; nothing is changed if it does not fit.

        An unfinished rollout is taken over where its length and its number of instances are
        those of the learner (or the learner has no memory yet); otherwise a new one starts.

        Raises:
            CheckpointMismatch: It belongs to another architecture; every difference is listed.
        """
        require_fit(_fixed(self.member_state(member)), _fixed(state), self.kind)
        self.reconfigure(member, evolve(self.cfgs[member], **state["settings"]))
        for learner in self.groups:
            for name, position in zip(learner.group.names, learner.members_of(member), strict=True):
                learner.load_member_state(state["actors"][name], position)
        self.updates[member] = int(state["updates"])

    def learned(self, member: int = 0) -> dict[str, Any]:
        """Return a team's settings, and for each pair of networks what PPO hands over."""
        state = self.member_state(member)
        actors = {name: learned_state(own) for name, own in state["actors"].items()}
        return {**state, "actors": actors}

    def phase(self) -> Hashable:
        """How far the rollout is, and of what size; 0: at its start."""
        return self.groups[0].phase()

    @classmethod
    def phase_of(cls, state: Mapping[str, Any]) -> Hashable:
        """Tell the phase from what :meth:`member_state` returned."""
        return ActorsLearner.phase_of(next(iter(state["actors"].values())))


def _fixed(state: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of a team's state what may have another size: unfinished rollouts."""
    actors = state.get("actors")
    if not isinstance(actors, Mapping):
        return dict(state)
    kept = {
        name: {key: value for key, value in own.items() if key != "rollout"}
        if isinstance(own, Mapping)
        else own
        for name, own in actors.items()
    }
    return {**state, "actors": kept}
