from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from coterie import ConfigError
from coterie_envs import GymnasiumAdapter, GymnasiumEnv


def build(counter, mode, lengths=(2, 3), **settings):
    env = SyncVectorEnv(
        [lambda n=n: counter(length=n, **settings) for n in lengths], autoreset_mode=mode
    )
    return GymnasiumEnv(env, name="counter", seed=0)


def test_same_step_tells_where_episodes_ended(counter):
    env = build(counter, AutoresetMode.SAME_STEP, truncate=True)
    observations, _ = env.reset()
    assert observations.tolist() == [[0, 0], [0, 0]]
    actions = torch.tensor([1, 2])
    observations, rewards, terminated, truncated, infos = env.step(actions)
    assert "final_obs" not in infos
    assert observations.tolist() == [[0, 1], [0, 1]]
    assert rewards.tolist() == [1.0, 2.0]
    assert rewards.dtype == torch.float32
    observations, _, terminated, truncated, infos = env.step(actions)
    assert observations.tolist() == [[1, 0], [0, 2]]
    assert infos["final_obs"][0].tolist() == [0, 2]
    assert infos["final_obs"].shape == (2, 2)
    assert infos["final_obs"].dtype == torch.float32
    assert terminated.tolist() == [False, False]
    assert truncated.tolist() == [True, False]
    observations, _, _, truncated, infos = env.step(actions)
    assert observations.tolist() == [[1, 1], [1, 0]]
    assert infos["final_obs"][1].tolist() == [0, 3]
    assert truncated.tolist() == [False, True]


def test_next_step_resets_in_a_step_of_its_own(counter):
    env = build(counter, AutoresetMode.NEXT_STEP)
    env.reset()
    actions = torch.tensor([1, 2])
    env.step(actions)
    observations, _, terminated, _, infos = env.step(actions)
    assert observations.tolist() == [[0, 2], [0, 2]]
    assert terminated.tolist() == [True, False]
    assert "final_obs" not in infos
    observations, rewards, terminated, _, _ = env.step(actions)
    assert observations.tolist() == [[1, 0], [0, 3]]
    assert rewards.tolist() == [0.0, 2.0]
    assert terminated.tolist() == [False, True]


def test_disabled_resets_only_what_the_mask_says(counter):
    env = build(counter, AutoresetMode.DISABLED)
    env.reset()
    actions = torch.tensor([1, 2])
    env.step(actions)
    observations, _, terminated, _, _ = env.step(actions)
    assert observations.tolist() == [[0, 2], [0, 2]]
    options = {"reset_mask": terminated}
    observations, _ = env.reset(options=options)
    assert options["reset_mask"] is terminated
    assert observations.tolist() == [[1, 0], [0, 2]]
    unchanged, _ = env.reset(options={"reset_mask": torch.zeros(2, dtype=torch.bool)})
    assert unchanged.tolist() == [[1, 0], [0, 2]]
    observations, *_ = env.step(actions)
    assert observations.tolist() == [[1, 1], [0, 3]]


def test_bad_masks_are_refused(counter):
    env = build(counter, AutoresetMode.DISABLED)
    env.reset()
    with pytest.raises(ValueError, match=r"expected bool \(2,\), got bool \(3,\)"):
        env.reset(options={"reset_mask": torch.ones(3, dtype=torch.bool)})
    with pytest.raises(ValueError, match="got int64"):
        env.reset(options={"reset_mask": torch.ones(2, dtype=torch.int64)})
    env = build(counter, AutoresetMode.SAME_STEP)
    env.reset()
    with pytest.raises(ValueError, match="only the mode DISABLED"):
        env.reset(options={"reset_mask": torch.ones(2, dtype=torch.bool)})


@pytest.mark.parametrize("vectorization", ["sync", "async"])
def test_final_observations_of_gymnasium_itself(vectorization):
    """Truncation after 3 steps; the final observation is what an unwrapped copy sees."""
    env = GymnasiumAdapter().make(
        "Pendulum-v1", num_envs=2, vectorization=vectorization, max_episode_steps=3
    )
    reference = [gymnasium.make("Pendulum-v1") for _ in range(2)]
    try:
        first, _ = env.reset(seed=[5, 9])
        for index, (single, seed) in enumerate(zip(reference, (5, 9), strict=True)):
            assert first[index].tolist() == single.reset(seed=seed)[0].tolist()
        actions = torch.tensor([[0.5], [-1.5]])
        for _ in range(3):
            observations, rewards, _, truncated, infos = env.step(actions)
            expected = [s.step(a) for s, a in zip(reference, actions.numpy(), strict=True)]
        assert truncated.all()
        assert infos["final_obs"].tolist() == [one[0].tolist() for one in expected]
        assert rewards.tolist() == [np.float32(one[1]) for one in expected]
        assert not torch.equal(infos["final_obs"], observations)
    finally:
        env.close()


def test_an_environment_that_reuses_its_array_keeps_its_final_observation(counter):
    gymnasium.register("CoterieReusing-v0", lambda **kw: counter(length=2, reuse=True, **kw))
    try:
        adapter = GymnasiumAdapter()
        made = adapter.make("CoterieReusing-v0", disable_env_checker=True)
        for env in (made, adapter.wrap(counter(2, reuse=True))):
            env.reset()
            env.step(torch.tensor([0]))
            observations, *_, infos = env.step(torch.tensor([0]))
            assert infos["final_obs"].tolist() == [[0, 2]]
            assert observations.tolist() == [[1, 0]]
    finally:
        del gymnasium.registry["CoterieReusing-v0"]


def test_defaults():
    adapter = GymnasiumAdapter()
    assert adapter.make("Pendulum-v1").autoreset_mode is AutoresetMode.SAME_STEP
    assert adapter.make("CartPole-v1").autoreset_mode is AutoresetMode.NEXT_STEP
    for spelling in ("disabled", "Disabled", AutoresetMode.DISABLED):
        env = adapter.make("Pendulum-v1", autoreset_mode=spelling)
        assert env.autoreset_mode is AutoresetMode.DISABLED
    env = adapter.make("Pendulum-v1", vector_kwargs={"autoreset_mode": "NextStep"})
    assert env.autoreset_mode is AutoresetMode.NEXT_STEP


def test_an_environment_that_does_not_say_how_it_resets_is_refused(counter):
    env = SyncVectorEnv([counter])
    del env.metadata["autoreset_mode"]
    with pytest.raises(ConfigError, match=r"metadata\['autoreset_mode'\] is None"):
        GymnasiumAdapter().wrap(env)
