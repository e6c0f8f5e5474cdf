"""What the policies of stacked members remember of the episodes that go on."""

from __future__ import annotations

from typing import Any

import torch


class HiddenStates:
    """One state per instance, in training and, apart from it, in evaluation.

    A step is tentative until it is recorded: asking twice for the actions of one timestep
    starts from the same state.

    Args:
        population: Members, P.
        size: Numbers in one state.
        dtype: Their type.
        device: Where they live.

    Attributes:
        now: What the next step starts from, ``[P, N, size]``; ``None`` before :meth:`allocate`.
        pending: What follows once the step is recorded; ``None``: nothing was asked for.
    """

    def __init__(
        self, population: int, size: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.population, self.size = population, size
        self._place: Any = {"dtype": dtype, "device": device}
        self.now: torch.Tensor | None = None
        self.pending: torch.Tensor | None = None
        self._evaluation: torch.Tensor | None = None

    def nothing(self, num_envs: int) -> torch.Tensor:
        """Make states that remember nothing, ``[P, num_envs, size]``."""
        return torch.zeros(self.population, num_envs, self.size, **self._place)

    def allocate(self, num_envs: int) -> None:
        """Begin with ``num_envs`` instances; keeps what is of so many."""
        if self.now is None or self.now.shape[1] != num_envs:
            self.now, self.pending = self.nothing(num_envs), None

    def release(self) -> None:
        """Give everything back."""
        self.now = self.pending = self._evaluation = None

    def before(self, num_envs: int, *, evaluating: bool) -> torch.Tensor:
        """Return what a step of ``num_envs`` instances starts from."""
        found = self._evaluation if evaluating else self.now
        fits = found is not None and found.shape[1] == num_envs
        return found if found is not None and fits else self.nothing(num_envs)

    def acted(self, state: torch.Tensor, *, evaluating: bool) -> None:
        """Take note of the states after a step; in evaluation the next one starts from them."""
        if evaluating:
            self._evaluation = state
        else:
            self.pending = state

    def recorded(self, starts: torch.Tensor) -> None:
        """Go on to the next timestep.

        Args:
            starts: bool ``[P * N]``: instances whose next observation begins an episode.
        """
        assert self.pending is not None
        self.now, self.pending = _forget(self.pending, starts), None

    def episodes_ended(self, ended: torch.Tensor) -> None:
        """Forget episodes of the evaluation, bool ``[P * N]``."""
        if self._evaluation is not None:
            self._evaluation = _forget(self._evaluation, ended)

    def start_evaluation(self) -> None:
        """Forget everything that an evaluation remembered."""
        self._evaluation = None

    def cut(self) -> None:
        """Forget all episodes of the training."""
        self.pending = None
        if self.now is not None:
            self.now = torch.zeros_like(self.now)

    def state(self, member: int = 0) -> dict[str, Any] | None:
        """Return a member's states ``[N, size]``, as copies; ``None`` before :meth:`allocate`."""
        if self.now is None:
            return None
        pending = None if self.pending is None else self.pending[member].clone()
        return {"now": self.now[member].clone(), "pending": pending}

    def load(self, state: dict[str, Any] | None, member: int = 0) -> None:
        """Take over what :meth:`state` returned; states of other instances start anew."""
        if self.now is None:
            return
        fits = state is not None and state["now"].shape == self.now.shape[1:]
        self.now = replaced(self.now, member, state["now"] if state and fits else None)
        pending = state["pending"] if state and fits else None
        if pending is None or (self.pending is None and self.population > 1):
            # It is computed again, from the same observations, when the step is recorded.
            self.pending = None
            return
        before = self.now if self.pending is None else self.pending
        self.pending = replaced(before, member, pending)


def replaced(states: torch.Tensor, member: int, own: torch.Tensor | None) -> torch.Tensor:
    """Return states ``[P, N, size]`` with those of a member replaced; ``None``: with zeros."""
    copied = states.clone()
    copied[member] = 0.0 if own is None else own.to(states)
    return copied


def _forget(states: torch.Tensor, starts: torch.Tensor) -> torch.Tensor:
    return states.masked_fill(starts.view(*states.shape[:2], 1), 0.0)
