"""Learning rate schedulers on their way to another process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import wraps
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


def watch_optimisers(attributes: Mapping[str, Any]) -> None:
    """Let optimisers tell their schedulers again that they made a step.

    torch notes it in a method of the optimiser, which does not travel with it, and then warns of
    each scheduler that its optimiser was tampered with.

    Args:
        attributes: Attributes of an agent: schedulers are among them, or in dicts by actor.
    """
    for value in attributes.values():
        if isinstance(value, LRScheduler):
            _watch(value.optimizer)
        elif isinstance(value, dict):
            watch_optimisers(value)


def _watch(optimiser: Any) -> None:
    if not isinstance(optimiser, Optimizer) or hasattr(optimiser.step, "_wrapped_by_lr_sched"):
        return
    step = type(optimiser).step

    @wraps(step)
    def noted(*arguments: Any, **settings: Any) -> Any:
        optimiser._opt_called = True  # type: ignore[attr-defined]
        return step(optimiser, *arguments, **settings)

    noted._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
    optimiser.step = noted  # type: ignore[method-assign]
