"""Which members stop before the run ends, and why."""

from __future__ import annotations

from .._registry.manager import registry
from .._runs.records import MemberProgress, RunInfo
from .._types import State
from .stop_cfg import StopCfg

HOOK = "coterie_should_stop"


class Stopper:
    """Applies the rules of the settings, and asks the plugins.

    Args:
        cfg: The rules.
    """

    def __init__(self, cfg: StopCfg) -> None:
        self._cfg = cfg
        self._best: dict[str, tuple[float, int]] = {}

    @property
    def needed(self) -> bool:
        """Whether anybody could stop a member."""
        return self._cfg.any or registry().listens(HOOK)

    def reason(self, run: RunInfo, progress: MemberProgress) -> str | None:
        """Say why a member stops now; ``None``: it goes on.

        Args:
            run: The run.
            progress: How far the member is.
        """
        own = self._too_long(progress) or self._by_return(progress)
        if own is not None:
            return own
        answers = registry().emit(HOOK, run=run, progress=progress)
        return next((str(answer) for answer in answers if answer), None)

    def state_dict(self) -> State:
        """Return what is remembered of each member: its highest mean return, and since when."""
        return {name: list(found) for name, found in self._best.items()}

    def load_state_dict(self, state: State) -> None:
        """Go back to what :meth:`state_dict` returned."""
        self._best = {name: (float(best), int(at)) for name, (best, at) in state.items()}

    def _too_long(self, progress: MemberProgress) -> str | None:
        minutes = self._cfg.minutes
        if minutes is None or progress.run_seconds < minutes * 60:
            return None
        return f"{minutes:g} minutes have passed"

    def _by_return(self, progress: MemberProgress) -> str | None:
        cfg, value = self._cfg, progress.mean_return
        if value is None or progress.episodes < cfg.episodes:
            return None
        if cfg.target_return is not None and value >= cfg.target_return:
            return f"mean return {value:.6g} has reached {cfg.target_return:g}"
        best, at = self._best.get(progress.member.name, (value, progress.timestep))
        if value > best or progress.member.name not in self._best:
            best, at = value, progress.timestep
            self._best[progress.member.name] = best, at
        if cfg.plateau is not None and progress.timestep - at >= cfg.plateau:
            return (
                f"mean return has not risen above {best:.6g} for {progress.timestep - at} timesteps"
            )
        return None
