"""A stack and its environment, that go through several timesteps in one call."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from coterie import ConfigError, FunctionalEnv, Passage, Rollout, Rollouts, Tree, VectorEnv

if TYPE_CHECKING:
    from ._driver import StackDriver
    from ._group import FusedGroup


class StackRollouts(Rollouts):
    """The rollouts of a population, for as long as it is one healthy stack.

    Groups and stacks may be formed anew between two timesteps; each stack gets a rollout of its
    own.

    Args:
        group: Returns the population as it is.
        env: Its environment.
        unit: Timesteps that are made one program.
    """

    def __init__(self, group: Callable[[], FusedGroup], env: Any, unit: int) -> None:
        self.unit = unit
        self._group, self._env = group, env
        self._stack: StackDriver | None = None
        self._rollout: Rollout | None = None
        self._timestep = self._timesteps = 0

    def room(self) -> int:
        """How many timesteps the stack can go through before it learns; 0: it is not whole."""
        stack = self._group().whole_stack()
        if stack is None:
            return 0
        if stack is not self._stack:
            self._stack, self._rollout = stack, stack.stack.rollout(self._env, self.unit)
        assert self._rollout is not None
        return self._rollout.room()

    def begin(self, *, timestep: int, timesteps: int, cut: bool) -> None:
        """Take note of where a run is."""
        self._timestep, self._timesteps = timestep, timesteps
        self._group().go_to(timestep, timesteps, cut=cut)

    def play(self, simulation: Any, observations: Tree, steps: int) -> Passage | None:
        """Let the stack and the environment go through some timesteps."""
        assert self._stack is not None
        assert self._rollout is not None
        start = time.perf_counter()
        passage: Passage | None = self._stack.guarded(
            "act", self._rollout.play, simulation, observations, steps
        )
        seconds = self._stack.seconds
        seconds["rollout"] = seconds.get("rollout", 0.0) + time.perf_counter() - start
        self._timestep += steps
        self._group().settle_failures()
        return passage

    def learn(self) -> None:
        """Let the stack learn, if there is enough to learn from."""
        assert self._stack is not None
        stack, last = self._stack, self._timestep - 1
        self._group().go_to(last, self._timesteps, cut=False)
        stack.guarded("post_interaction", stack.learn)
        self._group().settle_failures()


def check_rollouts(rollouts: StackRollouts, group: FusedGroup) -> None:
    """Check that a healthy population can go through several timesteps in one call.

    Raises:
        ConfigError: It can't; the message says why.
    """
    setting = f"compile_rollout = {rollouts.unit}"
    if group.whole_stack() is None:
        raise ConfigError(
            f"{setting}: rollouts can be compiled where one stack holds every agent and owns every "
            f"instance, in order; here it is:\n{group.placement}\nLeave compile_rollout out"
        )
    try:
        rollouts.room()
    except ConfigError as error:
        raise ConfigError(f"{setting}: {error}; leave compile_rollout out") from error


def check_environment(env: VectorEnv, unit: int, *, headless: bool) -> None:
    """Check that the step of an environment can be compiled.

    Raises:
        ConfigError: It can't; the message says why.
    """
    setting = f"compile_rollout = {unit}"
    if not isinstance(env, FunctionalEnv):
        raise ConfigError(
            f"{setting}: the step of {env.name} is no function of tensors, which can be compiled; "
            "take an environment of the kind 'torch:', or leave compile_rollout out"
        )
    if not headless and getattr(env, "render_mode", None) is not None:
        raise ConfigError(
            f"{setting}: timesteps in the middle of a program can't be drawn: set headless = true, "
            "or leave compile_rollout out"
        )
