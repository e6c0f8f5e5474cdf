"""Whether a part of a memory that members share is one that an agent can use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coterie import ConfigError

from .._memory.shared import SharedReplayPart
from .cfg import OffPolicyCfg

if TYPE_CHECKING:
    from .learner import OffPolicyLearner


def check_part(learner: OffPolicyLearner, part: Any) -> None:
    """Check that a learner can use what it is given as its memory.

    Raises:
        ConfigError: It is no part of a shared memory, or holds something else than the learner
            stores, the memory was to be prioritised, or several members are stacked.
    """
    if not isinstance(part, SharedReplayPart):
        raise ConfigError(
            f"memory: expected a part of a SharedReplay, shared.part(0), got {part!r}"
        )
    if learner.cfg.memory != "uniform" or learner.population > 1:
        raise ConfigError("a shared memory is sampled uniformly, by members that are not stacked")
    if part.shared.fields != dict(learner.fields):
        raise ConfigError(
            f"the shared memory holds {', '.join(part.shared.fields)}, the agent stores "
            f"{', '.join(learner.fields)} (of the same shapes and types): make it with "
            "SharedReplay.for_env(env, ...)"
        )


def check_shared(cfg: OffPolicyCfg, part: SharedReplayPart, num_envs: int) -> None:
    """Check that a part of a shared memory fits a scope.

    Raises:
        ConfigError: It is of other numbers.
    """
    if part.num_envs != num_envs:
        raise ConfigError(
            f"the shared memory has {part.num_envs} instances per member, the scope {num_envs}"
        )
    if part.capacity < cfg.learning_starts:
        raise ConfigError(
            f"the shared memory keeps {part.capacity} timesteps, but learning starts after "
            f"{cfg.learning_starts}: raise its capacity or lower learning_starts"
        )
