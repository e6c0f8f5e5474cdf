"""Promise 1: a member's result does not depend on who trains beside it, nor on the trainer."""

from __future__ import annotations

import shutil
import subprocess
import sys
import warnings

import pytest

import coterie
from coterie.testing import assert_same_state, differs, nothing_global

CFG = {"rollouts": 16, "mini_batches": 2, "learning_epochs": 2, "observation_normalization": True}
STEPS = 70
TRAINERS = ("sequential", "parallel")


def population(
    env_id: str,
    seeds: list[int],
    instances: int = 4,
    trainer: str = "sequential",
    **settings: object,
):
    """Train one PPO agent per seed; return the agents."""
    env = coterie.make_env(env_id, num_envs=instances * len(seeds), seed=9)
    own = {**CFG, **settings}
    agents = [coterie.make_agent("ppo", env=env, seed=seed, cfg=own) for seed in seeds]
    cfg = {"timesteps": STEPS, "headless": True, "disable_progressbar": True}
    with coterie.make_trainer(trainer, env=env, agents=agents, cfg=cfg) as made:
        made.train()
    return agents


@pytest.mark.parametrize("env_id", ["torch:CartPole-v1", "torch:Pendulum-v1"])
@pytest.mark.parametrize("others", [1, 4])
def test_alone_and_in_populations_of_two_and_five(env_id: str, others: int) -> None:
    (alone,) = population(env_id, [3])
    among = population(env_id, [*range(10, 10 + others), 3])
    first = population(env_id, [3, *range(20, 20 + others)])
    assert_same_state(alone.state_dict(), among[-1].state_dict())
    assert_same_state(alone.state_dict(), first[0].state_dict())


@pytest.mark.parametrize("instances", [1, 3, 7])
def test_odd_scopes_do_not_matter(instances: int) -> None:
    (alone,) = population("torch:CartPole-v1", [3], instances)
    among = population("torch:CartPole-v1", [0, 1, 3], instances)
    assert_same_state(alone.state_dict(), among[2].state_dict())


def test_sync_vectorised_gymnasium_keeps_the_promise_too() -> None:
    ends = []
    for seeds in ([3], [1, 2, 3]):
        env = coterie.make_env(
            "gymnasium:CartPole-v1", num_envs=2 * len(seeds), vectorization="sync"
        )
        agents = [coterie.make_agent("ppo", env=env, seed=seed, cfg=CFG) for seed in seeds]
        cfg = {"timesteps": STEPS, "headless": True, "disable_progressbar": True}
        coterie.make_trainer("sequential", env=env, agents=agents, cfg=cfg).train()
        env.close()
        ends.append(agents[-1].state_dict())
    assert_same_state(*ends)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_sequential_and_parallel(count: int) -> None:
    expected = population("torch:CartPole-v1", list(range(count)))
    found = population("torch:CartPole-v1", list(range(count)), trainer="parallel")
    for left, right in zip(expected, found, strict=True):
        assert_same_state(left.state_dict(), right.state_dict())


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
def test_compiled_updates_are_the_same_in_processes() -> None:
    """Every process makes its programs for itself, and they do the same."""
    settings = {"compile_update": True, "model": {"hidden_sizes": (5,)}}
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        (here,) = population("torch:CartPole-v1", [3], **settings)
    (there,) = population("torch:CartPole-v1", [3], trainer="parallel", **settings)
    (plain,) = population("torch:CartPole-v1", [3], model=settings["model"])
    assert_same_state(here.state_dict(), there.state_dict())
    assert differs(here.state_dict()["networks"], plain.state_dict()["networks"]), "none compiled"


def test_another_seed_is_another_result() -> None:
    (left,), (right,) = population("torch:CartPole-v1", [0]), population("torch:CartPole-v1", [1])
    assert differs(left.state_dict(), right.state_dict())


@pytest.mark.parametrize("trainer", TRAINERS)
def test_another_trainer_takes_over(trainer: str) -> None:
    whole = population("torch:CartPole-v1", [0, 1])
    env = coterie.make_env("torch:CartPole-v1", num_envs=8)
    agents = [coterie.make_agent("ppo", env=env, seed=seed, cfg=CFG) for seed in (0, 1)]
    cfg = {"timesteps": STEPS // 2, "headless": True, "disable_progressbar": True}
    first = coterie.make_trainer(trainer, env=env, agents=agents, cfg=cfg)
    first.train()
    first.train()
    first.close()
    for left, right in zip(whole, agents, strict=True):
        assert_same_state(left.state_dict(), right.state_dict())


def test_the_same_bits_in_another_process() -> None:
    code = (
        "import coterie, hashlib, sys; sys.path.insert(0, {folder!r})\n"
        "from test_same_result_everywhere import population\n"
        "from coterie._state import flatten_state\n"
        "(agent,) = population('torch:CartPole-v1', [3])\n"
        "_, tensors = flatten_state(agent.state_dict())\n"
        "digest = hashlib.sha256(b''.join(t.numpy().tobytes() for t in tensors.values()))\n"
        "print(digest.hexdigest())\n"
    ).format(folder=str(__file__).rsplit("/", 1)[0])
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        for _ in range(2)
    }
    assert len(digests) == 1


@pytest.mark.parametrize("trainer", TRAINERS)
def test_nothing_global(trainer: str) -> None:
    with nothing_global():
        population("torch:CartPole-v1", [0, 1], trainer=trainer)
