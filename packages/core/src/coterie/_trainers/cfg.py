"""Configuration of trainers."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from .._checkpoints.cfg import CheckpointCfg
from .._config.validators import at_least, more_than
from .stop_cfg import StopCfg


@frozen(kw_only=True)
class TrainerCfg:
    """What every trainer can be told.

    Attributes:
        timesteps: Number of timesteps to train or evaluate for; each steps every instance once.
        headless: Whether to leave out rendering.
        render_interval: Timesteps between two renderings, unless headless.
        progress: How the progress is shown on stderr: ``"bar"``, a line of tqdm, or ``"rich"``, a
            table that is kept up to date, which needs the extra ``rich``. Where stderr is no
            terminal there is no table, whatever ``disable_progressbar`` says.
        disable_progressbar: Whether to hide the progress; ``None``: where there is no TTY.
        close_environment_at_exit: Whether to close the environment when the program ends.
        environment_info: Key of the infos whose scalars are logged per member.
        stochastic_evaluation: Whether evaluation draws actions instead of taking the mean one.
        on_member_failure: ``"raise"``: save what the others learned, then raise.
            ``"continue"``: the failed member's scope gets random valid actions, the others
            train on. ``"resume"``: the whole population goes back to the last checkpoint.
        metrics_interval: Timesteps between two rows of metrics; ``None``: a 200th of
            ``timesteps``.
        non_finite: What a NaN or an infinity in observations or rewards leads to.
        slow_warning: Seconds between two warnings that the environment is still in one step, or,
            where members work in processes, that one of them is still at work.
        checkpoints: When checkpoints are written, and which are kept; where there is a run's
            folder.
        stop: When members are stopped before the run ends.
        debug: Whether to make checks that cost time: actions within their space.
    """

    timesteps: int = field(default=100_000, validator=at_least(1))
    headless: bool = False
    render_interval: int = field(default=1, validator=at_least(1))
    progress: Literal["bar", "rich"] = "bar"
    disable_progressbar: bool | None = False
    close_environment_at_exit: bool = True
    environment_info: str = "episode"
    stochastic_evaluation: bool = False
    on_member_failure: Literal["raise", "continue", "resume"] = "raise"
    metrics_interval: int | None = field(default=None, validator=at_least(1))
    non_finite: Literal["raise", "warn", "ignore"] = "raise"
    slow_warning: float = field(default=60.0, validator=more_than(0))
    checkpoints: CheckpointCfg = field(factory=CheckpointCfg)
    stop: StopCfg = field(factory=StopCfg)
    debug: bool = False
