"""A Ray cluster for all tests, and processes that islands of many tests take turns in."""

from __future__ import annotations

import copy
from contextlib import suppress
from functools import partial
from types import SimpleNamespace

import pytest
import ray
import torch
from ray.cluster_utils import Cluster

from coterie.islands import far_env
from coterie_backends_ray import RayHost, RayTrainer
from coterie_backends_ray._actor import IslandActor

STORE = 100_000_000
IDLE = []
"""Actors that wait for an island; starting a process takes seconds, most of them imports."""


class PooledHost(RayHost):
    """Gives the processes of islands that ended back to the pool."""

    def _make(self, number, again, *, crowded):
        options = {"num_cpus": 0, "resources": {"head": 0.001}}
        return IDLE.pop() if IDLE else ray.remote(IslandActor).options(**options).remote()

    def stop(self, number):
        super().stop(number)
        self._actors.pop(number, None)

    def close(self):
        for actor in self._actors.values():
            with suppress(ray.exceptions.RayError):  # somebody killed it
                ray.get(actor.where.remote())
                IDLE.append(actor)
        self._actors = {}
        super().close()


class PooledTrainer(RayTrainer):
    """The trainer ``ray`` in processes that are there already."""

    def make_host(self):
        return PooledHost(self.cfg, len(self.members))


def resized(env, num_envs):
    """A counting environment like another, of another size, that counts from the start."""
    other = copy.copy(env)
    other.num_envs = num_envs
    other._buffer = torch.zeros(num_envs, 3)
    other._start_counting()
    return other


def spread(env):
    """Let islands make parts of an environment of the suites."""
    return far_env(partial(resized, env), env.num_envs, template=env)


@pytest.fixture(scope="session")
def cluster():
    """A cluster whose first node has two CPUs; tests add nodes, and kill them."""
    head = {"num_cpus": 2, "resources": {"head": 1}, "object_store_memory": STORE}
    cluster = Cluster(initialize_head=True, head_node_args={**head, "include_dashboard": False})
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    IDLE.clear()
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def pooled(cluster):
    """Make trainers whose islands run in the pool's processes."""

    def make(env, **arguments):
        return PooledTrainer(env=spread(env), **arguments)

    return SimpleNamespace(make=make)


@pytest.fixture
def real(cluster):
    """Make trainers as users do, on the tests' cluster."""

    def make(env, **arguments):
        return RayTrainer(env=spread(env), **arguments)

    return SimpleNamespace(make=make, cluster=cluster, store=STORE)
