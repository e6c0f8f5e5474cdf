"""Copies of an environment, stepped one after the other. Free of torch: workers import this."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from coterie import ConfigError

from .copy import Copy
from .layout import Array, Key, Layout, describe


class InTurn:
    """Some of the copies of an environment, in this process.

    Args:
        envs: The parallel environments.
        layout: What they observe and do.
        arrays: Of :meth:`Layout.arrays`, for all instances.
        first: Row of the first of them.
        name: What they are, for messages.

    Raises:
        ConfigError: They differ from the layout.
    """

    def __init__(
        self,
        envs: Sequence[Any],
        layout: Layout,
        arrays: Mapping[Key, Array],
        name: str,
        first: int = 0,
    ) -> None:
        self._name = name
        self.arrays = arrays
        for row, env in enumerate(envs, first):
            found = describe(env, name, layout.state is not None)
            if found != layout:
                raise ConfigError(
                    f"{name}: instance {row} has other actors or spaces than the first"
                )
        self.copies = {
            row: Copy(env, layout, arrays, row, name) for row, env in enumerate(envs, first)
        }

    def reset(
        self, seeds: Mapping[int, int | None], options: dict[str, Any] | None
    ) -> dict[int, Mapping[Any, Any]]:
        """Begin episodes.

        Args:
            seeds: By row: the seed, or ``None`` to go on with the stream as it is.
            options: What the environment takes.

        Returns:
            Infos that are not empty, by row.
        """
        infos = {}
        for row, seed in seeds.items():
            with self._noted(row):
                infos[row] = self.copies[row].reset(seed, options)
        return {row: found for row, found in infos.items() if any(found.values())}

    def step(self) -> dict[int, Mapping[Any, Any]]:
        """Step every copy.

        Returns:
            Infos that are not empty, by row.
        """
        infos = {}
        for row, copy in self.copies.items():
            with self._noted(row):
                found = copy.step()
            if any(found.values()):
                infos[row] = found
        return infos

    def render(self) -> dict[int, Any]:
        """Draw every copy; by row."""
        frames = {}
        for row, copy in self.copies.items():
            with self._noted(row):
                frames[row] = copy.env.render()
        return frames

    def close(self) -> None:
        """Close every copy, even when closing one fails.

        Raises:
            Exception: What the first that failed raised.
        """
        failures = []
        for copy in self.copies.values():
            try:
                copy.env.close()
            except Exception as error:
                failures.append(error)
        if failures:
            raise failures[0]

    @contextmanager
    def _noted(self, row: int) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            error.add_note(f"in instance {row} of {self._name}")
            raise


def make_all(makers: Sequence[Callable[[], Any]], made: Sequence[Any] = ()) -> list[Any]:
    """Make environments; where one can't be made, close the others.

    Args:
        makers: Functions that make one each.
        made: Those that were made already, of the first makers.
    """
    envs = list(made)
    try:
        for make in makers[len(envs) :]:
            envs.append(make())
    except BaseException:
        for env in envs:
            env.close()
        raise
    return envs
