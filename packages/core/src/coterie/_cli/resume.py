"""``coterie resume``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from attrs import evolve, fields, frozen
from tyro.conf import Positional, UseAppendAction, arg

from .failures import FINE
from .options import Count, Device, Flag, Folder, Name, Progress, progress_settings

if TYPE_CHECKING:
    from .._checkpoints.reading import Checkpoint
    from .._experiment.spec import Experiment
    from .._runs.records import Summary
    from .._trainers.base import Trainer

_ABOUT = """Go on with a run that was interrupted, or killed, from its newest checkpoint.

  coterie resume runs/20261122-183000-CartPole-v1
  coterie resume runs/20261122-183000-CartPole-v1 --timesteps 200000
  coterie resume runs/20261122-183000-CartPole-v1/checkpoints/step-000000012000
  coterie resume s3://bucket/runs/a --run-dir runs/a

A run that is given by its URL is brought to a folder here, and goes on in it.

Metrics and results go on in the same folder. --timesteps makes a run longer.

What came after a checkpoint that is not the newest is removed, and done again."""


@frozen(kw_only=True)
class Resume:
    """Go on with a run from a checkpoint.

    Attributes:
        source: Folder of the run, or of one of its checkpoints, or a URL of these.
        run_dir: Folder that a run is brought to which is given by its URL, new or empty.
            Default: runs/NAME, named like the run.
        timesteps: Where the count of timesteps shall end. Default: where it was to.
        trainer: Trainer. Default: as before.
        trainer_settings: Setting of the trainer, such as on_member_failure=continue.
        device: Device of environment and agents. Default: as before.
        threads: Threads that torch uses in this process. Default: as before.
        progress: How the progress is shown: bar is a line, also where stderr is no terminal;
            rich is a table, in a terminal only. Default: as before.
        no_progress: Do not show the progress.
        debug: Show tracebacks.
    """

    about: ClassVar[str] = _ABOUT
    source: Annotated[Positional[str], arg(name="run", metavar="RUN", help_behavior_hint="")]
    run_dir: Folder = None
    timesteps: Count = None
    trainer: Name = None
    trainer_settings: Annotated[
        UseAppendAction[tuple[str, ...]],
        arg(name="trainer-set", metavar="KEY=VALUE", help_behavior_hint=""),
    ] = ()
    device: Device = None
    threads: Count = None
    progress: Progress = None
    no_progress: Flag = False
    debug: Flag = False

    def run(self) -> int:
        """Train on, print the results, and return the exit code."""
        from .._checkpoints.folders import find_checkpoint
        from .threads import torch_threads
        from .train import conclude

        source = self._here()
        if _only_begun(source):
            with torch_threads(self.threads):
                return conclude(self._begin(source), source)
        checkpoint = find_checkpoint(source)
        run = checkpoint.path.parent.parent
        threads = checkpoint.manifest.torch_threads if self.threads is None else self.threads
        with torch_threads(threads):
            summary = self._train(checkpoint, run)
        if summary is None:
            manifest = checkpoint.manifest
            print(
                f"{run} is complete: {manifest.timestep} of {manifest.timesteps} timesteps are "
                "done; to go on, give --timesteps"
            )
            return FINE
        return conclude(summary, run)

    def _here(self) -> Path:
        """Return the path of what to go on from; a run elsewhere is brought here first."""
        from .._checkpoints.urls import is_url, shown
        from .._errors import ConfigError
        from .remote import new_run

        if is_url(self.source):
            found = new_run(self.source, self.run_dir)
            print(f"brought {shown(self.source)} to {found}", flush=True)
            return found
        if self.run_dir is not None:
            raise ConfigError(
                f"--run-dir is for a run given by its URL; {self.source} goes on where it is"
            )
        return Path(self.source)

    def _begin(self, run: Path) -> Summary:
        """Do all of a run that was killed before its first checkpoint."""
        from .._experiment.build import build_experiment

        experiment = self._changed(_load(run))
        if self.timesteps is not None:
            settings = {**experiment.trainer.settings, "timesteps": self.timesteps}
            experiment = evolve(experiment, trainer=evolve(experiment.trainer, settings=settings))
        trainer: Trainer = build_experiment(experiment, run_dir=run, resume=True)
        with _closing(trainer, run):
            print(f"{trainer}\nfrom the start: the run has no checkpoint yet", flush=True)
            return trainer.train()

    def _train(self, checkpoint: Checkpoint, run: Path) -> Summary | None:
        """Do what is left; ``None``: nothing is."""
        from .._experiment.build import build_experiment, require_own_loop

        experiment = self._changed(_load(run))
        require_own_loop(experiment)
        if self.timesteps is None and not _unfinished(checkpoint):
            return None
        trainer: Trainer = build_experiment(experiment, run_dir=run, resume=checkpoint.path)
        with _closing(trainer, run):
            if self.timesteps is not None:
                trainer.resume(checkpoint.path, timesteps=self.timesteps)
            print(f"{trainer}\nfrom {checkpoint.path}", flush=True)
            return trainer.train()

    def _changed(self, experiment: Experiment) -> Experiment:
        """Apply the options to the experiment of the run."""
        from .values import parse_single, put

        name = experiment.trainer.name if self.trainer is None else self.trainer
        settings: dict[str, Any] = dict(experiment.trainer.settings)
        if name != experiment.trainer.name:
            settings = _understood(name, settings)
        for key, value in parse_single("--trainer-set", self.trainer_settings).items():
            put(settings, key, value)
        settings |= progress_settings(self.progress, self.no_progress)
        environment, members = experiment.environment, experiment.members
        if self.device is not None:
            environment = evolve(environment, device=self.device)
            members = tuple(evolve(member, device=None) for member in members)
        trainer = evolve(experiment.trainer, name=name, settings=settings)
        return evolve(experiment, environment=environment, members=members, trainer=trainer)


def _understood(trainer: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Leave out the settings of another trainer that this one does not have."""
    from .._registry.manager import registry

    names = {one.name for one in fields(registry().find("trainer", trainer).record.config)}
    return {key: value for key, value in settings.items() if key in names}


def _load(run: Path) -> Experiment:
    from .comparison import load_run

    return load_run(run, otherwise="go on there, with make_trainer(..., run_dir=..., resume=True)")


def _only_begun(run: Path) -> bool:
    """Whether a run was killed before it wrote anything to go on from."""
    from .._checkpoints.folders import CHECKPOINTS, committed

    metrics = run / "metrics.csv"
    return (
        (run / "run.json").exists()
        and (run / "experiment.json").exists()
        and not (run / "summary.json").exists()
        and not committed(run / CHECKPOINTS)
        and (not metrics.exists() or len(metrics.read_bytes().splitlines()) <= 1)
    )


@contextmanager
def _closing(trainer: Trainer, run: Path) -> Iterator[None]:
    """Close everything in the end; keep the traceback of what goes wrong."""
    from .._envs.closing import close_environment
    from .failures import keep_traceback

    try:
        with trainer:
            yield
    except BaseException as error:
        keep_traceback(error, run)
        raise
    finally:
        close_environment(trainer.env)


def _unfinished(checkpoint: Checkpoint) -> bool:
    return checkpoint.manifest.timestep < checkpoint.manifest.timesteps
