"""A small population, its trainer, and what its agents know."""

from coterie import SequentialTrainer
from coterie.testing import CountingEnv, SumAgent, agents_for

QUIET = {"metrics_interval": 2, "disable_progressbar": True}


def trainer_for(run=None, *, env=None, timesteps=8, resume=False, checkpoints=None, **cfg):
    env = env or CountingEnv(4, seed=3)
    settings = {**QUIET, "timesteps": timesteps, **cfg}
    if checkpoints is not None:
        settings["checkpoints"] = {"minutes": None, **checkpoints}
    agents = agents_for(env, SumAgent, SumAgent)
    return SequentialTrainer(env=env, agents=agents, cfg=settings, run_dir=run, resume=resume)


def states(trainer):
    return [agent.state_dict() for agent in trainer.agents]


def content(folder):
    """Every file below a folder with its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def unfinished(folder):
    """What is below a folder that a save should not leave."""
    return [path for path in folder.rglob(".*") if path.name != ".lock"]
