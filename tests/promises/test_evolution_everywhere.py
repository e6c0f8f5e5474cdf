"""A population that evolves: the same lineage and the same bits under every trainer."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch

import coterie
from coterie import Controller, MemberProgress, Population
from coterie.testing import CountingTeamEnv, assert_same_state, differs
from coterie_evolution import PBT

SMALL = {"hidden_sizes": (8,)}
OFF_POLICY = {"learning_starts": 5, "batch_size": 8, "memory_size": 400, "model": SMALL}
LEARNING_RATE = {"type": "log", "low": 1e-4, "high": 1e-2}
CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "ppo": (
        "torch:CartPole-v1",
        {"rollouts": 8, "mini_batches": 2, "learning_epochs": 2, "model": SMALL},
        "learning_rate",
    ),
    "dqn": (
        "torch:CartPole-v1",
        {**OFF_POLICY, "memory": "prioritized", "n_step": 3},
        "learning_rate",
    ),
    "sac": ("torch:Pendulum-v1", OFF_POLICY, "actor_learning_rate"),
    "ddpg": (
        "torch:Pendulum-v1",
        {**OFF_POLICY, "noise": "ornstein_uhlenbeck"},
        "actor_learning_rate",
    ),
    "ippo": ("teams", {"rollouts": 8, "mini_batches": 2, "model": SMALL}, "learning_rate"),
    "ppo_rnn": (
        "torch:CartPole-v1",
        {
            "rollouts": 8,
            "sequence_length": 4,
            "mini_batches": 2,
            "learning_epochs": 2,
            "model": {"cell": "gru", "hidden_size": 8, "sizes_before": (8,)},
        },
        "learning_rate",
    ),
    "sac_rnn": (
        "torch:Pendulum-v1",
        {
            "learning_starts": 12,
            "sequence_length": 4,
            "burn_in": 2,
            "batch_size": 4,
            "model": {"hidden_size": 8, "sizes_before": (8,), "sizes_after": (8,)},
        },
        "actor_learning_rate",
    ),
}
STEPS = 34


def turning(progress: MemberProgress) -> float:
    """Be better than others in turn."""
    return float((progress.member.index * 2 + progress.timestep // 10) % 5)


def population(
    kind: str, trainer: str, controller: Controller, *, cfg: Any = (), **more: Any
) -> Any:
    env_id, settings, _ = CASES[kind]
    if env_id == "teams":
        env: Any = CountingTeamEnv(9, seed=9, alike=True)
    else:
        env = coterie.make_env(env_id, num_envs=9, seed=9, max_episode_steps=13)
    agents = [coterie.make_agent(kind, env=env, seed=seed, cfg=settings) for seed in (1, 3, 2)]
    options = {"timesteps": STEPS, "headless": True, "disable_progressbar": True, **dict(cfg)}
    with coterie.make_trainer(
        trainer, env=env, agents=agents, cfg=options, controllers=[controller], **more
    ) as made:
        made.train()
    return made


def evolution(kind: str) -> PBT:
    ranges = {CASES[kind][2]: LEARNING_RATE}
    return PBT({"ranges": ranges, "interval": 10, "episodes": 0}, fitness=turning)


@pytest.mark.parametrize("kind", CASES)
def test_one_lineage_in_turn_in_processes_and_resumed(kind: str, tmp_path: Any) -> None:
    saving = {"checkpoints": {"interval": 15, "keep": 9}}
    run = tmp_path / "run"
    whole = population(kind, "sequential", evolution(kind), cfg=saving, run_dir=run)
    lineage = (run / "lineage.jsonl").read_text()
    assert lineage.count('"copy"') >= 3
    elsewhere = population(kind, "parallel", evolution(kind))
    assert "\n".join(elsewhere._controllers.journal.lines) + "\n" == lineage
    at = run / "checkpoints" / f"step-{15:012d}"
    resumed = population(kind, "parallel", evolution(kind), resume=at)
    for made in (elsewhere, resumed):
        for left, right in zip(whole.agents, made.agents, strict=True):
            assert left.cfg == right.cfg
            assert_same_state(left.state_dict(), right.state_dict())


class Once(Controller):
    """Copies what the last member learned to the first, in the middle of everything."""

    kind: ClassVar[str] = "once"

    def __init__(self, acts: bool = True) -> None:
        super().__init__()
        self.acts, self.seen = acts, []

    def due(self, timestep: int) -> bool:
        return timestep in (21, 22)

    def act(self, population: Population) -> None:
        self.seen.append(population.snapshot(population.members))
        if self.acts and population.timestep == 21:
            heir, donor = population.members[0], population.members[2]
            learned = population.snapshot([donor], learned=True)[2]
            assert population.restore(heir, learned, population.settings(donor))
            self.seen.append(population.snapshot(population.members))


@pytest.mark.parametrize(
    ("trainer", "kind"),
    [*(("fused", kind) for kind in CASES), ("sequential", "ppo_rnn"), ("sequential", "sac_rnn")],
)
def test_only_the_heir_changes(kind: str, trainer: str) -> None:
    acting, watching = Once(), Once(acts=False)
    found = population(kind, trainer, acting)
    undisturbed = population(kind, trainer, watching)
    if trainer == "fused":
        assert [len(names) for names in found.placement.stacks] == [3]
    before, after, later = (
        {index: state["agent"] for index, state in states.items()} for states in acting.seen
    )
    for index in (1, 2):
        assert_same_state(after[index], before[index])
        assert_same_state(later[index], watching.seen[1][index]["agent"])
        assert_same_state(found.agents[index].state_dict(), undisturbed.agents[index].state_dict())
    heir, donor = after[0], before[2]
    if kind == "ippo":
        assert torch.equal(heir["generator"], before[0]["generator"])
        first = next(iter(heir["actors"]))
        heir, donor = ({**own, **own["actors"][first]} for own in (heir, donor))
        before[0] |= before[0]["actors"][first]
    networks = "networks" if "networks" in heir else "actor"
    assert_same_state(heir[networks], donor[networks])
    assert torch.equal(heir["generator"], before[0]["generator"])
    assert heir["updates"] == donor["updates"]
    assert differs(heir[networks], before[0][networks])
    assert differs(found.agents[0].state_dict(), undisturbed.agents[0].state_dict())
    if "memory" in heir:
        assert_same_state(heir["memory"], before[0]["memory"])
    else:
        rows, theirs = heir["rollout"]["memory"]["rows"], donor["rollout"]["memory"]["rows"]
        assert torch.equal(rows["rewards"], theirs["rewards"])
        assert bool(rows["truncated"][-1].all())
        assert heir["rollout"]["noise"] is None


class Given(Once):
    """Gives the first member all that the last one is."""

    def act(self, population: Population) -> None:
        if self.acts and population.timestep == 21:
            state = population.snapshot([population.members[2]])[2]
            assert population.restore(population.members[0], state, {})


def test_a_state_without_its_memory_leaves_the_others_theirs(monkeypatch: Any) -> None:
    env_id, settings, name = CASES["dqn"]
    monkeypatch.setitem(CASES, "dqn", (env_id, {**settings, "checkpoint_memory": False}, name))
    found = population("dqn", "fused", Given())
    undisturbed = population("dqn", "fused", Given(acts=False))
    assert [len(names) for names in found.placement.stacks] == [3]
    for index in (1, 2):
        assert_same_state(found.agents[index].state_dict(), undisturbed.agents[index].state_dict())
    assert differs(found.agents[0].state_dict(), undisturbed.agents[0].state_dict())


def test_fused_inside_processes_evolves_as_fused_does() -> None:
    fused = population("ppo", "fused", evolution("ppo"))
    inside = {"inside": "fused", "processes": 1}
    found = population("ppo", "parallel", evolution("ppo"), cfg=inside)
    assert found._controllers.journal.lines == fused._controllers.journal.lines
    for left, right in zip(fused.agents, found.agents, strict=True):
        assert_same_state(left.state_dict(), right.state_dict())


def test_fused_decides_as_sequential_does() -> None:
    lines = [
        population("ppo", trainer, evolution("ppo"))._controllers.journal.lines
        for trainer in ("sequential", "fused")
    ]
    assert lines[0] == lines[1]


def test_several_agents_in_a_process_evolve_likewise() -> None:
    apart = population("ppo", "parallel", evolution("ppo"))
    together = population("ppo", "parallel", evolution("ppo"), cfg={"processes": 2})
    for left, right in zip(apart.agents, together.agents, strict=True):
        assert_same_state(left.state_dict(), right.state_dict())
