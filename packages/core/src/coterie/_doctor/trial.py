"""Try a trainer out: a small population, a few seconds. Runs in a process of its own."""

from __future__ import annotations

import faulthandler
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from attrs import frozen

from .._envs.closing import close_environment
from .._errors import ConfigError, PluginError
from .._factory import make_agent, make_env
from .._registry.manager import registry
from .._state import flatten_state
from .._trainers.base import Trainer
from .._trainers.sequential import SequentialTrainer
from .._trainers.step import StepTrainer
from .child import answer

if TYPE_CHECKING:
    from .._agents.interface import Agent
    from .._envs.interface import VectorEnv

_CHUNK = 64
_INSTANCES, _MEMBERS = 8, 2
_SETTINGS = {"rollouts": 16, "learning_epochs": 2, "mini_batches": 2}
_CFG = {
    "timesteps": _CHUNK,
    "headless": True,
    "disable_progressbar": True,
    "close_environment_at_exit": False,
}


@frozen(kw_only=True)
class Trained:
    """What a training came to.

    Attributes:
        chunks: How many times 64 timesteps were trained.
        speed: Environment steps of all members per second, without the start.
        before: States of the agents before it.
        after: States of the agents after it.
        what: Name of agents and environment.
    """

    chunks: int
    speed: float
    before: list[Any]
    after: list[Any]
    what: str


def main(arguments: Sequence[str]) -> int:
    """Try the trainer that the first argument names, for as many seconds as the second says."""
    torch.set_num_threads(1)
    try:
        answer(try_trainer(arguments[0], float(arguments[1])))
    except (ConfigError, PluginError) as error:
        answer({"refused": f"{type(error).__name__}: {error}"})
    return 0


def try_trainer(name: str, seconds: float) -> dict[str, Any]:
    """Train with a trainer, and compare with ``sequential`` if it promises to be equal.

    Args:
        name: Name of the trainer.
        seconds: How long to train, more or less, with the comparison.

    Returns:
        ``speed`` (environment steps per second), ``timesteps``, ``what`` was trained,
        ``learned`` (whether every agent changed), ``promised`` and ``equal`` (``None``: not
        promised), ``driven`` (whether the caller performs the steps).

    Raises:
        ConfigError: It can't be made with its default settings.
        PluginError: It is broken, or an agent or environment is.
    """
    kind = registry().load("trainer", name)
    promised = bool(kind.equal_to_sequential)
    found = train(kind, seconds / (2 if promised else 1))
    equal = None
    if promised:
        expected = train(SequentialTrainer, seconds, found.chunks)
        pairs = zip(found.after, expected.after, strict=True)
        equal = all(same_state(left, right) for left, right in pairs)
    changes = zip(found.before, found.after, strict=True)
    return {
        "speed": round(found.speed),
        "timesteps": found.chunks * _CHUNK,
        "what": found.what,
        "learned": not any(same_state(left, right) for left, right in changes),
        "promised": promised,
        "equal": equal,
        "driven": issubclass(kind, StepTrainer),
    }


def train(kind: type[Trainer], seconds: float, chunks: int | None = None) -> Trained:
    """Train two small agents.

    Args:
        kind: The trainer.
        seconds: When to begin no further chunk.
        chunks: Number of chunks; ``None``: until the seconds are over, at least two.
    """
    env = _make_env()
    try:
        agents = _make_agents(env)
        before = [flatten_state(agent.state_dict()) for agent in agents]
        before = [(plain, {k: t.clone() for k, t in tensors.items()}) for plain, tensors in before]
        with kind(env=env, agents=agents, cfg=_CFG) as trainer:
            done, spent = _train_chunks(trainer, seconds, chunks)
        after = [flatten_state(agent.state_dict()) for agent in agents]
    finally:
        close_environment(env)
    steps = (done - 1) * _CHUNK * _INSTANCES * _MEMBERS
    return Trained(
        chunks=done,
        speed=steps / max(spent, 1e-9),
        before=before,
        after=after,
        what=f"{_MEMBERS} {agents[0].kind} on {env.name}, {env.num_envs} instances",
    )


def same_state(left: Any, right: Any) -> bool:
    """Whether two flattened states are equal, bit for bit."""
    (plain, tensors), (other_plain, other) = left, right
    return (
        plain == other_plain
        and tensors.keys() == other.keys()
        and all(
            tensors[key].dtype == other[key].dtype and _bytes(tensors[key]) == _bytes(other[key])
            for key in tensors
        )
    )


def _train_chunks(trainer: Trainer, seconds: float, chunks: int | None) -> tuple[int, float]:
    """Train; return the number of chunks, and the seconds that those after the first took."""
    _train_chunk(trainer)  # with the start of what it needs
    done, start = 1, time.perf_counter()
    while done < (chunks or 2) or (chunks is None and time.perf_counter() - start < seconds):
        _train_chunk(trainer)
        done += 1
    return done, time.perf_counter() - start


def _train_chunk(trainer: Trainer) -> None:
    for _ in range(_CHUNK if isinstance(trainer, StepTrainer) else 1):
        trainer.train()


def _make_env() -> VectorEnv:
    count = _INSTANCES * _MEMBERS
    if "torch" in registry().names("environment"):
        return make_env("torch:CartPole-v1", num_envs=count, seed=0)
    from ..testing import CountingEnv

    return CountingEnv(count)


def _make_agents(env: VectorEnv) -> list[Agent]:
    if "ppo" in registry().names("agent"):
        return [
            make_agent("ppo", env=env, name=f"doctor-{seed}", seed=seed, cfg=_SETTINGS)
            for seed in range(_MEMBERS)
        ]
    from ..testing import SumAgent

    spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
    return [SumAgent(**spaces, seed=seed) for seed in range(_MEMBERS)]


def _bytes(tensor: torch.Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


if __name__ == "__main__":
    faulthandler.dump_traceback_later(float(sys.argv[3]))  # tells on stderr where it hangs
    sys.exit(main(sys.argv[1:]))
