"""One replay memory that several members write to and sample from, in several processes."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from gymnasium import spaces

from coterie import ConfigError, SharedMemoryError, VectorEnv

from .columns import Columns
from .replay import Batch, ReplayMemory
from .rollout import Fields
from .shared_file import HEADER, SharedFile

_HISTORY = 4  # versions of a member's heads that are kept
_LINE = 64
_ATTEMPTS = 100
_lock = threading.Lock()

Heads: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
"""How many samples columns have seen."""


class SharedReplay:
    """Storage for the experience of several members, each of which samples from all of it.

    Make one, give each agent its part, and train under any trainer:

    .. code-block:: python

        shared = SharedReplay.for_env(env, members=4, capacity=50_000)
        agents = [
            coterie.make_agent("dqn", env=env, seed=seed, memory=shared.part(seed))
            for seed in range(4)
        ]

    It lives in anonymous shared memory, which is gone with the last process that uses it,
    however that ends. It can be pickled and sent to processes of the same user on this machine
    for as long as the sender keeps it.

    Args:
        fields: What is stored, as :func:`~coterie_agents.replay_fields` lists it.
        members: Members, M.
        num_envs: Instances of each member, N.
        capacity: Timesteps that are kept of each member.

    Attributes:
        tensors: By field, ``[rows, M, N, *shape]``.
        rows: Timesteps that there is room for: two more than the capacity, for the one that is
            written while others still read what they saw a timestep ago.

    Raises:
        SharedMemoryError: There is not enough memory.
    """

    def __init__(self, fields: Fields, *, members: int, num_envs: int, capacity: int) -> None:
        self.fields = dict(fields)
        self.members, self.num_envs, self.capacity = members, num_envs, capacity
        self.rows = capacity + 2
        self._file = SharedFile(self._lay_out(None))
        self._lay_out(self._file)

    @classmethod
    def for_env(
        cls,
        env: VectorEnv,
        *,
        members: int,
        capacity: int,
        num_envs: int | None = None,
        states: bool = False,
        dtype: torch.dtype = torch.float32,
    ) -> SharedReplay:
        """Make storage for members that learn in an environment.

        Args:
            env: The environment.
            members: Members, M.
            capacity: Timesteps that are kept of each member.
            num_envs: Instances of each member; ``None``: an equal share of the environment's.
            states: Whether to store privileged observations, for algorithms whose critics see
                them.
            dtype: Type of rewards and of real actions.

        Raises:
            ConfigError: The numbers don't fit.
            SharedMemoryError: There is not enough memory.
        """
        from .._offpolicy.fields import replay_fields

        if members < 1 or capacity < 1:
            raise ConfigError(f"members and capacity must be at least 1, got {members}, {capacity}")
        if num_envs is None:
            num_envs, rest = divmod(env.num_envs, members)
            if rest or not num_envs:
                raise ConfigError(
                    f"{env.num_envs} instances can't be shared equally by {members} members: "
                    "give num_envs, the instances of each member"
                )
        state_space: spaces.Space[Any] | None = env.state_space if states else None
        fields = replay_fields(env.observation_space, env.action_space, state_space, dtype)
        return cls(fields, members=members, num_envs=num_envs, capacity=capacity)

    def _lay_out(self, file: SharedFile | None) -> int:
        """Lay arrays over the file, or only count the bytes that they take."""
        taken = HEADER
        memory = None if file is None else file.memory

        def place(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor | None:
            nonlocal taken
            start = -(-taken // _LINE) * _LINE
            count = math.prod(shape)
            taken = start + count * dtype.itemsize
            if memory is None:
                return None
            return torch.frombuffer(memory, dtype=dtype, count=count, offset=start).view(shape)

        words = place((self.members, 8 + _HISTORY * self.num_envs), torch.int64)
        size = (self.rows, self.members, self.num_envs)
        found = {name: place((*size, *shape), d) for name, (shape, d) in self.fields.items()}
        if words is not None:
            self._writes = words[:, 0].numpy()
            self._heads = words[:, 8:].view(self.members, _HISTORY, self.num_envs).numpy()
            self.tensors = {name: tensor for name, tensor in found.items() if tensor is not None}
        return taken - HEADER

    def part(self, member: int) -> SharedReplayPart:
        """Return the part that a member writes to.

        Args:
            member: Position of the member, from 0. No two agents may have the same.

        Raises:
            ConfigError: There is no such part.
        """
        if not 0 <= member < self.members:
            raise ConfigError(f"the shared memory has parts 0 to {self.members - 1}, got {member}")
        return SharedReplayPart(self, member)

    def writes_of(self, member: int) -> int:
        """Timesteps that a member has written in all."""
        return int(self._writes[member])

    def heads_of(self, member: int, write: int) -> Heads:
        """Return how many samples each column of a member held after its ``write``-th timestep.

        The last four are known.
        """
        found: Heads = self._heads[member, write % _HISTORY].copy()
        return found

    def publish(self, member: int, write: int, heads: torch.Tensor) -> None:
        """Let readers see what a member has written; its samples must be in place.

        Args:
            member: The member.
            write: Timesteps that it has written in all.
            heads: Samples that each column has seen, int64 ``[N]``.
        """
        self._heads[member, write % _HISTORY] = heads.numpy()
        _barrier()
        self._writes[member] = write

    def __getstate__(self) -> dict[str, Any]:
        names = ("fields", "members", "num_envs", "capacity", "rows", "_file")
        return {name: getattr(self, name) for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lay_out(self._file)


class SharedReplayPart(ReplayMemory):
    """A member's part of a :class:`SharedReplay`: it writes here and samples from all parts.

    A timestep becomes visible to others as a whole, after it was written: its samples first,
    then the count of them. Of the others a member sees what they had written before its own
    latest timestep. In trainers that let all members take the same timesteps, it therefore
    samples the same whether they work in turn or at once: results are the same bit for bit
    under ``sequential`` and ``parallel``, if the members started together. Readers that run
    apart from the writers get samples that are whole too: what a writer overtook meanwhile is
    drawn anew.

    It is in main memory; agents on other devices get copies of their batches.

    Args:
        shared: The storage.
        member: The member's position.
    """

    def __init__(self, shared: SharedReplay, member: int) -> None:
        self.shared, self.member = shared, member
        super().__init__(shared.fields, shared.capacity, 1, shared.num_envs, "cpu")

    def _allocate(self) -> None:
        shared = self.shared
        whole, width = shared.tensors, shared.members * shared.num_envs
        self.tensors = {name: t[:, self.member : self.member + 1] for name, t in whole.items()}
        self._flat = {name: tensor.flatten(0, 2) for name, tensor in whole.items()}
        self._by_row = [tensor[:, self.member] for tensor in whole.values()]
        first = self.member * shared.num_envs
        size, rows = (shared.capacity, 1, shared.num_envs), shared.rows
        self.columns = Columns(*size, width=width, first=first, rows=rows)
        self._source = Columns(shared.capacity, 1, width, rows=rows)
        self.sync()

    def sync(self) -> None:
        """Take note of what was written to this part by another process."""
        self.writes = self.shared.writes_of(self.member)
        heads = self.shared.heads_of(self.member, self.writes)
        self.columns.load(torch.from_numpy(heads), 0)

    def write(self, samples: Sequence[torch.Tensor], valid: torch.Tensor | None = None) -> None:
        """Copy one timestep, and then let others see it.

        Args:
            samples: One tensor ``[N, *shape]`` per field, in the order of the fields.
            valid: bool ``[N]``: which samples are experience; ``None``: all.
        """
        super().write(samples, None if valid is None else valid.cpu())
        self._publish()

    def _publish(self) -> None:
        _barrier()
        self.shared.publish(self.member, self.writes, self.columns.heads[0])

    def pick(self, uniforms: torch.Tensor, discount: torch.Tensor | None = None) -> Batch:
        """Choose samples of all members; every one that is seen is as likely as every other.

        Args:
            uniforms: Numbers of ``[0, 1)``, float64 ``[1, B]``.
            discount: Discount of rewards ``[1]``, for ``n_step`` above 1.

        Returns:
            What :meth:`ReplayMemory.pick` returns.

        Raises:
            SharedMemoryError: Others write faster than this process can read.
        """
        everyone = self._source
        for attempt in range(_ATTEMPTS):
            everyone.load(torch.from_numpy(self._seen()).view(1, -1), 0)
            # After samples were overtaken, the oldest ones are left to the writers.
            everyone.reach = self.capacity if attempt == 0 else (self.capacity + 1) // 2
            number, column = everyone.draw(uniforms)
            batch = self.read(number, column, discount)
            _barrier()
            heads = torch.from_numpy(self._latest())[column]
            if bool(((number < heads) & (number > heads - self.shared.rows)).all()):
                return batch
        raise SharedMemoryError(
            f"other members wrote more than {self.capacity} timesteps while a batch was read; "
            "raise the capacity of the shared memory"
        )

    def _seen(self) -> Heads:
        """Heads of all columns as this member sees them, ``[M * N]``."""
        return np.concatenate([self._seen_of(member) for member in range(self.shared.members)])

    def _seen_of(self, member: int) -> Heads:
        if member == self.member:
            own: Heads = self.columns.heads[0].numpy().copy()
            return own
        while True:
            latest = self.shared.writes_of(member)
            write = min(latest, self.writes - 1)
            if write < max(latest - 1, 0):  # not in step with us: take what it has now
                write = latest
            heads = self.shared.heads_of(member, write)
            _barrier()
            if self.shared.writes_of(member) < write + _HISTORY - 1:
                return heads

    def _latest(self) -> Heads:
        """Heads of all columns as they are now, or a little newer, ``[M * N]``."""
        shared = self.shared
        return np.concatenate(
            [shared.heads_of(m, shared.writes_of(m)) for m in range(shared.members)]
        )

    def clear(self) -> None:
        """Forget this member's samples."""
        super().clear()
        self._forget()

    def load(self, state: Mapping[str, Any], member: int = 0) -> None:
        """Take over what :meth:`state` returned; of a larger memory the latest samples.

        Raises:
            CheckpointMismatch: It holds other fields, or other numbers of instances.
        """
        self.check(state)
        self._forget()
        super().load(state, member)
        self._publish()

    def _forget(self) -> None:
        self.shared.publish(self.member, 0, torch.zeros(self.num_envs, dtype=torch.int64))

    def __getstate__(self) -> dict[str, Any]:
        return {"shared": self.shared, "member": self.member, "n_step": self.n_step}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["shared"], state["member"])  # type: ignore[misc]
        self.n_step = state["n_step"]


def _barrier() -> None:
    """Keep the processor from reordering what is written before with what is written after.

    Taking a lock twice is the fence that Python has: what comes before the first release is
    seen before what comes after the second acquisition, on every processor.
    """
    for _ in range(2):
        with _lock:
            pass
