"""An Optuna study behind ask and tell, whose whole state is what was asked and told."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from coterie import CheckpointMismatch, PluginError, State

from .._ranges.cfg import Range
from .cfg import StudyCfg


class Study:
    """Suggests settings, and learns from how well they did.

    The same questions and answers in the same order give the same suggestions: a study goes on
    from a checkpoint by going through them again.

    Args:
        ranges: The settings, by name.
        cfg: How it draws.
        seed: Seed of the sampler.

    Raises:
        PluginError: Optuna is not installed.
    """

    def __init__(self, ranges: Mapping[str, Range], cfg: StudyCfg, seed: int) -> None:
        optuna = require_optuna()
        self._ranges = dict(sorted(ranges.items()))
        self._log: list[list[Any]] = []
        self._trials: dict[int, Any] = {}
        short = seed % 2**32
        with _quiet():
            if cfg.sampler == "random":
                sampler: Any = optuna.samplers.RandomSampler(seed=short)
            else:
                sampler = optuna.samplers.TPESampler(
                    seed=short, n_startup_trials=cfg.startup, constant_liar=True
                )
            self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._distributions = {
            name: _distribution(own, optuna.distributions) for name, own in self._ranges.items()
        }

    def ask(self) -> tuple[int, dict[str, Any]]:
        """Suggest settings.

        Returns:
            The number of the trial, for :meth:`tell`, and the settings by name.
        """
        with _quiet():
            trial = self._study.ask(self._distributions)
        self._trials[trial.number] = trial
        self._log.append(["ask"])
        return trial.number, self._settings(trial.params)

    def take(self, settings: Mapping[str, Any]) -> int:
        """Begin a trial with given settings, which lie in their ranges; return its number."""
        given = {
            name: own.values.index(settings[name]) if own.type == "choice" else settings[name]
            for name, own in self._ranges.items()
        }
        with _quiet():
            self._study.enqueue_trial(given)
            trial = self._study.ask(self._distributions)
        self._trials[trial.number] = trial
        self._log.append(["take", dict(settings)])
        return int(trial.number)

    def tell(self, number: int, value: float | None) -> None:
        """Say how well a trial did; more is better, ``None``: it came to nothing."""
        import optuna

        trial = self._trials.pop(number)
        with _quiet():
            if value is None:
                self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                self._study.tell(trial, value)
        self._log.append(["tell", number, value])

    def best(self) -> tuple[int, dict[str, Any], float] | None:
        """Return number, settings and value of the best trial; ``None``: none has ended."""
        import optuna

        done = self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
        if not done:
            return None
        best = max(done, key=lambda trial: (trial.value, -trial.number))
        return best.number, self._settings(best.params), float(best.value or 0.0)

    def state_dict(self) -> State:
        """Return what was asked and told."""
        return {"log": json.dumps(self._log)}

    def load_state_dict(self, state: State) -> None:
        """Go through what was asked and told; the study must be new.

        Raises:
            CheckpointMismatch: It can't be gone through again.
        """
        try:
            for kind, *arguments in json.loads(state["log"]):
                if kind == "ask":
                    self.ask()
                elif kind == "take":
                    self.take(arguments[0])
                else:
                    self.tell(*arguments)
        except Exception as error:
            raise CheckpointMismatch(
                f"the study can't be gone through again: {type(error).__name__}: {error}"
            ) from error

    def _settings(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: own.values[params[name]] if own.type == "choice" else params[name]
            for name, own in self._ranges.items()
        }


def require_optuna() -> Any:
    """Import Optuna.

    Raises:
        PluginError: It is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise PluginError(
            "a study needs optuna: pip install 'coterie-evolution[optuna]'"
        ) from error
    return optuna


def _distribution(own: Range, kinds: Any) -> Any:
    if own.type == "choice":
        return kinds.CategoricalDistribution(tuple(range(len(own.values))))
    low, high = own.bounds
    if own.type == "int":
        return kinds.IntDistribution(int(low), int(high))
    return kinds.FloatDistribution(low, high, log=own.type == "log")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna from telling of every step; its level of logging is as before afterwards."""
    logger = logging.getLogger("optuna")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
