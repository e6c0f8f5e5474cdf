"""Islands as actors of a Ray cluster."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from coterie import ConfigError
from coterie.islands import Answer, IslandHost, IslandLost

from ._actor import IslandActor
from ._cfg import RayTrainerCfg
from ._cluster import connect, disconnect

_log = logging.getLogger("coterie")
_LONGEST = 300
_PATIENCE, _LOOK = 60.0, 0.5  # seconds: for the place of a lost island, and between two looks


class RayHost(IslandHost):
    """Starts islands as actors, each with its share of the cluster.

    Args:
        cfg: The cluster, and what each island gets of it.
        members: Number of members.

    Raises:
        ConfigError: There is no such cluster.
    """

    def __init__(self, cfg: RayTrainerCfg, members: int) -> None:
        self._cfg, self._count = cfg, 0
        wanted = 0 if cfg.islands == "auto" else min(cfg.islands, members)
        self._own = connect(cfg.address, wanted * cfg.cpus)
        self._actors: dict[int, Any] = {}
        self._places: dict[int, Any] = {}
        self._group: PlacementGroup | None = None

    def room(self) -> int:
        """How many islands the cluster has CPUs and GPUs for now, at least 1."""
        have: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        cfg = self._cfg
        needed = {"CPU": cfg.cpus, "GPU": cfg.gpus, **cfg.resources}
        counts = [int(have.get(name, 0) / each) for name, each in needed.items() if each > 0]
        return max(1, min(counts, default=1))

    def prepare(self, count: int) -> None:
        """Reserve what the islands need, where they are not just spread.

        Raises:
            ConfigError: The cluster has no room for them in this placement.
        """
        self._count = count
        self._warn_if_crowded()
        if self._cfg.placement == "spread":
            return
        strategy = self._cfg.placement.upper()
        self._group = placement_group([self._share()] * count, strategy=strategy)
        if not self._group.wait(self._cfg.start_timeout):
            remove_placement_group(self._group)
            self._group = None
            raise ConfigError(
                f"placement={self._cfg.placement!r}: {count} islands of {self._share()} each found "
                f"no place within {self._cfg.start_timeout:g} s; {_told_nodes()}"
            )

    def start(self, number: int, blueprint: bytes, *, again: bool) -> None:
        """Start an actor; arguments as for the base."""
        if not again:
            self._begin(number, blueprint, self._make(number, again, crowded=False))
            return
        self.stop(number)
        if self.room() >= self._count:
            self._begin(number, blueprint, self._make(number, again, crowded=False))
            if self._is_placed(number):
                return
            self.stop(number)
        self._begin(number, blueprint, self._make(number, again, crowded=True))

    def _begin(self, number: int, blueprint: bytes, actor: Any) -> None:
        actor.build.remote(blueprint)
        self._actors[number], self._places[number] = actor, actor.where.remote()

    def _is_placed(self, number: int) -> bool:
        """Wait until an actor runs, or there is no room for it.

        The cluster may take a while to see that a node is gone, and with it the room there.
        """
        over = time.monotonic() + min(_PATIENCE, self._cfg.start_timeout)
        while not ray.wait([self._places[number]], timeout=_LOOK)[0]:
            if self.room() < self._count or time.monotonic() > over:
                return False
        return True

    def call(self, number: int, name: str, argument: Any) -> Any:
        """Call the actor; arguments as for the base."""
        return self._actors[number].answer.remote(name, argument)

    def wait(self, tickets: Sequence[Any], seconds: float) -> list[Any]:
        """Wait for answers; arguments as for the base."""
        waiting = list(tickets)
        done, rest = ray.wait(waiting, num_returns=1, timeout=seconds, fetch_local=False)
        if done and rest:
            more, _ = ray.wait(rest, num_returns=len(rest), timeout=0, fetch_local=False)
            done += more
        return list(done)

    def result(self, ticket: Any) -> Answer:
        """Fetch an answer; errors as for the base."""
        try:
            answer: Answer = ray.get(ticket)
        except RayTaskError as error:
            raise IslandLost(f"its process could not take the call: {error}") from error
        except RayError as error:
            raise IslandLost(_reason(error)) from error
        return answer

    def where(self, number: int) -> str:
        """Say on which node an island is, and in which process; empty: it did not tell yet."""
        try:
            return str(ray.get(self._places[number], timeout=0))
        except (GetTimeoutError, RayError, KeyError):
            return ""

    def stop(self, number: int) -> None:
        """Kill the actor."""
        actor = self._actors.get(number)
        if actor is not None:
            with suppress(Exception):
                ray.kill(actor, no_restart=True)

    def close(self) -> None:
        """Kill all actors, and shut the cluster down if it is one of its own."""
        for number in list(self._actors):
            self.stop(number)
        self._actors, self._places = {}, {}
        if self._group is not None:
            with suppress(Exception):
                remove_placement_group(self._group)
            self._group = None
        if self._own:
            self._own = False
            disconnect()

    def _make(self, number: int, again: bool, *, crowded: bool) -> Any:
        """Make the actor of an island; where it is crowded, it has no CPUs to itself."""
        cfg = self._cfg
        strategy: Any = "SPREAD"
        if self._group is not None and not again:
            strategy = PlacementGroupSchedulingStrategy(
                placement_group=self._group, placement_group_bundle_index=number
            )
        options: dict[str, Any] = {
            "num_cpus": 0 if crowded else cfg.cpus,
            "num_gpus": cfg.gpus,
            "resources": dict(cfg.resources),
            "max_restarts": 0,
            "scheduling_strategy": strategy,
        }
        if cfg.runtime_env:
            options["runtime_env"] = dict(cfg.runtime_env)
        return ray.remote(IslandActor).options(**options).remote()

    def _share(self) -> dict[str, float]:
        cfg = self._cfg
        share = {"CPU": cfg.cpus, "GPU": cfg.gpus, **cfg.resources}
        return {name: each for name, each in share.items() if each > 0}

    def _warn_if_crowded(self) -> None:
        room = self.room()
        if room < self._count:
            _log.warning(
                "%d islands of %s each: the cluster has room for %d now; the others wait for up "
                "to %g s (%s)",
                self._count,
                self._share(),
                room,
                self._cfg.start_timeout,
                _told_nodes(),
            )


def _reason(error: RayError) -> str:
    """Say in a line what became of an actor: of what Ray tells, that which helps."""
    text = " ".join(str(error).split())
    text = re.sub(r"\b(class_name|actor_id|pid|name|namespace|ip): \S+ ?", "", text)
    text = text.partition(" Some common causes include")[0].partition(" The actor never ran")[0]
    found = re.search(r"because (its .*)", text)
    text = text if found is None else found[1]
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


def _told_nodes() -> str:
    found: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    nodes = [node for node in found if node.get("Alive")]
    shares = ", ".join(
        f"{node['NodeManagerHostname']} with {node['Resources'].get('CPU', 0):g} CPUs"
        for node in nodes
    )
    return f"its nodes: {shares}"
