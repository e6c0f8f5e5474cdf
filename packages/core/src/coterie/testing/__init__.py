"""For tests of plugins: fakes, and suites to inherit. Needs pytest.

A third-party trainer, agent or environment is tested by inheriting :class:`TrainerSuite`,
:class:`AgentSuite` or :class:`EnvSuite` in a test class and implementing one method. For teams
there are :class:`TeamTrainerSuite`, :class:`TeamAgentSuite` and :class:`TeamEnvSuite`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._agent_suite import AgentSuite
    from ._agents import (
        ForgetfulAgent,
        GlobalDrawAgent,
        LeanSumAgent,
        MemoryAgent,
        RaisingAgent,
        SumAgent,
    )
    from ._compare import assert_same_state, differs, nothing_global
    from ._env_suite import EnvSuite
    from ._envs import BrokenEnv, CountingEnv, SpaceEnv
    from ._team_agent_suite import TeamAgentSuite
    from ._team_env_suite import TeamEnvSuite
    from ._team_envs import CountingTeamEnv
    from ._team_trainer_suite import TeamTrainerSuite
    from ._teams import LeanSumTeam, MemoryTeam, SumTeam
    from ._trainer_suite import TrainerSuite
    from ._training_runs import agents_for

_HOMES = {
    "_agent_suite": ("AgentSuite",),
    "_agents": (
        "ForgetfulAgent",
        "GlobalDrawAgent",
        "LeanSumAgent",
        "MemoryAgent",
        "RaisingAgent",
        "SumAgent",
    ),
    "_compare": ("assert_same_state", "differs", "nothing_global"),
    "_env_suite": ("EnvSuite",),
    "_envs": ("BrokenEnv", "CountingEnv", "SpaceEnv"),
    "_team_agent_suite": ("TeamAgentSuite",),
    "_team_env_suite": ("TeamEnvSuite",),
    "_team_envs": ("CountingTeamEnv",),
    "_team_trainer_suite": ("TeamTrainerSuite",),
    "_teams": ("LeanSumTeam", "MemoryTeam", "SumTeam"),
    "_trainer_suite": ("TrainerSuite",),
    "_training_runs": ("agents_for",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'coterie.testing' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


__all__ = [
    "AgentSuite",
    "BrokenEnv",
    "CountingEnv",
    "CountingTeamEnv",
    "EnvSuite",
    "ForgetfulAgent",
    "GlobalDrawAgent",
    "LeanSumAgent",
    "LeanSumTeam",
    "MemoryAgent",
    "MemoryTeam",
    "RaisingAgent",
    "SpaceEnv",
    "SumAgent",
    "SumTeam",
    "TeamAgentSuite",
    "TeamEnvSuite",
    "TeamTrainerSuite",
    "TrainerSuite",
    "agents_for",
    "assert_same_state",
    "differs",
    "nothing_global",
]
