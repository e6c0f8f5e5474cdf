"""The edge between the loop and the environment: autoreset, aliasing, seeds, checks.

An environment may reset an instance in the step that ends its episode, in the next one, or not
at all; whichever it is, what comes out of :meth:`Boundary.step` is the same: a transition that
ends in the true final observation, and the observation that the next action answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from .._agents.transition import Transition
from .._errors import EnvContractError
from .._spaces import build_tree, leaf_of, space_leaves
from .._trees import tree_map, tree_where
from .._types import Infos, State, Tree
from .checks import Checks, NonFinite
from .interface import VectorEnv

if TYPE_CHECKING:
    from .._agents.rollouts import Passage

_ENDS = {"final_obs", "_final_obs", "final_state", "_final_state"}

_last_user: WeakKeyDictionary[VectorEnv, ref[Boundary]] = WeakKeyDictionary()


class Boundary:
    """Steps an environment and keeps what the next transition starts from.

    Args:
        env: The environment.
        non_finite: What a NaN or an infinity in what it returns leads to.
        debug: Whether to make checks that cost time.
    """

    def __init__(self, env: VectorEnv, non_finite: NonFinite, debug: bool = False) -> None:
        self.env = env
        self.observations: Any = None
        self.states: Any = None
        self._checks = Checks(env, non_finite, debug)
        self._every = torch.ones(env.num_envs, dtype=torch.bool, device=env.device)
        self._resetting = ~self._every
        self._all_valid = env.autoreset_mode is not AutoresetMode.NEXT_STEP

    @property
    def live(self) -> bool:
        """Whether stepping can go on where this object left the environment."""
        user = _last_user.get(self.env)
        return self.observations is not None and user is not None and user() is self

    def reset(self, seed: int | Sequence[int] | None) -> None:
        """Start new episodes in all instances.

        Args:
            seed: As in :meth:`VectorEnv.reset`.
        """
        self.abandon()
        observations, _ = self.env.reset(seed=seed)
        self._checks.observations(observations, None)
        self._resetting = ~self._every
        self._keep(observations, None)
        self.claim()

    def claim(self) -> None:
        """Note that the environment is where this object left it."""
        _last_user[self.env] = ref(self)

    def abandon(self) -> None:
        """Forget where the environment was left: a step failed, only a reset helps."""
        self.observations, self.states = None, None

    def state_dict(self) -> State:
        """Return what the next step starts from, but for the environment's own state.

        Raises:
            ValueError: There is nothing to go on with: :attr:`live` is false.
        """
        if self.observations is None:
            raise ValueError("nothing was reset yet, or a step failed")
        return {
            "observations": _flat(self.env.observation_space, self.observations),
            "states": None
            if self.states is None or self.env.state_space is None
            else _flat(self.env.state_space, self.states),
            "resetting": self._resetting,
        }

    def load_state_dict(self, state: State) -> None:
        """Go on where :meth:`state_dict` was taken; the environment must be there, too.

        Raises:
            EnvContractError: It is another environment's; nothing was changed.
            ValueError: The same.
        """
        states, device = state["states"], self.env.device
        observations = _tree(self.env.observation_space, state["observations"], device)
        self._checks.observations(observations, None)
        if states is not None and self.env.state_space is not None:
            states = _tree(self.env.state_space, states, device)
            self._checks.states(states, None)
        elif self.env.state_space is not None or states is not None:
            raise ValueError("the privileged observation is missing, or there is one too many")
        resetting = state["resetting"].to(device)
        if (resetting.dtype, resetting.shape) != (torch.bool, self._every.shape):
            raise ValueError("it is not known which instances wait for their reset")
        self.observations, self.states, self._resetting = observations, states, resetting
        self.claim()

    def step(self, actions: Tree, timestep: int) -> Transition[Any]:
        """Step all instances.

        Afterwards :attr:`observations` and :attr:`states` are what the next actions answer.

        Args:
            actions: Actions ``[N, ...]`` on the environment's device.
            timestep: Timestep from 0, for messages.

        Returns:
            The step of the whole environment.

        Raises:
            EnvContractError: The environment returned something else than it promised.
        """
        before, states_before = self.observations, self.states
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        self._checks.observations(observations, timestep)
        self._checks.outcome(rewards, terminated, truncated, timestep)
        if self.env.reuses_buffers:
            rewards, terminated, truncated = rewards.clone(), terminated.clone(), truncated.clone()
        done = terminated | truncated
        valid = self._every if self._all_valid else ~self._resetting
        self._keep(observations, timestep)
        ended, ended_states = self._ends(done, truncated, infos, timestep)
        return Transition(
            observations=before,
            actions=actions,
            rewards=rewards,
            next_observations=ended,
            terminated=terminated,
            truncated=truncated,
            valid=valid,
            all_valid=self._all_valid,
            states=states_before,
            next_states=ended_states,
            infos=without_ends(infos),
        )

    @property
    def every(self) -> torch.Tensor:
        """``True`` for every instance, ``[N]``."""
        return self._every

    def passed(self, passage: Passage, timestep: int) -> None:
        """Take note of several timesteps that the environment went through, and is behind.

        Args:
            passage: The timesteps.
            timestep: The first of them, from 0, for messages.

        Raises:
            EnvContractError: The environment gave something else than it promised.
        """
        self._checks.passage(passage, timestep)
        self.observations = passage.next_observations
        self.claim()

    def _keep(self, observations: Tree, timestep: int | None) -> None:
        states = self.env.state() if self.env.state_space is not None else None
        if states is not None:
            self._checks.states(states, timestep)
        elif self.env.state_space is not None:
            raise EnvContractError(f"{self.env.name} has a state space, but state() gave None")
        if self.env.reuses_buffers:
            observations = tree_map(torch.clone, observations)
            states = None if states is None else tree_map(torch.clone, states)
        self.observations, self.states = observations, states

    def _ends(
        self, done: torch.Tensor, truncated: torch.Tensor, infos: Infos, timestep: int
    ) -> tuple[Any, Any]:
        """Find where the step ended, and let instances that wait for it start anew."""
        mode = self.env.autoreset_mode
        if mode is AutoresetMode.SAME_STEP:
            return self._same_step(done, truncated, infos, timestep)
        ended = self.observations, self.states
        if mode is AutoresetMode.NEXT_STEP:
            self._resetting = done
        elif bool(done.any()):
            observations, _ = self.env.reset(options={"reset_mask": done})
            self._checks.observations(observations, timestep)
            self._keep(observations, timestep)
        return ended

    def _same_step(
        self, done: torch.Tensor, truncated: torch.Tensor, infos: Infos, timestep: int
    ) -> tuple[Any, Any]:
        on_cpu = done.device.type == "cpu"
        if on_cpu and not bool(done.any()):
            return self.observations, self.states
        final = infos.get("final_obs")
        if final is None:
            if bool(truncated.any()):
                raise EnvContractError(
                    f"{self.env.name}, at step {timestep}: an episode was truncated, but "
                    'infos["final_obs"] is missing; a same-step environment must tell where '
                    "its episodes ended"
                )
            return self.observations, self.states
        self._checks.observations(final, timestep, name='infos["final_obs"]', rows=done)
        ended = tree_where(done, final, self.observations)
        final_state = infos.get("final_state")
        if self.states is None or final_state is None:
            return ended, self.states
        self._checks.states(final_state, timestep, name='infos["final_state"]', rows=done)
        return ended, tree_where(done, final_state, self.states)


def _flat(space: spaces.Space[Any], tree: Tree) -> list[torch.Tensor]:
    """List the tensors of a tree, in the order of the space's leaves."""
    return [leaf_of(tree, leaf.path) for leaf in space_leaves(space)]


def _tree(space: spaces.Space[Any], flat: Sequence[torch.Tensor], device: torch.device) -> Any:
    """Undo :func:`_flat`, on a device, with memory of its own."""
    leaves = zip(space_leaves(space), flat, strict=True)
    return build_tree(space, {leaf.path: tensor.to(device, copy=True) for leaf, tensor in leaves})


def without_ends(infos: Infos) -> Infos:
    """Leave out what a transition holds already: where episodes ended."""
    if not infos.keys() & _ENDS:
        return infos
    return {key: value for key, value in infos.items() if key not in _ENDS}
