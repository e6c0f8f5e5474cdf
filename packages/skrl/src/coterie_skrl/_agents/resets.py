"""Keeping the steps that only reset an instance out of what an agent of skrl learns from.

With next-step autoreset, the step after the end of an episode ignores the action and gives reward
0; skrl records it as a transition. Its memories are rectangular, so what can be done depends on
how an agent samples:

- a replay memory is sampled row by row, so such a row is never stored; the next takes its place;
- an agent without a memory, such as those with a table, learns from the other rows of a step;
- a rollout is swept from its end to its beginning, so the row stays in it as one that is worth
  exactly what the value function says, which cuts the episodes apart and lets the last step of a
  truncated episode bootstrap from its final observation; then it is left out of the minibatches,
  of the normalisation of advantages and of the statistics of values.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from skrl.memories.torch import Memory
from torch import nn

from coterie import Transition

_log = logging.getLogger("coterie")
_ROLLOUT = {"rewards", "values", "terminated", "advantages"}
_REPLAY = {"rewards", "next_observations", "terminated"}


class ResetSteps:
    """Keeps steps that only reset an instance out of one memory.

    Args:
        memory: The memory of the agent.
        in_sequences: Whether the agent samples sequences, as recurrent ones do.
    """

    def __init__(self, memory: Memory, in_sequences: bool) -> None:
        self._memory = memory
        self._in_sequences = in_sequences
        self._void: torch.Tensor | None = None
        self._warned = False

    @property
    def _kind(self) -> str:
        if is_rollout(self._memory):
            return "rollout"
        names = set(self._memory.tensors)
        return "replay" if names >= _REPLAY and not self._in_sequences else ""

    @contextmanager
    def recording(self, valid: torch.Tensor) -> Iterator[None]:
        """Record a step without the rows that are not valid.

        Args:
            valid: bool ``[num_envs]``.
        """
        memory, kind = self._memory, self._kind
        if not kind:
            self._warn(valid)
            yield
            return
        original = memory.add_samples

        def add(**tensors: Any) -> None:
            if kind == "replay":
                self._pack(tensors, valid)
            elif not bool(valid.all()):
                original(**self._worthless(tensors, valid))
            else:
                if self._void is not None:
                    self._void[memory.memory_index] = False
                original(**tensors)

        with _replaced(memory, add_samples=add):
            yield

    @contextmanager
    def learning(self) -> Iterator[None]:
        """Sample the memory without the rows that were not valid."""
        memory = self._memory
        replaced: dict[str, Any] = {"set_tensor_by_name": self._set_tensor}
        if not self._in_sequences:
            replaced["sample_all"] = self._sample_all
            replaced["sample_by_index"] = self._sample_by_index
        with _replaced(memory, **replaced):
            yield

    @contextmanager
    def scaling(self, agent: Any, actor: str) -> Iterator[None]:
        """Keep the rows that were not valid out of the statistics of values.

        Args:
            agent: The agent of skrl.
            actor: Whose preprocessor it is, of a multi-agent.
        """
        found = getattr(agent, "_value_preprocessor", None)
        single = not isinstance(found, dict)
        holder, key = (vars(agent), "_value_preprocessor") if single else (found, actor)
        original = holder.get(key)  # type: ignore[union-attr]
        if not isinstance(original, nn.Module):
            yield
            return
        holder[key] = partial(self._scale, original)  # type: ignore[index]
        try:
            yield
        finally:
            holder[key] = original  # type: ignore[index]

    def _scale(
        self, original: nn.Module, values: torch.Tensor, *, train: bool = False, **options: Any
    ) -> Any:
        void = self._void
        if train and void is not None and values.shape[:2] == void.shape:
            kept = values[~void]
            if len(kept) > 1:
                original(kept, train=True, **options)
            train = False
        return original(values, train=train, **options)

    @property
    def found(self) -> bool:
        """Whether there may be such rows in a rollout."""
        return self._void is not None

    def state_dict(self) -> torch.Tensor | None:
        """Return which rows are no experience, bool ``[memory_size, num_envs]``."""
        return self._void

    def load_state_dict(self, state: torch.Tensor | None) -> None:
        """Take over what :meth:`state_dict` returned."""
        self._void = None if state is None else state.to(self._memory.device, copy=True)

    def _worthless(self, tensors: dict[str, Any], valid: torch.Tensor) -> dict[str, Any]:
        """Make rows of a rollout worth what the value function says; their advantage is 0 then."""
        memory = self._memory
        if self._void is None:
            shape = (memory.memory_size, memory.num_envs)
            self._void = torch.zeros(shape, dtype=torch.bool, device=memory.device)
        self._void[memory.memory_index] = ~valid
        rows = valid.unsqueeze(-1)
        rewards = torch.where(rows, tensors["rewards"], tensors["values"])
        return {**tensors, "rewards": rewards, "terminated": tensors["terminated"] | ~rows}

    def _pack(self, tensors: dict[str, Any], valid: torch.Tensor) -> None:
        """Store the valid rows one after the other, over the end of the memory to its beginning."""
        memory = self._memory
        count = int(valid.sum())
        size = memory.memory_size * memory.num_envs
        first = memory.memory_index * memory.num_envs + memory.env_index
        places = (first + torch.arange(count, device=memory.device)) % size
        for name, tensor in tensors.items():
            if name in memory.tensors and tensor is not None:
                kept = tensor[valid.to(tensor.device)]
                memory.tensors_view[name][places] = kept.to(memory.tensors[name].dtype)
        memory.memory_index, memory.env_index = divmod((first + count) % size, memory.num_envs)
        if first + count >= size:
            memory.filled = True
            if memory.export:
                memory.save(directory=memory.export_directory, format=memory.export_format)

    def _set_tensor(self, name: str, tensor: torch.Tensor) -> None:
        if name == "advantages" and self._void is not None:
            kept = tensor[~self._void]
            tensor = (tensor - kept.mean()) / (kept.std() + 1e-8)
            tensor = torch.where(self._void.unsqueeze(-1), torch.zeros_like(tensor), tensor)
        Memory.set_tensor_by_name(self._memory, name, tensor)

    def _sample_by_index(
        self, names: Sequence[str], *, indexes: Any, mini_batches: int = 1
    ) -> list[list[torch.Tensor | None]]:
        assert self._void is not None
        rows = torch.as_tensor(indexes, device=self._memory.device)
        return self._batches(names, rows[~self._void.flatten()[rows]], mini_batches)

    def _sample_all(
        self, names: Sequence[str], *, mini_batches: int = 1, sequence_length: int = 1
    ) -> list[list[torch.Tensor | None]]:
        assert self._void is not None
        return self._batches(names, (~self._void).flatten().nonzero().flatten(), mini_batches)

    def _batches(
        self, names: Sequence[str], rows: torch.Tensor, mini_batches: int
    ) -> list[list[torch.Tensor | None]]:
        views = self._memory.tensors_view
        return [
            [views[name][batch] if name in views else None for name in names]
            for batch in torch.tensor_split(rows, mini_batches)
        ]

    def _warn(self, valid: torch.Tensor) -> None:
        if not self._warned and not bool(valid.all()):
            self._warned = True
            _log.warning(
                "an instance was reset by a step of its own (next-step autoreset), which this "
                "agent records as skrl does; make the environment with same-step autoreset"
            )


def is_rollout(memory: Memory) -> bool:
    """Whether a memory is that of an agent that learns from its latest steps."""
    return set(memory.tensors) >= _ROLLOUT


def true_rewards(transition: Transition[Any]) -> Any:
    """Find the rewards of a step: that of one which only resets an instance is 0.

    Args:
        transition: The step.
    """
    if transition.all_valid or isinstance(transition.rewards, dict):  # of teams they are so
        return transition.rewards
    return torch.where(transition.valid, transition.rewards, 0.0)


def keep_rows(agent: Any, valid: torch.Tensor) -> None:
    """Let an agent without a memory forget rows of the last step, from which it would learn.

    Args:
        agent: The agent of skrl, which holds the last step in attributes.
        valid: bool ``[num_envs]``.
    """
    for name, value in list(vars(agent).items()):
        if (
            name.startswith("_current_")
            and isinstance(value, torch.Tensor)
            and value.shape[:1] == valid.shape
        ):
            setattr(agent, name, value[valid])


@contextmanager
def _replaced(memory: Memory, **methods: Any) -> Iterator[None]:
    """Replace methods of an object for a while."""
    vars(memory).update(methods)
    try:
        yield
    finally:
        for name in methods:
            del vars(memory)[name]
