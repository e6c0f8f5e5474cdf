"""Do the agents learn what is known to be learnable? Five seeds per task and algorithm.

The seeds of a case train as one population (``fused``). Then each acts greedily, without learning;
told are the interquartile mean of the seeds' mean returns, with a bootstrap interval, and whether
it reaches the bar. Curves show the same over training.

    python benchmarks/learn.py                        every case, into docs/
    python benchmarks/learn.py CartPole-v1/ppo        some of them: other rows stay as they are
    python benchmarks/learn.py --long                 the long ones too: hours
    python benchmarks/learn.py --short --out FOLDER   a tenth of the steps and no bars
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _learning_cases import CASES, EVALUATION, Case, wanted
from attrs import asdict, evolve, frozen
from gymnasium.vector import AutoresetMode

import coterie

ROOT = Path(__file__).parent.parent
SHORTER = 10
START = "<!-- measured by benchmarks/learn.py -->\n"
END = "<!-- end of what was measured -->\n"


@frozen(kw_only=True)
class Result:
    """What a case came to.

    Attributes:
        task: Name of the task.
        agent: Name of the algorithm.
        bar: What should be reached; ``None``: nothing.
        env_steps: Environment steps of each seed.
        seconds: Duration of the training of all seeds.
        returns: Mean return of each seed, acting greedily after training.
        mean: Interquartile mean of the returns.
        low: Lower end of its 95 % bootstrap interval.
        high: Upper end.
        steps: Environment steps of the points of the curve.
        curve: Interquartile mean of the seeds' returns at these points, with both ends.
    """

    task: str
    agent: str
    bar: float | None
    env_steps: int
    seconds: float
    returns: list[float]
    mean: float
    low: float
    high: float
    steps: list[int]
    curve: list[tuple[float, float, float]]

    @property
    def name(self) -> str:
        """What the case is called on the command line."""
        return f"{self.task}/{self.agent}"

    @property
    def missed(self) -> bool:
        """Whether the mean is below the bar."""
        return self.bar is not None and self.mean < self.bar


def middle(returns: Sequence[float]) -> tuple[float, float, float]:
    """Return the interquartile mean of some seeds, and its 95 % percentile bootstrap interval."""
    mean, low, high = coterie.interquartile_mean(returns, resamples=9999)
    return float(mean), float(low), float(high)


def measure(case: Case) -> Result:
    """Train the seeds of a case as one population, let them act greedily, and sum up."""
    env = coterie.make_env(
        case.env, num_envs=case.num_envs * case.seeds, seed=0, **case.env_settings
    )
    agents = [
        coterie.make_agent(
            case.agent, env=env, name=f"seed-{seed}", seed=seed, cfg=dict(case.settings)
        )
        for seed in range(case.seeds)
    ]
    with tempfile.TemporaryDirectory() as folder:
        cfg = {
            "timesteps": case.timesteps,
            "metrics_interval": max(1, case.timesteps // 100),
            "headless": True,
            "disable_progressbar": True,
        }
        place = f"{folder}/run"
        start = time.perf_counter()
        with coterie.make_trainer(
            "fused", env=env, agents=agents, cfg=cfg, run_dir=place
        ) as trainer:
            trainer.train()
        seconds = time.perf_counter() - start
        steps, curve = read(Path(folder) / "run" / "metrics.csv", case.seeds)
    env.close()
    returns = evaluate(case, agents)
    mean, low, high = middle(returns)
    return Result(
        task=case.task,
        agent=case.agent,
        bar=case.bar,
        env_steps=case.num_envs * case.timesteps,
        seconds=seconds,
        returns=returns,
        mean=mean,
        low=low,
        high=high,
        steps=steps,
        curve=curve,
    )


def evaluate(case: Case, agents: Sequence[coterie.Agent]) -> list[float]:
    """Return each agent's mean return when it acts greedily.

    The first episode of every instance counts, and no other: short episodes would weigh more.
    """
    num_envs, timesteps = EVALUATION[case.task]
    found = []
    for seed, agent in enumerate(agents):
        env = coterie.make_env(case.env, num_envs=num_envs, seed=10_000 + seed, **case.env_settings)
        agent.enable_training_mode(False)
        found.append(first_returns(env, agent, timesteps))
        agent.enable_training_mode(True)
        env.close()
    return found


@torch.no_grad()
def first_returns(env: coterie.VectorEnv, agent: coterie.Agent, timesteps: int) -> float:
    """Average the returns of the first episode of each instance, and of a team over its actors."""
    observations, _ = env.reset(seed=1)
    total = torch.zeros(len(by_actor(env.action_space)), env.num_envs)
    running = torch.ones_like(total, dtype=torch.bool)
    there = running.clone()
    for timestep in range(timesteps):
        actions = agent.act(
            observations, timestep=timestep, timesteps=timesteps, deterministic=True
        )
        observations, rewards, terminated, truncated, _ = env.step(actions)
        rewards, terminated, truncated = map(rows, (rewards, terminated, truncated))
        total += torch.where(running, rewards.float(), 0.0)
        ended = terminated | truncated
        running &= ~ended
        there &= ~ended
        if not bool(running.any()):
            return float(total.mean())
        over = ~there.any(0)
        if env.autoreset_mode is AutoresetMode.DISABLED and bool(over.any()):
            observations, _ = env.reset(options={"reset_mask": over})
        there |= over
    raise RuntimeError(f"an episode is longer than {timesteps} timesteps")


def by_actor(space: Any) -> Sequence[Any]:
    """List a team's spaces or tensors; of an agent for one, the only one."""
    return list(space.values()) if isinstance(space, Mapping) else [space]


