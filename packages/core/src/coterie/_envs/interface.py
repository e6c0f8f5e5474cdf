"""The environment contract: a vectorised environment in tensors on a device."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from attrs import frozen
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from .._errors import EnvContractError
from .._types import Infos, State, Tree
from .recipe import EnvRecipe


@frozen(kw_only=True)
class Interface:
    """What agents and executors need to know of an environment; it can cross a process.

    Attributes:
        observation_space: Space of one instance's observation.
        action_space: Space of one instance's action.
        state_space: Space of one instance's privileged observation; ``None``: there is none.
        num_envs: Number of instances.
        device: Device of the environment's tensors.
        actors: Names of the actors of a multi-agent environment; empty for any other.
    """

    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    state_space: spaces.Space[Any] | None
    num_envs: int
    device: torch.device
    actors: tuple[str, ...] = ()


class VectorEnv(abc.ABC):
    """``num_envs`` instances of one environment, stepped together, in tensors on a device.

    Unlike in gymnasium, ``observation_space``, ``action_space`` and ``state_space`` describe
    **one** instance. Every tensor has the leading dimension ``num_envs``.

    Attributes:
        name: What it is, for people: ``"gymnasium:CartPole-v1"``.
        num_envs: Number of instances.
        device: Device of the tensors that go in and come out.
        observation_space: Space of one instance's observation.
        action_space: Space of one instance's action.
        state_space: Space of one instance's privileged observation, given by :meth:`state`.
        autoreset_mode: What happens to an instance whose episode ended.

            ``SAME_STEP``: the step that ends it resets it too; ``infos["final_obs"]`` holds the
            true final observations (a tree like the observations; only the rows that ended
            matter), ``infos["final_state"]`` the final privileged ones if there are any.
            ``NEXT_STEP``: the step that ends it returns its final observation; the following
            step ignores the action, resets it and gives reward 0.
            ``DISABLED``: it waits for ``reset(options={"reset_mask": mask})``, a bool ``[N]``
            tensor, which must leave the other instances as they are.
        independent_streams: Whether each instance has a random stream of its own, so that
            ``reset(seed=[...])`` takes a seed per instance. ``False``: the instances share one
            stream, ``reset(seed=int)`` seeds it, and what one instance does can change what
            another draws.
        reuses_buffers: Whether tensors that were returned may be overwritten by a later call.
            ``True`` is always safe; ``False`` saves a copy per step.
        seed: Seed that it was made with; ``None`` if there was none.
        recipe: How :func:`~coterie.make_env` made it; ``None`` for one that was made otherwise.
        captions: What :meth:`render` may write on the pictures: names, and the instances that
            each stands for. A trainer that renders fills it with its members and their scopes
            for as long as it runs, unless it is filled already, and empties it again; anybody
            else may set it too. An environment need not look at it, and never changes it.
    """

    name: str = "environment"
    num_envs: int
    device: torch.device
    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    state_space: spaces.Space[Any] | None = None
    autoreset_mode: AutoresetMode = AutoresetMode.SAME_STEP
    independent_streams: bool = False
    reuses_buffers: bool = True
    seed: int | None = None
    recipe: EnvRecipe | None = None
    captions: Mapping[str, range] = MappingProxyType({})

    @abc.abstractmethod
    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Tree, Infos]:
        """Start new episodes.

        Args:
            seed: A seed per instance (only where ``independent_streams``), one seed, or
                ``None`` to go on with the streams as they are.
            options: ``{"reset_mask": bool [N]}`` resets some instances only, in the mode
                ``DISABLED``; other keys are the simulator's own.

        Returns:
            Observations ``[N, ...]`` of all instances, and infos.
        """

    @abc.abstractmethod
    def step(self, actions: Tree) -> tuple[Tree, torch.Tensor, torch.Tensor, torch.Tensor, Infos]:
        """Do one step in every instance.

        Args:
            actions: Actions ``[N, ...]`` on :attr:`device`, of the action space's dtypes.

        Returns:
            Observations ``[N, ...]``, rewards (float32 ``[N]``), terminated (bool ``[N]``),
            truncated (bool ``[N]``) and infos.
        """

    def state(self) -> Tree | None:
        """Return the privileged observations ``[N, ...]`` that belong to the last observations."""
        return None

    def render(self) -> Any:
        """Draw the instances: an RGB array, or ``None`` where a window shows them.

        Where it can, with the names of :attr:`captions`.
        """
        return None

    def close(self) -> None:
        """Release the simulator. Calling it again does nothing."""

    @property
    def saves_state(self) -> bool:
        """Whether :meth:`state_dict` and :meth:`load_state_dict` carry the whole simulation."""
        return False

    def state_dict(self) -> State:
        """Return everything that the following steps depend on.

        Raises:
            EnvContractError: This environment can't save its state.
        """
        raise EnvContractError(f"{self.name} can't save its state")

    def load_state_dict(self, state: State) -> None:
        """Go back to what :meth:`state_dict` returned; no reset is needed before the next step.

        Raises:
            EnvContractError: This environment can't save its state.
        """
        raise EnvContractError(f"{self.name} can't load a state")

    @property
    def splits_state(self) -> bool:
        """Whether states can be cut by instance: :meth:`split_state`, :meth:`join_states`.

        It needs :attr:`saves_state` and :attr:`independent_streams`. Both methods depend on their
        arguments and the settings alone: they can be called on an environment with any number of
        instances that was never reset.
        """
        return False

    def split_state(self, state: State, scopes: Sequence[slice]) -> list[State]:
        """Cut a state by instance.

        Args:
            state: What :meth:`state_dict` of an environment like this one returned, with any
                number of instances; it stays as it is.
            scopes: Which instances each part holds.

        Returns:
            A state for each scope, as an environment that holds those instances alone would have
            returned; its tensors are copies.

        Raises:
            EnvContractError: This environment can't split states, or this is none of its kind.
            ValueError: A scope is empty or goes beyond the instances.
        """
        raise EnvContractError(f"{self.name} can't split a state")

    def join_states(self, states: Sequence[State]) -> State:
        """Undo :meth:`split_state`.

        Args:
            states: States of environments like this one, with any numbers of instances.

        Returns:
            The state of an environment that holds all their instances, in this order.

        Raises:
            EnvContractError: This environment can't join states, or these don't fit together.
        """
        raise EnvContractError(f"{self.name} can't join states")

    @property
    def interface(self) -> Interface:
        """The spaces, the number of instances and the device, as a record."""
        return Interface(
            observation_space=self.observation_space,
            action_space=self.action_space,
            state_space=self.state_space,
            num_envs=self.num_envs,
            device=self.device,
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {self.num_envs} instances on {self.device}>"


class EnvAdapter(abc.ABC):
    """How one kind of simulator comes to the contract; what an environment plugin loads."""

    @abc.abstractmethod
    def make(
        self, env_id: str, *, num_envs: int, seed: int | None, device: str, **settings: Any
    ) -> VectorEnv:
        """Make an environment by its id, the part after the colon of ``"gymnasium:CartPole-v1"``.

        Args:
            env_id: The id.
            num_envs: Number of instances, at least 1.
            seed: Seed that resets without another one start from.
            device: Where the tensors live, ``"cpu"`` or ``"cuda:0"``.
            settings: The adapter's and the simulator's own settings.

        Raises:
            ConfigError: There is no such id (with near ones), or a setting is wrong.
        """

    def wrap(self, env: Any, *, seed: int | None, device: str) -> VectorEnv:
        """Bring an object that the user made to the contract.

        Raises:
            ConfigError: This adapter does not wrap such objects.
        """
        from .._errors import ConfigError

        raise ConfigError(f"{type(self).__name__} can't wrap {type(env).__name__} objects")

    def ids(self) -> Sequence[str]:
        """List the ids that :meth:`make` knows, for messages and listings."""
        return ()
