"""Which environments and wrappers of gymnasium can be saved, and what is saved of each.

Nothing that is not listed here is believed to be known: a subclass may keep more than its base.
"""

from __future__ import annotations

from typing import Any

import torch

from .fields import Array, Count, Field, Flag, Frames, Queue, Real, Since, Stream
from .simulation import Simulation

_ENVS = "gymnasium.envs.classic_control"
_WRAPPERS = "gymnasium.wrappers"


def _size(*shape: int) -> Any:
    return lambda layer: shape


def _per_instance(layer: Any) -> tuple[int, ...]:
    return (layer.num_envs,)


_RETURNS = (
    Array("return_rms.mean", _size(), (torch.float64,)),
    Array("return_rms.var", _size(), (torch.float64,)),
    Real("return_rms.count"),
    Flag("_update_running_mean"),
)


def _observations(shape: Any) -> tuple[Field, ...]:
    return (
        Array("obs_rms.mean", shape),
        Array("obs_rms.var", shape),
        Real("obs_rms.count"),
        Flag("_update_running_mean"),
    )


_QUEUES = (
    Count("episode_count"),
    Queue("time_queue", float),
    Queue("return_queue", float),
    Queue("length_queue", int),
)

_MUJOCO = (
    "ant_v5.AntEnv",
    "half_cheetah_v5.HalfCheetahEnv",
    "hopper_v5.HopperEnv",
    "humanoid_v5.HumanoidEnv",
    "humanoidstandup_v5.HumanoidStandupEnv",
    "inverted_double_pendulum_v5.InvertedDoublePendulumEnv",
    "inverted_pendulum_v5.InvertedPendulumEnv",
    "pusher_v5.PusherEnv",
    "reacher_v5.ReacherEnv",
    "swimmer_v5.SwimmerEnv",
    "walker2d_v5.Walker2dEnv",
)

_INSTANCES: dict[str, tuple[Field, ...]] = {
    f"{_ENVS}.acrobot.AcrobotEnv": (Array("state", _size(4)), Stream()),
    f"{_ENVS}.cartpole.CartPoleEnv": (
        Array("state", _size(4)),
        Count("steps_beyond_terminated", optional=True),
        Stream(),
    ),
    f"{_ENVS}.continuous_mountain_car.Continuous_MountainCarEnv": (
        Array("state", _size(2)),
        Stream(),
    ),
    f"{_ENVS}.mountain_car.MountainCarEnv": (Array("state", _size(2)), Stream()),
    f"{_ENVS}.pendulum.PendulumEnv": (
        Array("state", _size(2)),
        Real("last_u", optional=True),
        Stream(),
    ),
    **{f"gymnasium.envs.mujoco.{name}": (Simulation(), Stream()) for name in _MUJOCO},
}

_WRAPPING: dict[str, tuple[Field, ...]] = {
    f"{_WRAPPERS}.common.RecordEpisodeStatistics": (
        *_QUEUES,
        Real("episode_returns"),
        Count("episode_lengths"),
        Since("episode_start_time", _size()),
    ),
    f"{_WRAPPERS}.common.TimeLimit": (Count("_elapsed_steps"),),
    f"{_WRAPPERS}.stateful_action.RepeatAction": (),
    f"{_WRAPPERS}.stateful_observation.FrameStackObservation": (Frames("obs_queue"),),
    f"{_WRAPPERS}.stateful_observation.NormalizeObservation": _observations(
        lambda layer: layer.observation_space.shape
    ),
    f"{_WRAPPERS}.stateful_observation.TimeAwareObservation": (Count("timesteps"),),
    f"{_WRAPPERS}.stateful_reward.NormalizeReward": (
        *_RETURNS,
        Array("discounted_reward", _size(1), (torch.float64,)),
    ),
    **{
        f"{_WRAPPERS}.{name}": ()
        for name in (
            "transform_action.ClipAction",
            "transform_action.DiscretizeAction",
            "transform_action.RescaleAction",
            "transform_observation.DiscretizeObservation",
            "transform_observation.DtypeObservation",
            "transform_observation.FilterObservation",
            "transform_observation.FlattenObservation",
            "transform_observation.RescaleObservation",
            "transform_observation.ReshapeObservation",
            "transform_reward.ClipReward",
        )
    },
}

_VECTORS: dict[str, tuple[Field, ...]] = {
    "gymnasium.vector.sync_vector_env.SyncVectorEnv": (
        Array("_autoreset_envs", _per_instance, (torch.bool,)),
    ),
    f"{_ENVS}.cartpole.CartPoleVectorEnv": (
        Array("state", lambda layer: (4, layer.num_envs), (torch.float64,)),
        Array("steps", _per_instance, (torch.int32,)),
        Array("prev_done", _per_instance, (torch.bool,)),
        Real("low"),
        Real("high"),
        Stream(),
    ),
    f"{_WRAPPERS}.vector.common.RecordEpisodeStatistics": (
        *_QUEUES,
        Array("episode_returns", _per_instance, (torch.float64,)),
        Array("episode_lengths", _per_instance, (torch.int64,)),
        Array("prev_dones", _per_instance, (torch.bool,)),
        Since("episode_start_times", _per_instance),
    ),
    f"{_WRAPPERS}.vector.stateful_observation.NormalizeObservation": _observations(
        lambda layer: layer.single_observation_space.shape
    ),
    f"{_WRAPPERS}.vector.stateful_reward.NormalizeReward": (
        *_RETURNS,
        Array("accumulated_reward", _per_instance, (torch.float32,)),
        Array("_prev_dones", _per_instance, (torch.float32,)),
    ),
    **{
        f"{_WRAPPERS}.vector.{name}": ()
        for name in (
            "vectorize_action.ClipAction",
            "vectorize_action.RescaleAction",
            "vectorize_observation.DtypeObservation",
            "vectorize_observation.FilterObservation",
            "vectorize_observation.FlattenObservation",
            "vectorize_observation.RescaleObservation",
            "vectorize_observation.ReshapeObservation",
            "vectorize_reward.ClipReward",
        )
    },
}

_FIELDS = {**_INSTANCES, **_WRAPPING, **_VECTORS}

_LOADED: dict[str, dict[str, Any]] = {
    "coterie_envs._gymnasium.keep.KeepFinal": {},
    f"{_WRAPPERS}.common.OrderEnforcing": {"_has_reset": True},
    f"{_WRAPPERS}.common.PassiveEnvChecker": {
        "checked_reset": True,
        "checked_step": True,
        "checked_data_reuse": True,
        "_previous_data": None,
    },
}


def known_fields(layer: Any) -> tuple[Field, ...] | None:
    """Return what is saved of an environment or a wrapper; ``None``: it can't be saved."""
    kind = type(layer)
    found = _FIELDS.get(f"{kind.__module__}.{kind.__qualname__}")
    return None if found is None or not all(field.fits(layer) for field in found) else found


def fields_by_instance(layer: Any) -> bool:
    """Whether all that is saved of a vector environment or its wrapper has an entry per instance.

    Then it can be cut by instance. Episodes that were counted together, running statistics and a
    shared random stream can't.
    """
    fields = known_fields(layer)
    return fields is not None and all(
        isinstance(one, Array) and one.shape is _per_instance for one in fields
    )


def after_loading(layer: Any) -> dict[str, Any] | None:
    """Return attributes that a wrapper without influence has after any reset and step.

    Such a wrapper is left out of a state: who resumes may do without, or have it in addition.

    Returns:
        Values by attribute; ``None``: the wrapper, or environment, has influence.
    """
    kind = type(layer)
    return _LOADED.get(f"{kind.__module__}.{kind.__qualname__}")