def rows(tensors: Any) -> torch.Tensor:
    """Lay the tensors of a team below each other, ``[actors, instances]``."""
    return torch.stack([tensor.reshape(-1) for tensor in by_actor(tensors)])


def read(metrics: Path, seeds: int) -> tuple[list[int], list[tuple[float, float, float]]]:
    """Read the curves of the seeds, and sum them up at each point.

    Args:
        metrics: The run's ``metrics.csv``.
        seeds: Number of seeds that are in it.

    Returns:
        Environment steps, and interquartile means with their intervals; from where every seed has
        ended an episode, a seed without a new one keeps its last.
    """
    table = np.genfromtxt(metrics, delimiter=",", names=True, dtype=None, encoding="utf-8")
    table = table[table["name"] == "episode/return"]
    steps = sorted({int(step) for step in table["env_steps"]})
    last: dict[str, float] = {}
    points, curve = [], []
    for step in steps:
        rows = table[table["env_steps"] == step]
        last |= {str(row["member"]): float(row["value"]) for row in rows}
        if len(last) == seeds:
            points.append(step)
            curve.append(middle(list(last.values())))
    return points, curve


def draw(task: str, results: Sequence[Result], folder: Path) -> Path:
    """Draw the curves of a task's algorithms into ``learning-TASK.png``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    colours = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")
    figure = Figure(figsize=(8.0, 4.5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for colour, result in zip(colours, results, strict=False):
        mean, low, high = np.asarray(result.curve).reshape(-1, 3).T
        axes.plot(result.steps, mean, color=colour, label=result.agent)
        axes.fill_between(result.steps, low, high, color=colour, alpha=0.2, linewidth=0)
    for bar in {result.bar for result in results} - {None}:
        axes.axhline(bar, color="#555555", linewidth=0.8, linestyle="--", label=f"bar, {bar:g}")
    axes.set_xlabel("environment steps of each seed")
    axes.set_ylabel("return of the episodes in training")
    seeds = " and ".join(str(n) for n in sorted({len(result.returns) for result in results}))
    axes.set_title(f"{task}: interquartile mean of {seeds} seeds", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    path = folder / f"learning-{task.lower()}.png"
    figure.savefig(path)
    return path


def table(results: Sequence[Result]) -> str:
    """Lay the results out as a table of Markdown."""
    lines = [
        "| task | algorithm | steps of each seed | seconds, five seeds | return | 95 % interval "
        "| each seed | bar | met |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for r in results:
        seeds = ", ".join(f"{value:.0f}" for value in r.returns)
        bar, met = ("none", "-") if r.bar is None else (f"{r.bar:g}", "yes")
        met = "no" if r.missed else met
        none = np.isnan(r.low)  # two seeds have no interval
        interval = "-" if none else f"{r.low:.1f} to {r.high:.1f}"
        lines.append(
            f"| {r.task} | {r.agent} | {r.env_steps:,} | {r.seconds:.0f} | {r.mean:.1f} "
            f"| {interval} | {seeds} | {bar} | {met} |"
        )
    return "\n".join(lines) + "\n"


def write(results: Sequence[Result], folder: Path) -> None:
    """Write the results: ``learning.json``, pictures, and the measured part of ``learning.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = [asdict(result) for result in results]
    (folder / "learning.json").write_text(json.dumps(kept) + "\n", encoding="utf-8")
    text = [table(results)]
    for task in dict.fromkeys(result.task for result in results):
        own = [result for result in results if result.task == task]
        picture = draw(task, own, folder).name
        names = ", ".join(result.agent for result in own)
        text.append(f"![Return against environment steps on {task}: {names}]({picture})\n")
    missing = [case.name for case in CASES if case.name not in {r.name for r in results}]
    if missing:
        text.append(f"Not measured yet: {', '.join(f'`{name}`' for name in missing)}.\n")
    page = folder / "learning.md"
    before = page.read_text("utf-8") if page.exists() else f"{START}{END}"
    head, rest = before.split(START)
    tail = rest.split(END)[1]
    page.write_text(f"{head}{START}\n{chr(10).join(text)}\n{END}{tail}", encoding="utf-8")


def earlier(folder: Path) -> dict[str, Result]:
    """Read the results that were written before, by the names of their cases."""
    file = folder / "learning.json"
    rows = json.loads(file.read_text("utf-8")) if file.exists() else []
    results = [Result(**row) for row in rows]
    return {result.name: result for result in results}


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", help=", ".join(case.name for case in CASES))
    parser.add_argument("--short", action="store_true", help="a tenth of the steps, no bars")
    parser.add_argument("--long", action="store_true", help="the long cases too: hours")
    parser.add_argument("--out", type=Path, help="folder of the results; default: docs")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    unknown = set(asked.cases) - {case.name for case in CASES}
    if unknown:
        parser.error(f"there is no case {', '.join(sorted(unknown))}")
    if asked.short and asked.out is None:
        parser.error("--short needs --out: its results do not belong into docs")
    folder = asked.out or ROOT / "docs"
    torch.set_num_threads(asked.threads)
    found = earlier(folder)
    for case in wanted(asked.cases, long=asked.long):
        chosen = evolve(case, timesteps=case.timesteps // SHORTER) if asked.short else case
        found[case.name] = measure(chosen)
        write([found[c.name] for c in CASES if c.name in found], folder)
        print(table([found[case.name]]), flush=True)
    if not asked.short and any(result.missed for result in found.values()):
        raise SystemExit("some bars were not met")


if __name__ == "__main__":
    main()
