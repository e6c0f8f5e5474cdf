"""``coterie train``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from attrs import frozen
from tyro.conf import Positional, UseAppendAction, arg

from .failures import FINE, MEMBER, keep_traceback
from .options import Count, Device, File, Flag, Folder, Name, Names, Progress

if TYPE_CHECKING:
    from .._experiment.spec import Experiment
    from .._runs.records import Summary

_Assignments = UseAppendAction[tuple[str, ...]]


_ABOUT = """Train a population, and write a run: metrics, agents, table, learning curves.

Four PPO agents, with the seeds 0 to 3, two of them with each learning rate:
  coterie train gymnasium:CartPole-v1 --members 4 --num-envs 64 \\
      --timesteps 10000 --set learning_rate=1e-3,3e-4

What differs more is written down in a file:
  coterie train --experiment experiment.toml --timesteps 500"""


@frozen(kw_only=True)
class Train:
    """Train a population, and write a run.

    Attributes:
        environment: Kind and id of the environment, such as gymnasium:CartPole-v1.
        experiment: TOML, YAML or JSON file that says everything; options override it.
        agent: Algorithm. Several, separated by commas, are dealt out to the members. Default:
            ppo.
        members: Number of members. Default: as many as --set or --agent give values.
        num_envs: Number of instances of the environment. Default: 16 per member.
        trainer: Trainer. Default: sequential.
        islands: Islands that the trainer ray spreads the members over. Default: as many as the
            cluster has room for.
        timesteps: Timesteps to train for; each steps every instance once. Default: 100000.
        seed: Seed of the environment and of the first member; the others follow. Default: 0.
        device: Device of environment and agents, such as cuda:0. Default: cpu.
        threads: Threads that torch uses in this process. Default: OMP_NUM_THREADS, or 1.
        agent_settings: Setting of the agents, such as learning_rate=1e-3. Several values,
            separated by commas, are dealt out to the members. Repeat it for more settings.
        trainer_settings: Setting of the trainer, such as on_member_failure=continue.
        environment_settings: Setting of the environment.
        logger: One more place for metrics, such as tensorboard. May be repeated.
        evolve: TOML, YAML or JSON file with the settings of an evolution; its key method names
            the controller. Default of that: pbt.
        run_dir: Folder of the run, new or empty. Default: a new one below runs/.
        render: Render while training.
        headless: Do not render, whatever the experiment file says. It is the default.
        progress: How the progress is shown: bar is a line, also where stderr is no terminal;
            rich is a table, in a terminal only. Default: a line, in a terminal only.
        no_progress: Do not show the progress.
        debug: Show tracebacks.
    """

    about: ClassVar[str] = _ABOUT
    environment: Annotated[
        Positional[str | None], arg(metavar="ENVIRONMENT", help_behavior_hint="")
    ] = None
    experiment: File = None
    agent: Name = None
    members: Count = None
    num_envs: Count = None
    trainer: Name = None
    islands: Count = None
    timesteps: Count = None
    seed: Count = None
    device: Device = None
    threads: Count = None
    agent_settings: Annotated[
        _Assignments, arg(name="set", metavar="KEY=VALUE", help_behavior_hint="")
    ] = ()
    trainer_settings: Annotated[
        _Assignments, arg(name="trainer-set", metavar="KEY=VALUE", help_behavior_hint="")
    ] = ()
    environment_settings: Annotated[
        _Assignments, arg(name="env-set", metavar="KEY=VALUE", help_behavior_hint="")
    ] = ()
    logger: Names = ()
    evolve: File = None
    run_dir: Folder = None
    render: Flag = False
    headless: Flag = False
    progress: Progress = None
    no_progress: Flag = False
    debug: Flag = False

    def run(self) -> int:
        """Train, print the results, and return the exit code."""
        from .._experiment.ahead import anticipate
        from .._experiment.files import load_experiment
        from .folders import claimed
        from .request import experiment_of
        from .threads import torch_threads

        raw, label = experiment_of(self)
        experiment = load_experiment(raw, label=label)
        with claimed(self.run_dir, experiment.environment.id) as run:
            anticipate(experiment)  # torch is not imported yet
            with torch_threads(self.threads):
                summary = _train(experiment, run)
        return conclude(summary, run)


def _train(experiment: Experiment, run: Path) -> Summary:
    from .._envs.closing import close_environment
    from .._experiment.build import build_experiment, require_own_loop

    require_own_loop(experiment)
    trainer = build_experiment(experiment, run_dir=run)
    print(trainer, flush=True)
    try:
        with trainer:
            return trainer.train()
    except BaseException as error:
        keep_traceback(error, run)
        raise
    finally:
        close_environment(trainer.env)


def conclude(summary: Summary, run: Path) -> int:
    """Print how a training ended, draw its learning curves, and return the exit code."""
    from .._runs.curves import plot_curves

    print(f"\n{summary}\n")
    try:
        picture = plot_curves(run)
    except Exception as error:
        print(f"no learning curves: {error}", file=sys.stderr)
    else:
        if picture is not None:
            print(f"learning curves: {picture}")
    print(f"run: {run}")
    return MEMBER if any(member.failure for member in summary.members) else FINE
