"""Several agents of one algorithm and architecture, learned as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import torch

from coterie import FunctionalEnv, Rollout, Stack, StackKey, Transition

from .._models.stacking import architecture, obstacle
from .differences import taking_over
from .keys import device_key, space_key

if TYPE_CHECKING:
    from .agent import LearnerAgent


def stack_key(agent: LearnerAgent) -> StackKey:
    """Say what an agent has in common with those that it can be stacked with."""
    learner = agent.learner
    fixed = [
        field.name
        for field in attrs.fields(agent.config_class)
        if field.name not in agent.learner_class.per_member
    ]
    models = learner.own_models
    return StackKey(
        parts={
            "class": type(agent),
            "device": device_key(agent.device),
            "type of weights": agent.dtype,
            "number of instances": agent.num_envs,
            "observation_space": space_key(agent.observation_space),
            "action_space": space_key(agent.action_space),
            "state_space": space_key(agent.state_space),
            **{f"setting {name}": repr(getattr(agent.cfg, name)) for name in fixed},
            "models": None if models is None else architecture(models[0]),
            "phase": learner.phase(),
        },
        obstacle="" if models is None else obstacle(models[0], learner.example_inputs()),
    )


class LearnerStack(Stack):
    """Agents behind one learner.

    The agents' generators are shared: what the stack draws, they have drawn. Their memories are
    given back while the stack has their contents.

    Args:
        agents: Agents with equal keys.
    """

    def __init__(self, agents: Sequence[LearnerAgent]) -> None:
        first = agents[0]
        models = [agent.learner.own_models for agent in agents]
        self.agents = tuple(agents)
        self.learner = first.learner_class(
            observation_space=first.observation_space,
            action_space=first.action_space,
            state_space=first.state_space,
            cfgs=[agent.cfg for agent in agents],
            generators=[agent.generator for agent in agents],
            seeds=[agent.seed for agent in agents],
            device=first.device,
            dtype=first.dtype,
            models=None if models[0] is None else [own[0] for own in models if own],
        )
        if first.num_envs is not None:
            self.learner.allocate(first.num_envs)
        for position, agent in enumerate(agents):
            own = agent.learner
            state = {**own.member_state(), **own.left_out()}
            self.learner.load_member_state(state, position)
            own.release()
        self._evaluation: tuple[torch.Generator, ...] | None = None
        self._tracked: list[dict[str, list[float]]] = [{} for _ in agents]

    @property
    def population(self) -> int:
        """Number of agents, P."""
        return len(self.agents)

    def enable_training_mode(self, enabled: bool = True) -> None:
        """Switch all of them; each draws in evaluation what it would alone."""
        self.learner.train(enabled)
        self._evaluation = None
        if not enabled:
            self._evaluation = tuple(agent.evaluation_generator() for agent in self.agents)

    def act(
        self,
        observations: Any,
        *,
        states: Any = None,
        timestep: int,
        timesteps: int,
        deterministic: bool = False,
    ) -> Any:
        """Choose actions ``[P * n, ...]``."""
        return self.learner.act(
            observations,
            states=states,
            timestep=timestep,
            timesteps=timesteps,
            deterministic=deterministic,
            generators=self._evaluation,
        )

    def record_transition(self, transition: Transition, *, timestep: int, timesteps: int) -> None:
        """Take note of a step."""
        self.learner.record(transition)

    def rollout(self, env: FunctionalEnv, unit: int) -> Rollout:
        """Get ready to act, step the environment and record several times in one call."""
        return self.learner.rollout(env, unit)

    def post_interaction(self, *, timestep: int, timesteps: int) -> Mapping[int, Exception]:
        """Learn, when there is enough to learn from; return who was frozen and why."""
        if not self.learner.ready_to_learn:
            return {}
        scalars = self.learner.update(timestep=timestep, timesteps=timesteps)
        failures = self.learner.take_failures()
        for position, (own, tracked) in enumerate(zip(scalars, self._tracked, strict=True)):
            if position not in failures:
                for name, value in own.items():
                    tracked.setdefault(name, []).append(value)
        return failures

    def episodes_cut(self) -> None:
        """Treat the last recorded step as truncated."""
        self.learner.cut()

    def episodes_ended(self, ended: torch.Tensor) -> None:
        """Learn, in evaluation, where the next observations begin new episodes."""
        self.learner.episodes_ended(ended)

    def metrics(self) -> list[dict[str, float]]:
        """Hand over the means of each agent's scalars, and those that it had before."""
        means = [
            {**agent.metrics(), **{name: sum(v) / len(v) for name, v in tracked.items()}}
            for agent, tracked in zip(self.agents, self._tracked, strict=True)
        ]
        for tracked in self._tracked:
            tracked.clear()
        return means

    def state_dict(self, position: int) -> dict[str, Any]:
        """Return an agent's state."""
        generator = self.agents[position].generator.get_state()
        return {"generator": generator, **self.learner.member_state(position)}

    def handover(self, position: int) -> dict[str, Any]:
        """Return an agent's state with what settings leave out of it."""
        return {**self.state_dict(position), **self.learner.left_out(position)}

    def fits(self, state: Mapping[str, Any]) -> bool:
        """Whether the state is of the phase that the learner is in."""
        try:
            return bool(self.learner.phase_of(state) == self.learner.phase())
        except (KeyError, TypeError):
            return True  # it belongs to something else: loading says how it differs

    def load_state_dict(self, position: int, state: Mapping[str, Any]) -> None:
        """Give an agent a state."""
        own = {key: value for key, value in state.items() if key != "generator"}
        with taking_over(self.agents[position].generator, state):
            self.learner.load_member_state(own, position)
        self.agents[position].cfg = self.learner.cfgs[position]

    def learned(self, position: int) -> dict[str, Any]:
        """Return what another agent can go on with."""
        return self.learner.learned(position)

    def inherit(self, position: int, learned: Mapping[str, Any]) -> bool:
        """Let an agent go on with what another learned, if it is in the rhythm of the stack."""
        try:
            fits = self.learner.can_inherit(learned)
        except (KeyError, TypeError, AttributeError):
            fits = True  # it belongs to something else: loading says how it differs
        if fits:
            self.learner.inherit(learned, position)
            self.agents[position].cfg = self.learner.cfgs[position]
        return fits

    def reconfigure(self, position: int, settings: Mapping[str, Any]) -> None:
        """Change an agent's settings."""
        agent = self.agents[position]
        cfg = agent.check_settings(settings)
        self.learner.reconfigure(position, cfg)
        agent.cfg = cfg

    def unstack(self, position: int) -> None:
        """Bring what an agent learned home, with scalars that nobody asked for yet."""
        agent = self.agents[position]
        agent.load_state_dict(self.handover(position))
        for name, values in self._tracked[position].items():
            for value in values:
                agent.track(name, value)
        self._tracked[position].clear()
