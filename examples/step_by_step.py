"""Perform each timestep yourself, with the trainer ``step``, and stop when an agent is good enough.

Run it with: python examples/step_by_step.py
"""

from __future__ import annotations

from collections import deque

import coterie

GOOD = 150.0


def main(timesteps: int = 5000) -> None:
    """Train until the mean length of the last 50 episodes is good, at most ``timesteps``."""
    env = coterie.make_env("torch:CartPole-v1", num_envs=16, seed=0)
    agent = coterie.make_agent("ppo", env=env, seed=0, cfg={"rollouts": 32})
    cfg = {"timesteps": timesteps, "headless": True, "disable_progressbar": True}
    lengths = [0] * env.num_envs
    last: deque[int] = deque(maxlen=50)
    with coterie.make_trainer("step", env=env, agents=agent, cfg=cfg) as trainer:
        for timestep in range(timesteps):
            transition = trainer.train(timestep=timestep)
            for instance, done in enumerate(transition.done.tolist()):
                lengths[instance] += 1
                if done:
                    last.append(lengths[instance])
                    lengths[instance] = 0
            if len(last) == 50 and sum(last) / 50 >= GOOD:
                print(f"good after {timestep + 1} timesteps")
                break
        print(trainer.finish())


if __name__ == "__main__":
    main()
