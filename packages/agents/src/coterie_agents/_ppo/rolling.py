"""Rollouts as compiled programs: policy and environment together, several timesteps in a call."""

from __future__ import annotations

import logging
import time
from collections.abc import Hashable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

import torch
from torch.utils._pytree import tree_flatten

from coterie import ConfigError, FunctionalEnv, Passage, Rollout, Tree
from coterie.spaces import tree_map

from .._heads.interface import Head
from .._models.inputs import NetworkInput
from .graph import Tensors, outputs_of
from .programs import Program, tensors_of, warn_of_compiler

if TYPE_CHECKING:
    from .._models.actor_critic import ActorCritic
    from .learner import PPOLearner

_log = logging.getLogger("coterie")

Scaling: TypeAlias = tuple[torch.Tensor, torch.Tensor] | None


class PPORollout(Rollout):
    """Members that act and record in one compiled program with their environment.

    A program belongs to one environment and one architecture, and goes through ``unit`` timesteps;
    all learners of a process share it. It is made by the first call, which takes seconds. Where
    it can't be made, for want of a C++ compiler for example, a warning says so, and members act
    step by step.

    The noise is that of single steps, bit for bit; a compiler may round otherwise in the last bit.

    Args:
        learner: The members.
        env: Their environment, of ``P * N`` instances.
        unit: Timesteps that are made one program.

    Raises:
        ConfigError: The members' networks are not built-in perceptrons, or see images or
            privileged observations.
    """

    def __init__(self, learner: PPOLearner, env: FunctionalEnv, unit: int) -> None:
        obstacle = _obstacle(learner)
        if obstacle:
            raise ConfigError(f"agents of the kind {learner.kind} {obstacle}")
        self.unit = unit
        self._learner, self._env = learner, env
        self._program: Program | None = None
        self._broken = False

    def room(self) -> int:
        """How many timesteps the rollout has left."""
        memory = self._learner.memory
        return 0 if self._broken or memory is None else memory.length - memory.position

    @torch.no_grad()
    def play(self, simulation: Any, observations: Tree, steps: int) -> Passage | None:
        """Act, step and record; ``None``: it could not be compiled."""
        learner = self._learner
        position, networks = learner.ready_memory().position, learner.networks
        scaler = networks.policy_input.scaler
        scaling = None if scaler is None else scaler.shift_and_width
        fixed = list(networks.policy._parameters.values()), networks.log_std, scaling
        noises = learner.noise_of_rollout()[position : position + steps]
        rows = noises.split_with_sizes([self.unit] * (steps // self.unit))
        try:
            program = self._find((*fixed, simulation, observations, rows[0]))
        except Exception as error:
            self._broken = True
            warn_of_compiler("compile_rollout", error)
            return None
        # In lists of tensors: to arrange them in trees at each call would take as long as acting.
        begun, kept = tensors_of(fixed), tensors_of((simulation, observations))
        parts = []
        for noise in rows:
            found = program.call(*begun, *kept, noise)
            kept = list(found[: len(kept)])
            parts.append(found[len(kept) :])
        columns = [torch.cat(own) for own in zip(*parts, strict=True)]
        simulation, observations, named = program.arrange([*kept, *columns])
        self._record(named)
        return Passage(simulation=simulation, next_observations=observations, **_told(named))

    def _record(self, columns: dict[str, Any]) -> None:
        learner = self._learner
        seen = learner.networks.policy_input
        flags = columns["terminated"], columns["truncated"]
        learner.ready_memory().write_steps(
            [
                *seen.leaves_of(columns["observations"]),
                *seen.leaves_of(columns["ends"]),
                columns["stored"],
                columns["rewards"],
                *flags,
                torch.ones_like(flags[0]),
            ]
        )
        learner.pending = None

    def _find(self, inputs: tuple[Any, ...]) -> Program:
        """Find the program for such inputs, or make it."""
        if self._program is not None:
            return self._program
        networks, activation = self._learner.networks, self._learner.cfg.model.activation
        place, head = networks.policy_input, networks.head
        own = _programs.setdefault(self._env, {})
        key = self.unit, activation, *_kind(networks), *_shapes(inputs)
        if key not in own:
            start = time.perf_counter()
            function = partial(passage, self._env, place, head, activation, self.unit)
            own[key] = Program(function, inputs)
            seconds = time.perf_counter() - start
            self._learner.compile_seconds += seconds
            _log.info("compiled rollouts of %d timesteps in %.1f s", self.unit, seconds)
        self._program = own[key]
        return self._program


def passage(
    env: FunctionalEnv,
    place: NetworkInput,
    head: Head,
    activation: str,
    steps: int,
    policy: Tensors,
    log_std: torch.Tensor | None,
    scaling: Scaling,
    simulation: Any,
    observations: Tree,
    noise: torch.Tensor,
) -> tuple[Any, Tree, dict[str, Any]]:
    """Act and step several times: the function that is compiled.

    Args:
        env: The environment.
        place: What the policy takes in.
        head: Distribution of the actions.
        activation: Of the policy.
        steps: Number of timesteps, K.
        policy: Weights and biases of the policy, ``[P, ...]``.
        log_std: ``[P, size]`` where the head learns one.
        scaling: What features are scaled by; ``None``: they are not.
        simulation: Where the environment is.
        observations: What the first actions answer, tensors ``[P * N, ...]``.
        noise: ``[K, P, N, noise_size]``.

    Returns:
        Where the environment is then, what the next actions answer, and by name what there was of
        each timestep, tensors ``[K, P * N, ...]``.
    """
    rows = []
    for step in range(steps):
        features = place.features_of(observations)
        outputs = outputs_of(policy, _scaled(features, scaling, place), activation)
        stored = head.sample(outputs, log_std, noise[step]).flatten(0, 1)
        actions = head.to_env(stored)
        simulation, outcome = env.advance(simulation, actions)
        rows.append(
            {
                "observations": observations,
                "stored": stored,
                "actions": actions,
                "rewards": outcome.rewards,
                "ends": outcome.final_obs,
                "terminated": outcome.terminated,
                "truncated": outcome.truncated,
            }
        )
        observations = outcome.observations
    return simulation, observations, tree_map(lambda *column: torch.stack(column), *rows)


def _scaled(features: torch.Tensor, scaling: Scaling, place: NetworkInput) -> torch.Tensor:
    if scaling is None or place.scaler is None:
        return features
    shift, width = scaling
    scaled, clip = (features - shift) / width, place.scaler.clip
    return scaled if clip is None else scaled.clamp(-clip, clip)


def _told(columns: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the memory alone is for."""
    return {name: column for name, column in columns.items() if name != "stored"}


def _obstacle(learner: PPOLearner) -> str:
    """Say why members can't act in a compiled program; empty: they can."""
    networks = learner.networks
    if not getattr(networks, "backward_by_hand", False):
        return (
            "can act in compiled rollouts with built-in perceptrons with tanh, relu or elu in full "
            "precision, but not with these networks"
        )
    if networks.policy_input is not networks.value_input:
        return "can't act in compiled rollouts where there are privileged observations"
    return ""


def _kind(networks: ActorCritic) -> tuple[Hashable, ...]:
    head, place = networks.head, networks.policy_input
    clip = None if place.scaler is None else place.scaler.clip
    return type(head), repr(sorted(vars(head).items())), repr(place.space), place.dtype, clip


def _shapes(inputs: Any) -> tuple[Hashable, ...]:
    leaves, structure = tree_flatten(inputs)
    shapes = [(tuple(leaf.shape), leaf.dtype, leaf.device) for leaf in leaves if leaf is not None]
    return str(structure), *shapes, torch.get_num_threads()


_programs: WeakKeyDictionary[FunctionalEnv, dict[Any, Program]] = WeakKeyDictionary()
