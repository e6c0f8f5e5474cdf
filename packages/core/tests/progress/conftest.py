"""Runs of any size to be shown."""

import pytest

from coterie import MemberInfo, RunInfo


@pytest.fixture
def make_run():
    def make(names, mode="train", timesteps=1000, environment="torch:CartPole-v1"):
        members = tuple(
            MemberInfo(
                index=k,
                name=name,
                kind="k",
                seed=k,
                scope=(2 * k, 2 * k + 2),
                device="cpu",
                settings={},
            )
            for k, name in enumerate(names)
        )
        return RunInfo(
            mode=mode,
            trainer="t",
            environment=environment,
            num_envs=2 * len(members),
            first_timestep=500,
            timesteps=500 + timesteps,
            members=members,
            directory=None,
        )

    return make
