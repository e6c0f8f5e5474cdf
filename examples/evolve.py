"""Population based training against the fixed settings that its own population began with.

Each seed draws a population of PPO agents with random settings and trains it twice: once as it is,
once with evolution. Both begin with the same weights, settings and random numbers. It takes about
two minutes on a laptop:

    python examples/evolve.py --seeds 5 --out evolve.png

Told are, over the seeds, the mean return of the median member of the fixed population and of the
one that evolves, with a bootstrap interval of the difference, and drawn both over time.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import coterie
from coterie import Controller, Population

RANGES = {
    "learning_rate": {"type": "log", "low": 1e-5, "high": 3e-2},
    "entropy_loss_scale": {"type": "log", "low": 1e-4, "high": 1e-1},
    "ratio_clip": {"type": "linear", "low": 0.05, "high": 0.4},
}
PPO = {"rollouts": 32, "learning_epochs": 4, "mini_batches": 4, "model": {"hidden_sizes": (32,)}}
INSTANCES = 8
EVERY = 100


class Curves(Controller):
    """Notes the mean return of every member every 100 timesteps, over episodes since the last."""

    kind: ClassVar[str] = "curves"

    def begin(self, population: Population) -> None:
        """Start with nothing."""
        self.rows: list[list[float]] = []
        self._counted = [0 for _ in population.members]

    def due(self, timestep: int) -> bool:
        """Whether to look."""
        return timestep % EVERY == 0

    def act(self, population: Population) -> None:
        """Look."""
        row = []
        for member in population.members:
            found = population.mean_return(member, self._counted[member.index])
            if found is None:  # no episode ended: they are long
                found = self.rows[-1][member.index] if self.rows else 0.0
            row.append(found)
            self._counted[member.index] = population.episodes(member)
        self.rows.append(row)

    def end(self, population: Population) -> None:
        """Look a last time."""
        self.act(population)


def train(seed: int, members: int, timesteps: int, *, evolves: bool) -> tuple[Any, Any]:
    """Train a population; return mean returns ``[times, members]`` and the results of the end."""
    env = coterie.make_env("torch:CartPole-v1", num_envs=INSTANCES * members, seed=seed)
    agents = [
        coterie.make_agent("ppo", env=env, seed=1000 * seed + index, cfg=PPO)
        for index in range(members)
    ]
    # With an interval that never comes, members keep the settings that they are given first.
    interval = max(1, timesteps // 12) if evolves else 10**9
    pbt = {"ranges": RANGES, "interval": interval, "episodes": 4}
    curves = Curves()
    cfg = {"timesteps": timesteps, "headless": True, "disable_progressbar": True}
    with coterie.make_trainer(
        "fused", env=env, agents=agents, cfg=cfg, controllers=[("pbt", pbt), curves]
    ) as trainer:
        trainer.train()
        results = trainer.eval(episodes=20)
    env.close()
    return np.array(curves.rows), [member.mean_return or 0.0 for member in results.members]


def interval_of(values: list[float], seed: int = 0) -> tuple[float, float]:
    """Compute a 95 % percentile bootstrap interval of a mean."""
    generator = np.random.default_rng(seed)
    draws = generator.choice(values, (10_000, len(values))).mean(1)
    return float(np.quantile(draws, 0.025)), float(np.quantile(draws, 0.975))


def compare(seeds: int, members: int, timesteps: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train with and without evolution for each seed; return the figures and the curves."""
    ends: dict[str, list[float]] = {"fixed": [], "evolved": [], "best_fixed": [], "best": []}
    lines: dict[str, list[Any]] = {"fixed": [], "evolved": []}
    for seed in range(seeds):
        for name in ("fixed", "evolved"):
            rows, results = train(seed, members, timesteps, evolves=name == "evolved")
            lines[name].append(np.median(rows, axis=1))
            ends[name].append(statistics.median(results))
            ends["best_fixed" if name == "fixed" else "best"].append(max(results))
        print(f"seed {seed}: " + ", ".join(f"{k} {v[-1]:.0f}" for k, v in ends.items()), flush=True)
    gains = [new - old for new, old in zip(ends["evolved"], ends["fixed"], strict=True)]
    low, high = interval_of(gains)
    figures = {
        "mean_return": {name: statistics.mean(values) for name, values in ends.items()},
        "gain_of_the_median_member": statistics.mean(gains),
        "interval_of_95_percent": [low, high],
        "seeds": ends,
    }
    return figures, {name: np.array(own) for name, own in lines.items()}


def draw(curves: dict[str, Any], path: Path) -> None:
    """Draw the median members over time: mean over the seeds, band from lowest to highest."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for (name, rows), colour in zip(curves.items(), ("#555555", "#0072B2"), strict=True):
        x = EVERY * np.arange(1, rows.shape[1] + 1)
        axes.plot(x, rows.mean(axis=0), color=colour, label=f"median member, {name}")
        axes.fill_between(x, rows.min(axis=0), rows.max(axis=0), color=colour, alpha=0.2)
    axes.set_xlabel("timesteps")
    axes.set_ylabel("mean return")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


def main(timesteps: int = 3600, seeds: int = 5, members: int = 8, out: Path | None = None) -> None:
    """Compare, tell and draw."""
    figures, curves = compare(seeds, members, timesteps)
    print(f"mean return, and what evolution adds to it:\n{json.dumps(figures, indent=2)}")
    if out is not None:
        draw(curves, out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--timesteps", type=int, default=3600)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--out", type=Path, default=None, help="file of the picture")
    main(**vars(parser.parse_args()))
