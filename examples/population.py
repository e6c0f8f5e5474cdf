"""Train two PPO agents with different learning rates at once, evaluate them, keep the better one.

Run it with: python examples/population.py
"""

from __future__ import annotations

import coterie


def main(timesteps: int = 3000) -> None:
    """Train, evaluate and save."""
    env = coterie.make_env("gymnasium:CartPole-v1", num_envs=32, seed=0)
    agents = [
        coterie.make_agent("ppo", env=env, name=f"lr-{rate:g}", seed=0, cfg={"learning_rate": rate})
        for rate in (1e-3, 1e-4)
    ]
    cfg = {"timesteps": timesteps, "headless": True}
    with coterie.make_trainer("sequential", env=env, agents=agents, cfg=cfg) as trainer:
        print(trainer)
        trainer.train()
        summary = trainer.eval()
    print(summary)
    best = max(range(len(agents)), key=lambda k: summary.members[k].mean_return or 0.0)
    agents[best].save("best.safetensors")
    print(f"{agents[best].name} is the better one; it is kept in best.safetensors")


if __name__ == "__main__":
    main()
