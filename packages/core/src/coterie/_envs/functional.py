"""Environments whose step is a function."""

from __future__ import annotations

import abc
from typing import Any

from .interface import VectorEnv


class FunctionalEnv(VectorEnv):
    """An environment in torch whose step is a pure function of tensors, so that it can be compiled.

    What it is between two steps is its *simulation*: a named tuple of tensors. Its
    ``autoreset_mode`` is ``SAME_STEP``, and its infos tell nothing but where episodes ended.
    """

    @property
    @abc.abstractmethod
    def simulation(self) -> Any:
        """Where the instances are: a named tuple of tensors, as copies.

        Raises:
            EnvContractError: There was no reset yet.
        """

    @abc.abstractmethod
    def advance(self, simulation: Any, actions: Any) -> tuple[Any, Any]:
        """Do what :meth:`step` does, as a function that changes nothing.

        It branches on no value of a tensor.

        Args:
            simulation: Where the instances are.
            actions: Actions ``[num_envs, ...]``.

        Returns:
            Where they are then, and what the step gave: an object with ``observations`` (what the
            next actions answer), ``rewards``, ``terminated``, ``truncated`` and ``final_obs``
            (observations before any reset, of all instances).
        """

    @abc.abstractmethod
    def go_on(self, simulation: Any) -> None:
        """Be where :meth:`advance` came to; the tensors belong to the environment from now on."""
