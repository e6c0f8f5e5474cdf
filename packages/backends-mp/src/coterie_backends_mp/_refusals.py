"""What members refuse is told as text: they go on as they were."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from coterie import CheckpointMismatch, ConfigError

from ._messages import Refusal
from ._reports import cut


def refusal(work: Callable[[], Any]) -> Refusal | None:
    """Let a member take something over; return why it did not, if it refused.

    Args:
        work: Takes it over; other exceptions than a refusal are failures, and raised.
    """
    try:
        work()
    except ConfigError as error:
        return Refusal(settings=True, message=cut(str(error)))
    except CheckpointMismatch as error:
        return Refusal(settings=False, message=cut(str(error)))
    return None


def raise_refusals(results: Mapping[int, Any]) -> None:
    """Raise the first refusal among what members answered.

    Raises:
        CheckpointMismatch: A state was refused.
        ConfigError: Settings were refused.
    """
    for found in results.values():
        if isinstance(found, Refusal):
            raise (ConfigError if found.settings else CheckpointMismatch)(found.message)
