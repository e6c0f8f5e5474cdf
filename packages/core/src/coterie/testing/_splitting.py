"""Cutting an environment by instance: what each part does, beside the undivided one."""

from __future__ import annotations

from collections.abc import Callable, Set
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch

from .._envs.interface import VectorEnv
from .._trees import tree_leaves, tree_map, tree_where
from .._types import Tree
from ._compare import assert_same_state

if TYPE_CHECKING:
    from ._env_suite import EnvSuite

COUNT = 5
_SCOPES = (slice(0, 2), slice(2, 5))


class Division:
    """An environment with five instances, and its parts with two and three of them.

    Args:
        suite: Makes and steps the environments.
        env: The undivided one, somewhere in its episodes.
    """

    def __init__(self, suite: EnvSuite, env: VectorEnv) -> None:
        self._suite, self.env = suite, env
        self._tool = suite.make_env(1, seed=7)  # stays as it is: it was never reset
        self.parts: list[VectorEnv] = []

    def divide(self) -> None:
        """Cut the state, and let environments of their own go on from the parts.

        Raises:
            AssertionError: Joining does not undo it, the state has changed, or a part's
                environment returns another one.
        """
        suite, state = self._suite, self.env.state_dict()
        suite.saved(self.env)
        kept = deepcopy(state)
        states = self._tool.split_state(state, _SCOPES)
        assert_same_state(self._tool.join_states(states), kept)
        assert_same_state(state, kept)
        backwards = self._tool.split_state(state, _SCOPES[::-1])
        assert_same_state(backwards[::-1], states)
        for scope, part in zip(_SCOPES, states, strict=True):
            env = suite.make_env(scope.stop - scope.start, seed=5)
            env.load_state_dict(part)
            suite.restored(self.env, env, scope)
            self._assert_same(env.state_dict(), part)
            self.parts.append(env)

    def step(self, timestep: int) -> int:
        """Step all of them; return how many episodes ended.

        Raises:
            AssertionError: A part returned something else than its rows of the whole.
        """
        actions = self._suite.actions(self.env, timestep)
        whole = self._taken(self.env, actions)
        for scope, part in zip(_SCOPES, self.parts, strict=True):
            taken = self._taken(part, tree_map(_rows(scope), actions))
            for name, expected in whole.items():
                pairs = zip(tree_leaves(taken[name]), tree_leaves(expected), strict=True)
                same = all(torch.equal(one, other[scope]) for one, other in pairs)
                assert same, f"{name} of the instances {scope} differ at step {timestep}"
        return sum(int(leaf.sum()) for key in _FLAGS for leaf in tree_leaves(whole[key]))

    def _taken(self, env: VectorEnv, actions: Tree) -> dict[str, Any]:
        """What a step returned, in copies, and where it ended."""
        *result, infos = self._suite.take_step(env, actions)
        taken = dict(zip(("observations", "rewards", *_FLAGS), result, strict=True))
        ends = zip(*(tree_leaves(taken[key]) for key in _FLAGS), strict=True)
        over = torch.stack([one | other for one, other in ends]).all(0)
        final = infos.get("final_obs", result[0])
        taken["final observations"] = tree_where(over, final, result[0])
        if env.state_space is not None:
            taken["privileged observations"] = env.state()
        return tree_map(torch.clone, taken)  # type: ignore[no-any-return]

    def unite(self) -> VectorEnv:
        """Join the states of the parts, and let another undivided environment go on from there.

        Raises:
            AssertionError: The undivided one's state is another.
        """
        joined = self._tool.join_states([part.state_dict() for part in self.parts])
        self._assert_same(joined, self.env.state_dict())
        other = self._suite.make_env(COUNT, seed=6)
        other.load_state_dict(joined)
        self._suite.saved(self.env)
        self._suite.restored(self.env, other)
        return other

    def _assert_same(self, left: Any, right: Any) -> None:
        keys = self._suite.states_that_vary
        assert_same_state(_without(left, keys), _without(right, keys))

    def close(self) -> None:
        """Close all of them."""
        for env in (self.env, self._tool, *self.parts):
            env.close()


_FLAGS = ("terminated", "truncated")


def _rows(scope: slice) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda leaf: leaf[scope]


def _without(state: Any, keys: Set[str]) -> Any:
    if isinstance(state, dict):
        return {key: _without(one, keys) for key, one in state.items() if key not in keys}
    return [_without(one, keys) for one in state] if isinstance(state, list) else state
