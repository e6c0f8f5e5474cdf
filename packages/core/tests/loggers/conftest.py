"""A run to be logged."""

import pytest

from coterie import MemberInfo, RunInfo


@pytest.fixture
def run(tmp_path):
    members = tuple(
        MemberInfo(
            index=k, name=name, kind="k", seed=k, scope=(k, k + 1), device="cpu", settings={}
        )
        for k, name in enumerate(("a", "b, c"))
    )
    return RunInfo(
        mode="train",
        trainer="t",
        environment="e",
        num_envs=2,
        first_timestep=0,
        timesteps=9,
        members=members,
        directory=tmp_path,
    )
