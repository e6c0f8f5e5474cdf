"""What every environment must do; inherit it to test yours."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Set
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from .._agents.interface import Agent
from .._agents.transition import Transition
from .._envs.functional import FunctionalEnv
from .._envs.interface import VectorEnv
from .._envs.team_boundary import make_boundary
from .._errors import EnvContractError
from .._executors.cutting import cut_infos
from .._spaces import build_tree, leaf_of, sample_actions, space_leaves
from .._trainers.sequential import SequentialTrainer
from .._trees import tree_leaves, tree_map
from .._types import Tree
from ._agents import SumAgent
from ._closing import (
    HANGING,
    close_by_hanging,
    close_by_raising,
    left_over,
    living,
    program_that_ends,
)
from ._compare import numbers_of
from ._splitting import COUNT, Division
from ._training_runs import agents_for

_plain: dict[type, list[tuple[Any, ...]]] = {}


class EnvSuite:
    """Inherit this in a test class and implement :meth:`make_env`.

    .. code-block:: python

        class TestMyEnv(EnvSuite):
            def make_env(self, num_envs, seed):
                return MyEnv(num_envs, seed=seed)

    With random actions several episodes must end within :attr:`timesteps`.
    """

    timesteps = 120
    """Number of steps that the tests take."""

    infos_that_vary: ClassVar[Set[str]] = frozenset()
    """Keys of infos that differ from run to run, such as times of the clock."""

    states_that_vary: ClassVar[Set[str]] = frozenset()
    """Keys of dicts in states whose values differ from run to run, such as times of the clock."""

    _agent: ClassVar[type[Agent]] = SumAgent
    _bookkeeping: ClassVar[Set[str]] = frozenset()

    def make_env(self, num_envs: int, seed: int) -> VectorEnv:
        """Make the environment under test."""
        raise NotImplementedError

    def rollout(
        self, env: VectorEnv, seed: Any, timesteps: int | None = None
    ) -> list[tuple[Any, ...]]:
        """Step with random actions that depend on the instance and the step alone.

        Returns:
            For each step: observations that were answered, rewards, observations that the step
            ended in, terminated, truncated, valid; with teams each by actor, and last which
            episodes ended.
        """
        boundary = make_boundary(env, "raise")
        boundary.reset(seed)
        steps = []
        for timestep in range(timesteps or self.timesteps):
            taken = boundary.step(self.actions(env, timestep), timestep)
            steps.append(self._parts(taken))
        return steps

    def plain_rollout(self) -> list[tuple[Any, ...]]:
        """Return the rollout of three instances of the seed 0, as :meth:`rollout` does.

        The tests of a class share it, but for tests that set attributes of their own: change
        nothing in it.
        """
        known = {} if vars(self).keys() - self._bookkeeping else _plain
        if type(self) not in known:
            env = self.make_env(3, seed=0)
            known[type(self)] = self.rollout(env, self.seeds(env))
            env.close()
        return known[type(self)]

    def _parts(self, taken: Transition[Any]) -> tuple[Any, ...]:
        return (
            taken.observations,
            taken.rewards,
            taken.next_observations,
            taken.terminated,
            taken.truncated,
            taken.valid,
        )

    def done_of(self, step: tuple[Any, ...]) -> torch.Tensor:
        """Tell in which instances an episode ended in a step of :meth:`rollout`, bool ``[N]``."""
        done: torch.Tensor = step[3] | step[4]
        return done

    def actions(self, env: VectorEnv, timestep: int) -> Tree:
        """Draw the actions of one step: instance ``k`` gets the same whatever ``num_envs`` is."""
        draws = [
            sample_actions(
                env.action_space, 1, torch.Generator().manual_seed(1000 * timestep + instance)
            )
            for instance in range(env.num_envs)
        ]
        first, *others = draws
        return tree_map(lambda *rows: torch.cat(rows).to(env.device), first, *others)  # type: ignore[no-any-return]

    def raw_step(self, env: VectorEnv, timestep: int) -> tuple[Any, ...]:
        """Step without the loop's help; reset what waits for it. Return all but the infos."""
        return self.take_step(env, self.actions(env, timestep))[:4]

    def take_step(self, env: VectorEnv, actions: Tree) -> tuple[Any, ...]:
        """Do what :meth:`raw_step` does with these actions; return the infos too."""
        result = env.step(actions)
        done = result[2] | result[3]
        if env.autoreset_mode is AutoresetMode.DISABLED and bool(done.any()):
            env.reset(options={"reset_mask": done})
        return result

    def saved(self, env: VectorEnv) -> None:
        """Take note that the state of ``env`` was saved, between two calls of :meth:`raw_step`."""

    def restored(
        self,
        env: VectorEnv,
        other: VectorEnv,
        scope: slice = slice(None),
    ) -> None:
        """Take note that ``other`` was given the state that ``env`` saved, or a scope's part."""

    def seeds(self, env: VectorEnv, base: int = 0) -> Any:
        """Seeds for a reset: one per instance where the environment takes that."""
        return [base + k for k in range(env.num_envs)] if env.independent_streams else base

    def test_what_comes_out_fits_the_spaces(self) -> None:
        """Shapes, dtypes, devices and bounds are those of the spaces, at every step."""
        env = self.make_env(3, seed=0)
        for observed, rewards, ended, terminated, truncated, _ in self.plain_rollout():
            assert rewards.shape == terminated.shape == truncated.shape == (3,)
            for tree in (observed, ended):
                for leaf in space_leaves(env.observation_space):
                    tensor = leaf_of(tree, leaf.path)
                    assert (tensor.shape, tensor.dtype) == ((3, *leaf.shape), leaf.dtype)
        env.close()

    def test_episodes_end(self) -> None:
        """The suite means nothing unless episodes end within its steps."""
        assert sum(int(self.done_of(step).sum()) for step in self.plain_rollout()) > 2

    def test_same_seed_same_episodes(self) -> None:
        """One seed gives one rollout, another seed another."""
        rollouts = []
        for base in (0, 1):
            env = self.make_env(3, seed=base)
            rollouts.append(self.rollout(env, self.seeds(env, 100 * base)))
            env.close()
        assert _same(self.plain_rollout(), rollouts[0])
        assert not _same(self.plain_rollout(), rollouts[1])

    def test_resetting_with_a_seed_starts_over(self) -> None:
        """A reset with a seed undoes all that happened before."""
        env = self.make_env(3, seed=0)
        self.rollout(env, self.seeds(env), 17)
        assert _same(self.plain_rollout(), self.rollout(env, self.seeds(env)))
        env.close()

    def test_instances_are_independent(self) -> None:
        """An instance with a stream of its own does not depend on the others, bit for bit."""
        env = self.make_env(5, seed=0)
        if not env.independent_streams:
            pytest.skip("the instances of this environment share one stream")
        many = self.rollout(env, [10 + k for k in range(5)])
        env.close()
        for count in (1, 2):
            env = self.make_env(count, seed=0)
            few = self.rollout(env, [10 + k for k in range(count)])
            env.close()
            assert _same(few, [tuple(_first_rows(part, count) for part in step) for step in many])

    def test_infos_of_a_scope(self) -> None:
        """What a member is told of its instances is what they tell without the others."""
        many = self.make_env(3, seed=0)
        if not many.independent_streams:
            many.close()
            pytest.skip("the instances of this environment share one stream")
        own = self.make_env(2, seed=0)
        boundaries = make_boundary(many, "raise"), make_boundary(own, "raise")
        for boundary, seeds in zip(boundaries, ([10, 11, 12], [11, 12]), strict=True):
            boundary.reset(seeds)
        for timestep in range(self.timesteps):
            actions = self.actions(many, timestep)
            told = boundaries[0].step(actions, timestep).infos
            alone = boundaries[1].step(tree_map(lambda leaf: leaf[1:], actions), timestep).infos
            found, expected = numbers_of(cut_infos(told, slice(1, 3), 3)), numbers_of(alone)
            assert expected.keys() <= found.keys()
            for key in (key for key in expected if key[-1] not in self.infos_that_vary):
                np.testing.assert_array_equal(found[key], expected[key], str(key))
        many.close()
        own.close()

    def test_what_was_returned_stays(self) -> None:
        """Unless it says that it reuses buffers, nothing that was returned changes later."""
        env = self.make_env(3, seed=0)
        if env.reuses_buffers:
            pytest.skip("this environment says that it reuses its buffers")
        observations, _ = env.reset(seed=self.seeds(env))
        kept = [(leaf, leaf.clone()) for leaf in tree_leaves(observations)]
        for timestep in range(self.timesteps):
            result = self.raw_step(env, timestep)
            kept += [(leaf, leaf.clone()) for part in result for leaf in tree_leaves(part)]
        assert all(torch.equal(leaf, copy) for leaf, copy in kept)
        env.close()

    def test_where_an_episode_ended(self) -> None:
        """The true end of an episode is not the beginning of the next."""
        env = self.make_env(3, seed=0)
        for step, following in pairwise(self.plain_rollout()):
            for row in self.done_of(step).nonzero().flatten().tolist():
                begin = _first_rows(following[0], None, row)
                end = _first_rows(step[2], None, row)
                if env.autoreset_mode is AutoresetMode.NEXT_STEP:
                    assert _equal(begin, end)
                    assert not any(bool(valid[row]) for valid in tree_leaves(following[5]))
                else:
                    assert not _equal(begin, end)
        env.close()

    def test_saved_and_restored(self) -> None:
        """Where the state can be saved, a restored environment goes on bit for bit."""
        env = self.make_env(3, seed=0)
        if not env.saves_state:
            pytest.skip("this environment can't save its state")
        env.reset(seed=self.seeds(env))
        for timestep in range(17):
            self.raw_step(env, timestep)
        state = env.state_dict()
        self.saved(env)
        expected = [self.raw_step(env, timestep) for timestep in range(17, 60)]
        other = self.make_env(3, seed=5)
        other.load_state_dict(state)
        self.restored(env, other)
        found = [self.raw_step(other, timestep) for timestep in range(17, 60)]
        assert _same(expected, found)
        env.close()
        other.close()

    def test_split_and_joined(self) -> None:
        """Where states can be cut, the parts do what they did together, and can be joined again."""
        env = self.make_env(COUNT, seed=0)
        if not env.splits_state:
            env.close()
            pytest.skip("this environment can't cut its state by instance")
        assert env.saves_state
        assert env.independent_streams
        env.reset(seed=self.seeds(env, 10))
        first = min(17, self.timesteps // 2)
        for timestep in range(first):
            self.raw_step(env, timestep)
        division = Division(self, env)
        division.divide()
        ended = sum(division.step(timestep) for timestep in range(first, self.timesteps))
        assert ended, "no episode ended after the state was cut"
        other = division.unite()
        for timestep in range(first):
            assert _same([self.raw_step(env, timestep)], [self.raw_step(other, timestep)])
        division.close()
        other.close()

    def test_a_step_as_a_function(self) -> None:
        """Where a step is a function, it gives what a step gives, bit for bit."""
        env, other = self.make_env(3, seed=0), self.make_env(3, seed=0)
        if not isinstance(env, FunctionalEnv):
            pytest.skip("the step of this environment is no function of tensors")
        for one in (env, other):
            one.reset(seed=self.seeds(one))
        simulation = env.simulation
        for timestep in range(self.timesteps):
            simulation, found = env.advance(simulation, self.actions(env, timestep))
            *expected, infos = other.step(self.actions(env, timestep))
            outcome = found.observations, found.rewards, found.terminated, found.truncated
            assert _same([(*outcome, found.final_obs)], [(*expected, infos["final_obs"])])
        env.go_on(simulation)
        assert _same([self.raw_step(env, 0)], [self.raw_step(other, 0)])
        env.close()
        other.close()

    def test_actions_at_their_bounds(self) -> None:
        """The outermost actions can be taken, and the environment leaves the tensors alone."""
        env = self.make_env(2, seed=0)
        leaves = space_leaves(env.action_space)
        if not all(isinstance(_part(env.action_space, leaf.path), spaces.Box) for leaf in leaves):
            env.close()
            pytest.skip("the actions of this environment have no bounds")
        boundary = make_boundary(env, "raise")
        boundary.reset(self.seeds(env))
        for timestep, side in enumerate(("low", "high")):
            actions = build_tree(
                env.action_space,
                {leaf.path: _outermost(env, leaf.path, side) for leaf in leaves},
            )
            kept = tree_map(torch.clone, actions)
            boundary.step(actions, timestep)
            assert _equal(actions, kept)
        env.close()

    def test_privileged_observations(self) -> None:
        """Where there is a state space, ``state()`` fits it at every step, and at every end."""
        env = self.make_env(3, seed=0)
        if env.state_space is None:
            env.close()
            pytest.skip("this environment has no privileged observation")
        boundary = make_boundary(env, "raise")
        boundary.reset(self.seeds(env))
        for timestep in range(self.timesteps):
            taken = boundary.step(self.actions(env, timestep), timestep)
            found: tuple[Any, ...] = (taken.states, taken.next_states, boundary.states)
            for tree in found:
                for leaf in space_leaves(env.state_space):
                    tensor = leaf_of(tree, leaf.path)
                    assert (tensor.shape, tensor.dtype) == ((3, *leaf.shape), leaf.dtype)
        env.close()

    def test_a_step_that_raises(self) -> None:
        """The error comes out as it is, nothing goes on from there, and a reset helps."""
        env = self.make_env(2, seed=0)
        boundary = make_boundary(env, "raise")
        boundary.reset(self.seeds(env))
        boundary.step(self.actions(env, 0), 0)
        error = RuntimeError("the simulator fell over")
        _break_step(env, lambda _: _raise(error))
        with pytest.raises(RuntimeError) as caught:
            boundary.step(self.actions(env, 1), 1)
        assert caught.value is error
        del env.step
        boundary.reset(self.seeds(env))
        boundary.step(self.actions(env, 0), 0)
        env.close()

    def test_nan_in_observations(self) -> None:
        """The error names the environment, the field, the instance and the timestep."""
        env = self.make_env(3, seed=0)
        leaves = space_leaves(env.observation_space)
        broken = next((leaf for leaf in leaves if leaf.dtype.is_floating_point), None)
        if broken is None:
            env.close()
            pytest.skip("the observations of this environment can't hold a NaN")
        label = f"observations.{broken.label}" if broken.path else "observations"
        message = f"{env.name}, at step 2: {label}: NaN or infinity in instances 1 ("
        path = broken.path
        self._refused(env, message, lambda result: (_with_nan(result[0], path), *result[1:]))

    def test_observations_of_a_wrong_shape_or_dtype(self) -> None:
        """The error names the environment, the field, the timestep and both shapes or dtypes."""
        changes: tuple[Callable[[torch.Tensor], torch.Tensor], ...]
        changes = lambda leaf: leaf[:-1], lambda leaf: leaf.to(torch.complex64)
        for change in changes:
            env = self.make_env(3, seed=0)
            leaf = space_leaves(env.observation_space)[0]
            label = f"observations.{leaf.label}" if leaf.path else "observations"
            message = f"{env.name}, at step 2: {label}: expected {(3, *leaf.shape)} "

            def changed(result: tuple[Any, ...], change: Any = change) -> tuple[Any, ...]:
                return tree_map(change, result[0]), *result[1:]

            self._refused(env, message, changed)

    def break_close(self, env: VectorEnv, close: Callable[[], None]) -> None:
        """Let the simulator under ``env`` close by calling ``close``, from now on.

        What ``env`` keeps as its attribute ``env`` is taken for the simulator if it has a
        ``close``, otherwise ``env`` itself: override this where it is something else.

        Args:
            env: An environment of :meth:`make_env` that was stepped already.
            close: A function that can be pickled.
        """
        simulator: Any = getattr(env, "env", None)
        closed: Any = simulator if hasattr(simulator, "close") else env
        closed.close = close

    def test_a_simulator_that_fails_to_close(self) -> None:
        """The training is over all the same, a warning tells, and nothing is left running."""
        self._ends_though(close_by_raising, 15.0, "failed with|ended with exit code")

    def test_a_simulator_that_hangs_in_close(self) -> None:
        """The program ends in bounded time, a warning tells, and nothing is left running."""
        if not hasattr(signal, "setitimer"):
            pytest.skip("nothing can break off a call on this system")
        self._ends_though(close_by_hanging, 1.0, "took more than")

    def _ends_though(self, close: Callable[[], None], seconds: float, told: str) -> None:
        """Train, break the closing, and let the program end."""
        before = living()
        with program_that_ends(seconds) as end:
            env = self.make_env(2, seed=0)
            cfg = {"timesteps": 3, "disable_progressbar": True, "headless": True}
            agents = agents_for(env, self._agent)
            with SequentialTrainer(env=env, agents=agents, cfg=cfg) as trainer:
                assert trainer.train().timesteps == 3
            self.break_close(env, close)
            begun = time.monotonic()
            with pytest.warns(RuntimeWarning, match=f"{re.escape(env.name)}.*({told})"):
                end()
            if vars(env).get("close") is not close:
                env.close()
            assert time.monotonic() - begun < HANGING / 2
        assert not left_over(before)

    def _refused(
        self, env: VectorEnv, message: str, change: Callable[[tuple[Any, ...]], tuple[Any, ...]]
    ) -> None:
        """Change what the third step returns; that step must raise with the message."""
        boundary = make_boundary(env, "raise", debug=True)
        boundary.reset(self.seeds(env))
        for timestep in range(2):
            boundary.step(self.actions(env, timestep), timestep)
        _break_step(env, change)
        with pytest.raises(EnvContractError, match=re.escape(message)):
            boundary.step(self.actions(env, 2), 2)
        env.close()

    def test_closing_twice(self) -> None:
        """``close()`` can be repeated."""
        env = self.make_env(1, seed=0)
        env.reset(seed=self.seeds(env))
        env.close()
        env.close()


def _break_step(env: VectorEnv, change: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> None:
    """Let every further step of ``env`` be taken, and return something else."""
    taken = env.step
    env.step = lambda actions: change(taken(actions))  # type: ignore[method-assign]


def _raise(error: Exception) -> Any:
    raise error


def _with_nan(tree: Tree, path: tuple[str | int, ...]) -> Any:
    """A copy with NaN in instance 1 of the leaf at ``path``."""
    copy = tree_map(torch.clone, tree)
    leaf_of(copy, path)[1] = torch.nan
    return copy


def _same(left: Any, right: Any) -> bool:
    return all(
        _equal(one, other)
        for a, b in zip(left, right, strict=True)
        for one, other in zip(a, b, strict=True)
    )


def _equal(left: Tree, right: Tree) -> bool:
    return all(
        torch.equal(a, b) for a, b in zip(tree_leaves(left), tree_leaves(right), strict=True)
    )


def _part(space: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        space = space[key]
    return space


def _outermost(env: VectorEnv, path: tuple[str | int, ...], side: str) -> torch.Tensor:
    """Actions at one bound; 1 or -1 where there is none."""
    box = _part(env.action_space, path)
    bound = torch.from_numpy(getattr(box, side).copy())
    free = torch.full_like(bound, 1 if side == "high" else -1)
    value = torch.where(torch.isfinite(bound.double()), bound, free)
    return value.expand(env.num_envs, *value.shape).clone().to(env.device)


def _first_rows(tree: Tree, count: int | None, row: int = 0) -> Any:
    return tree_map(lambda leaf: leaf[row] if count is None else leaf[:count], tree)
