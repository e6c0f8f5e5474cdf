"""What a trainer can begin before it exists. Free of torch."""

from __future__ import annotations

import logging

from .._registry.manager import registry
from .spec import Experiment

_log = logging.getLogger("coterie")


def anticipate(experiment: Experiment) -> None:
    """Let the trainer begin what takes long, beside this program's own imports.

    Whatever goes wrong with it is no more than a message: the trainer does it again when it needs
    it, and tells then.

    Args:
        experiment: What will be trained; the trainer that it names must exist.

    Raises:
        PluginError: Nobody offers the trainer.
    """
    begin = registry().find("trainer", experiment.trainer.name).record.anticipate
    if begin is None:
        return
    try:
        begin(experiment)
    except Exception as error:
        _log.warning(
            "trainer %s could not get ready ahead: %s: %s",
            experiment.trainer.name,
            type(error).__name__,
            error,
        )
