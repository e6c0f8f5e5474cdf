"""Islands in this very process: every call is made when its answer is waited for."""

from __future__ import annotations

import copy
from collections import deque
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from coterie.islands import Answer, Island, IslandHost, IslandLost, IslandTrainer, far_env


class LocalHost(IslandHost):
    """Runs islands in turn; ``doom`` says before which call of its life an island is lost."""

    def __init__(self, doom=(), room=2):
        self._doom, self._room = {number: deque(at) for number, at in dict(doom).items()}, room
        self.islands, self.queues, self.started, self.made = {}, {}, [], []
        self._count, self._results, self._tickets = {}, {}, 0
        self.closed = 0

    def room(self):
        return self._room

    def start(self, number, blueprint, *, again):
        assert isinstance(blueprint, bytes)
        self.started.append((number, again))
        self.islands[number], self.queues[number] = blueprint, deque()
        self._count[number] = 0

    def call(self, number, name, argument):
        self._tickets += 1
        self.queues[number].append((self._tickets, name, argument))
        return self._tickets

    def wait(self, tickets, seconds):
        for number, queue in self.queues.items():  # all of them, one call each
            if queue:
                self._do(number, *queue.popleft())
        return [ticket for ticket in tickets if ticket in self._results]

    def _do(self, number, ticket, name, argument):
        doom = self._doom.get(number)
        if doom and self._count[number] == doom[0]:
            doom.popleft()
            self.islands[number] = None
        self._count[number] += 1
        if isinstance(self.islands[number], bytes):
            threads = torch.get_num_threads()
            self.islands[number] = Island(self.islands[number])
            torch.set_num_threads(threads)
        island = self.islands[number]
        self.made.append((number, name))
        self._results[ticket] = None if island is None else island.answer(name, argument)

    def result(self, ticket):
        answer = self._results.pop(ticket)
        if answer is None:
            raise IslandLost("it was struck by lightning")
        assert isinstance(answer, Answer)
        return answer

    def where(self, number):
        return f"node {number % 2}"

    def stop(self, number):
        self.islands[number] = None

    def close(self):
        self.closed += 1


class LocalTrainer(IslandTrainer):
    """Islands in this process; subclasses have ``host_settings``."""

    kind = "local-islands"

    def make_host(self):
        self.host = LocalHost(**self.host_settings)
        return self.host


def resized(env, num_envs):
    """A counting environment like another, of another size, that counts from the start."""
    other = copy.copy(env)
    other.num_envs = num_envs
    other._buffer = torch.zeros(num_envs, 3)
    other._start_counting()
    return other


def make_local(env, **arguments):
    host = arguments.pop("host", {})
    cls = type("Local", (LocalTrainer,), {"host_settings": host})
    if env.recipe is None:
        env = far_env(partial(resized, env), env.num_envs, template=env)
    return cls(env=env, **arguments)


@pytest.fixture(name="islands")
def _islands():
    return SimpleNamespace(make=make_local, LocalHost=LocalHost, LocalTrainer=LocalTrainer)
