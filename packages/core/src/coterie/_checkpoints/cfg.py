"""Settings of checkpoints. Free of torch."""

from __future__ import annotations

from attrs import field, frozen

from .._config.validators import at_least, more_than


@frozen(kw_only=True)
class CheckpointCfg:
    """When checkpoints are written, and which are kept.

    Besides, there is one at the start, at the end and at an interrupt.

    Attributes:
        interval: Timesteps between two; ``None``: only time decides.
        minutes: Minutes after which one is written, with the next metrics; ``None``: only
            timesteps decide.
        keep: Number of the newest that are kept; 0: none is written, and the run can't be
            resumed.
        best: Whether ``best/`` keeps each member's agent from the checkpoint at which its mean
            return was highest.
        strict: Whether the first checkpoint that can't be written ends the run; otherwise the
            third in a row does, or the last of the run. A copy that can't be written to
            ``mirror`` ends it only if this is set.
        retries: How often ``on_member_failure="resume"`` goes back to a checkpoint.
        mirror: Folder that checkpoints are copied to, with the files of the run, as a URL of
            fsspec such as ``"s3://bucket/runs/a"``, or a path; it needs the extra ``remote``.
            ``None``: they are in the run's folder only.
        mirror_wait: Seconds that the end of a run waits for its last copy, at most.
    """

    interval: int | None = field(default=None, validator=at_least(1))
    minutes: float | None = field(default=10.0, validator=more_than(0))
    keep: int = field(default=2, validator=at_least(0))
    best: bool = True
    strict: bool = False
    retries: int = field(default=3, validator=at_least(0))
    mirror: str | None = None
    mirror_wait: float = field(default=300.0, validator=at_least(0))
