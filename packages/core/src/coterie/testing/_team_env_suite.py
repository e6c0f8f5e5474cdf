"""What every multi-agent environment must do; inherit it to test yours."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from gymnasium.vector import AutoresetMode

from .._agents.transition import Transition
from .._envs.interface import VectorEnv
from .._envs.multi_agent import MultiAgentVectorEnv, check_actors
from .._envs.presence import Presence
from .._spaces import leaf_of, space_leaves
from .._types import Tree
from ._env_suite import EnvSuite
from ._teams import SumTeam


class TeamEnvSuite(EnvSuite):
    """Inherit this in a test class and implement :meth:`make_env`.

    .. code-block:: python

        class TestMyTeamEnv(TeamEnvSuite):
            def make_env(self, num_envs, seed):
                return MyTeamEnv(num_envs, seed=seed)

    With random actions several episodes must end within :attr:`timesteps`.
    """

    _agent = SumTeam
    _bookkeeping = frozenset({"_present", "_saved"})

    def setup_method(self) -> None:
        """Forget who was gone in the environments of the test before."""
        self._present: dict[int, Presence] = {}
        self._saved: dict[int, Presence] = {}

    def _parts(self, taken: Transition[Any]) -> tuple[Any, ...]:
        return (*super()._parts(taken), taken.done)

    def done_of(self, step: tuple[Any, ...]) -> torch.Tensor:
        """Tell in which instances an episode ended in a step of :meth:`rollout`, bool ``[N]``."""
        done: torch.Tensor = step[6]
        return done

    def take_step(self, env: VectorEnv, actions: Tree) -> tuple[Any, ...]:
        """Step without the loop's help; reset what waits for it."""
        result = env.step(actions)
        if env.autoreset_mode is AutoresetMode.DISABLED:
            ended = self._presence(env).step(*result[1:4]).ended  # type: ignore[arg-type]
            if bool(ended.any()):
                env.reset(options={"reset_mask": ended})
        return result

    def saved(self, env: VectorEnv) -> None:
        """Keep who was gone when the state was saved."""
        self._saved[id(env)] = deepcopy(self._presence(env))

    def restored(
        self,
        env: VectorEnv,
        other: VectorEnv,
        scope: slice = slice(None),
    ) -> None:
        """Go on with who was gone then."""
        gone = self._saved[id(env)].state_dict()["gone"]
        self._presence(other).load_state_dict({"gone": gone[:, scope]})

    def _presence(self, env: VectorEnv) -> Presence:
        made = Presence(env.interface.actors, env.num_envs, env.device)
        return self._present.setdefault(id(env), made)

    def test_actors_are_those_of_the_spaces(self) -> None:
        """The spaces are keyed by the actors, in their order."""
        env = self.make_env(2, seed=0)
        assert isinstance(env, MultiAgentVectorEnv)
        check_actors(env)
        assert env.interface.actors == env.actors
        env.close()

    def test_what_comes_out_fits_the_spaces(self) -> None:
        """Shapes and dtypes are those of the spaces, for every actor at every step."""
        env = self.make_env(3, seed=0)
        for observed, rewards, ended, *flags, _ in self.plain_rollout():
            for actor in env.interface.actors:
                assert rewards[actor].shape == (3,)
                assert rewards[actor].dtype == torch.float32
                assert all(flag[actor].shape == (3,) for flag in flags)
                assert all(flag[actor].dtype == torch.bool for flag in flags)
            for tree in (observed, ended):
                for leaf in space_leaves(env.observation_space):
                    tensor = leaf_of(tree, leaf.path)
                    assert (tensor.shape, tensor.dtype) == ((3, *leaf.shape), leaf.dtype)
        env.close()

    def test_an_episode_ends_when_all_actors_ended(self) -> None:
        """In each episode every actor ends once, and not after its instance did."""
        env = self.make_env(3, seed=0)
        actors = env.interface.actors
        gone: list[set[str]] = [set() for _ in range(3)]
        for _, _, _, terminated, truncated, valid, ended in self.plain_rollout():
            for row in range(3):
                for actor in actors:
                    assert not (actor in gone[row] and bool(valid[actor][row]))
                    if bool(terminated[actor][row] | truncated[actor][row]):
                        gone[row].add(actor)
                assert bool(ended[row]) == (gone[row] == set(actors))
                if ended[row]:
                    gone[row] = set()
        env.close()

    def test_actors_that_end_together(self) -> None:
        """An environment that says that its actors end together keeps to it."""
        env = self.make_env(3, seed=0)
        assert isinstance(env, MultiAgentVectorEnv)
        for *_, valid, _ in self.plain_rollout():
            if env.actors_end_together:
                first, *others = valid.values()
                assert all(torch.equal(first, other) for other in others)
        env.close()
