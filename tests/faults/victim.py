"""A script that trains, without a main guard, and is killed or interrupted by a test.

Its agents run a scenario that is named on the command line; a file appears when they are at it.
"""

import os
import signal
import subprocess
import sys
import time
from typing import Any

import torch

from coterie.testing import CountingEnv, SumAgent
from coterie_backends_mp import ParallelTrainer

scenario = sys.argv[1]
torch.set_num_threads(1)
parent = os.getpid()


class Actor(SumAgent):
    """Gets into a state in which the script will be killed."""

    def act(self, observations: Any, *, timestep: int, **others: Any) -> Any:
        here = scenario not in ("starting", "env-hangs")
        if here and timestep == 3 and self.seed == 1 and os.getpid() != parent:
            say_running()
            if scenario == "busy":
                while True:
                    pass
            if scenario == "asleep":
                time.sleep(1000)
            if scenario == "stopped":
                os.kill(os.getpid(), signal.SIGSTOP)
            if scenario == "grandchild":
                subprocess.Popen(["sleep", "1000"])
            if scenario == "ignores-signals":
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                    signal.signal(number, signal.SIG_IGN)
                time.sleep(1000)
        return super().act(observations, timestep=timestep, **others)


class SlowEnv(CountingEnv):
    """Lets the workers wait for it."""

    steps = 0

    def step(self, actions: Any) -> Any:
        self.steps += 1
        if scenario == "env-hangs" and self.steps == 4:
            say_running()
            time.sleep(1000)
        time.sleep(0.01)
        return super().step(actions)


def say_running() -> None:
    """Tell the test: a file that appears."""
    open(sys.argv[2], "w").close()


if scenario == "starting":
    say_running()
env = SlowEnv(4)
spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
agents = [Actor(**spaces, seed=seed) for seed in range(2)]
steps = 8 if scenario in ("no-close", "raises") else 100_000
cfg = {"timesteps": steps, "headless": True, "disable_progressbar": True, "threads": 1}
trainer = ParallelTrainer(env=env, agents=agents, cfg=cfg)
trainer.train()
if scenario == "raises":
    raise RuntimeError("the script has a bug of its own")
print("done")
