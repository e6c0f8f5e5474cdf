"""Train a population of reinforcement-learning agents in one vectorised environment.

Names are imported when they are first used, so that ``import coterie`` is quick and free of
torch: the command line can answer ``--help`` at once, and plugins can be listed without loading
what they offer.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._agents.cfg import AgentCfg
    from ._agents.interface import Agent
    from ._agents.multi_agent import MultiAgent
    from ._agents.rollouts import Passage, Rollout
    from ._agents.stacking import Stack, Stackable, StackKey
    from ._agents.transition import TeamTransition, Transition
    from ._checkpoints.cfg import CheckpointCfg
    from ._config.structure import structure
    from ._controllers.cfg import ControllerCfg
    from ._controllers.interface import Controller
    from ._controllers.journal import read_lineage
    from ._controllers.population import Population
    from ._controllers.records import Change
    from ._envs.functional import FunctionalEnv
    from ._envs.interface import EnvAdapter, Interface, VectorEnv
    from ._envs.multi_agent import MultiAgentVectorEnv
    from ._envs.recipe import EnvRecipe
    from ._errors import (
        CheckpointCorrupt,
        CheckpointError,
        CheckpointMismatch,
        CheckpointNotFound,
        CheckpointUnsafe,
        CheckpointVersion,
        CheckpointWriteError,
        ConfigError,
        CoterieError,
        EnvContractError,
        PluginError,
        PluginNotFound,
        SharedMemoryError,
        TrainerStateError,
        TrainingInterrupted,
        WorkerDied,
        WorkerError,
        WorkerRaised,
        WorkerStartError,
        WorkerTimeout,
    )
    from ._executors.cutting import MemberDriver, cut_infos
    from ._executors.driver import RowsDriver, refused_settings, refused_state
    from ._executors.interface import Executor, Mode, Place
    from ._executors.local import LocalExecutor
    from ._executors.rollouts import Rollouts
    from ._executors.saving import save_member
    from ._executors.substitute import RandomActor
    from ._experiment.build import build_experiment, run_experiment
    from ._experiment.files import load_experiment
    from ._experiment.spec import (
        ControllerSpec,
        EnvironmentSpec,
        Experiment,
        LoggerSpec,
        MemberSpec,
        TrainerSpec,
    )
    from ._factory import make_agent, make_env, make_trainer, wrap_env
    from ._loggers.cfg import LoggerCfg
    from ._loggers.interface import Logger
    from ._pictures.tiling import tile_frames
    from ._report.statistics import interquartile_mean
    from ._runs.records import (
        MemberInfo,
        MemberProgress,
        MemberSummary,
        MetricRow,
        RunInfo,
        Summary,
    )
    from ._runs.results import EpisodeResults
    from ._seeding import GlobalStreams, derive_seed, isolated_generators
    from ._steering.steering import Steering
    from ._trainers.base import Trainer
    from ._trainers.cfg import TrainerCfg
    from ._trainers.inner import inner_trainer
    from ._trainers.members import Member
    from ._trainers.sequential import SequentialTrainer
    from ._trainers.step import StepTrainer
    from ._trainers.stop_cfg import StopCfg
    from ._types import Infos, State, Tree

_HOMES = {
    "_agents.cfg": ("AgentCfg",),
    "_agents.interface": ("Agent",),
    "_agents.multi_agent": ("MultiAgent",),
    "_agents.rollouts": ("Passage", "Rollout"),
    "_agents.stacking": ("Stack", "StackKey", "Stackable"),
    "_agents.transition": ("TeamTransition", "Transition"),
    "_checkpoints.cfg": ("CheckpointCfg",),
    "_config.structure": ("structure",),
    "_controllers.cfg": ("ControllerCfg",),
    "_controllers.interface": ("Controller",),
    "_controllers.journal": ("read_lineage",),
    "_controllers.population": ("Population",),
    "_controllers.records": ("Change",),
    "_envs.functional": ("FunctionalEnv",),
    "_envs.interface": ("EnvAdapter", "Interface", "VectorEnv"),
    "_envs.multi_agent": ("MultiAgentVectorEnv",),
    "_envs.recipe": ("EnvRecipe",),
    "_errors": (
        "CheckpointCorrupt",
        "CheckpointError",
        "CheckpointMismatch",
        "CheckpointNotFound",
        "CheckpointUnsafe",
        "CheckpointVersion",
        "CheckpointWriteError",
        "ConfigError",
        "CoterieError",
        "EnvContractError",
        "PluginError",
        "PluginNotFound",
        "SharedMemoryError",
        "TrainerStateError",
        "TrainingInterrupted",
        "WorkerDied",
        "WorkerError",
        "WorkerRaised",
        "WorkerStartError",
        "WorkerTimeout",
    ),
    "_executors.cutting": ("MemberDriver", "cut_infos"),
    "_executors.driver": ("RowsDriver", "refused_settings", "refused_state"),
    "_executors.interface": ("Executor", "Mode", "Place"),
    "_executors.local": ("LocalExecutor",),
    "_executors.rollouts": ("Rollouts",),
    "_executors.saving": ("save_member",),
    "_executors.substitute": ("RandomActor",),
    "_experiment.build": ("build_experiment", "run_experiment"),
    "_experiment.files": ("load_experiment",),
    "_experiment.spec": (
        "ControllerSpec",
        "EnvironmentSpec",
        "Experiment",
        "LoggerSpec",
        "MemberSpec",
        "TrainerSpec",
    ),
    "_factory": ("make_agent", "make_env", "make_trainer", "wrap_env"),
    "_loggers.cfg": ("LoggerCfg",),
    "_loggers.interface": ("Logger",),
    "_pictures.tiling": ("tile_frames",),
    "_report.statistics": ("interquartile_mean",),
    "_runs.records": (
        "MemberInfo",
        "MemberProgress",
        "MemberSummary",
        "MetricRow",
        "RunInfo",
        "Summary",
    ),
    "_runs.results": ("EpisodeResults",),
    "_seeding": ("GlobalStreams", "derive_seed", "isolated_generators"),
    "_steering.steering": ("Steering",),
    "_trainers.base": ("Trainer",),
    "_trainers.cfg": ("TrainerCfg",),
    "_trainers.inner": ("inner_trainer",),
    "_trainers.members": ("Member",),
    "_trainers.sequential": ("SequentialTrainer",),
    "_trainers.step": ("StepTrainer",),
    "_trainers.stop_cfg": ("StopCfg",),
    "_types": ("Infos", "State", "Tree"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("coterie-core")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'coterie' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


__all__ = [
    "Agent",
    "AgentCfg",
    "Change",
    "CheckpointCfg",
    "CheckpointCorrupt",
    "CheckpointError",
    "CheckpointMismatch",
    "CheckpointNotFound",
    "CheckpointUnsafe",
    "CheckpointVersion",
    "CheckpointWriteError",
    "ConfigError",
    "Controller",
    "ControllerCfg",
    "ControllerSpec",
    "CoterieError",
    "EnvAdapter",
    "EnvContractError",
    "EnvRecipe",
    "EnvironmentSpec",
    "EpisodeResults",
    "Executor",
    "Experiment",
    "FunctionalEnv",
    "GlobalStreams",
    "Infos",
    "Interface",
    "LocalExecutor",
    "Logger",
    "LoggerCfg",
    "LoggerSpec",
    "Member",
    "MemberDriver",
    "MemberInfo",
    "MemberProgress",
    "MemberSpec",
    "MemberSummary",
    "MetricRow",
    "Mode",
    "MultiAgent",
    "MultiAgentVectorEnv",
    "Passage",
    "Place",
    "PluginError",
    "PluginNotFound",
    "Population",
    "RandomActor",
    "Rollout",
    "Rollouts",
    "RowsDriver",
    "RunInfo",
    "SequentialTrainer",
    "SharedMemoryError",
    "Stack",
    "StackKey",
    "Stackable",
    "State",
    "Steering",
    "StepTrainer",
    "StopCfg",
    "Summary",
    "TeamTransition",
    "Trainer",
    "TrainerCfg",
    "TrainerSpec",
    "TrainerStateError",
    "TrainingInterrupted",
    "Transition",
    "Tree",
    "VectorEnv",
    "WorkerDied",
    "WorkerError",
    "WorkerRaised",
    "WorkerStartError",
    "WorkerTimeout",
    "build_experiment",
    "cut_infos",
    "derive_seed",
    "inner_trainer",
    "interquartile_mean",
    "isolated_generators",
    "load_experiment",
    "make_agent",
    "make_env",
    "make_trainer",
    "read_lineage",
    "refused_settings",
    "refused_state",
    "run_experiment",
    "save_member",
    "structure",
    "tile_frames",
    "wrap_env",
]
