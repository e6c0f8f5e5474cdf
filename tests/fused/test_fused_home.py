"""State comes home, travels between trainers, and can be given to a member while it runs."""

import pytest
import torch

from coterie import CheckpointMismatch, ConfigError, TrainerCfg, make_trainer
from coterie.testing import assert_same_state, differs
from coterie_backends_fused import FusedExecutor, FusedTrainer

COUNT = 3


def make(tools, count=COUNT, **settings):
    env = tools.env(2 * count)
    return env, [tools.agent(env, seed, **settings) for seed in range(count)]


class Kept(FusedTrainer):
    """Keeps what the stack held when the run ended."""

    def make_executor(self):
        trainer = self

        class Executor(FusedExecutor):
            def settle(self, members):
                trainer.held = self.snapshot()
                super().settle(members)

        return Executor()


def test_agents_hold_bit_for_bit_what_the_stack_held(tools):
    env, agents = make(tools, observation_normalization=True)
    cfg = {"timesteps": 15, "disable_progressbar": True}
    with Kept(env=env, agents=agents, cfg=cfg) as trainer:
        trainer.train()
    assert sorted(trainer.held) == [0, 1, 2]
    for index, agent in enumerate(agents):
        assert_same_state(trainer.held[index]["agent"], agent.state_dict())
    assert all(differs(agents[0].state_dict(), agent.state_dict()) for agent in agents[1:])


def test_a_checkpoint_is_that_of_a_single_agent(tools, tmp_path):
    env, agents = make(tools)
    tools.train("fused", env, agents, 15)
    agents[1].save(tmp_path / "agent.safetensors")
    other = tools.agent(env, 9)
    other.load(tmp_path / "agent.safetensors")
    assert_same_state(agents[1].state_dict(), other.state_dict())


@pytest.mark.parametrize("order", [("sequential", "fused"), ("fused", "sequential")])
def test_a_run_may_change_its_trainer(tools, order):
    """Parts under either trainer, cut in the middle of a rollout, are one long run."""
    env = tools.env(6)
    agents = [tools.agent(env, seed, tools.double) for seed in range(COUNT)]
    tools.train(order[0], env, agents, 10)
    tools.train(order[1], env, agents, 9)
    well = tools.env(6)
    whole = [tools.agent(well, seed, tools.double) for seed in range(COUNT)]
    for timesteps in (10, 9):
        tools.train("sequential", well, whole, timesteps)
    for mine, own in zip(agents, whole, strict=True):
        tools.assert_close(mine.state_dict(), own.state_dict(), rtol=1e-10, atol=1e-10)


def test_a_stack_goes_to_worker_processes_and_back(tools):
    pytest.importorskip("coterie_backends_mp")
    env, agents = make(tools)
    cfg = {"timesteps": 8, "disable_progressbar": True, "headless": True}
    for name in ("fused", "parallel", "fused"):
        with make_trainer(name, env=env, agents=agents, cfg=cfg) as trainer:
            trainer.train()
    assert [agent.state_dict()["updates"] for agent in agents] == [4, 4, 4]


def test_agents_in_other_places_of_their_rollout_are_not_stacked(tools):
    env, agents = make(tools)
    alone = tools.env(2)
    tools.train("sequential", alone, [agents[0]], 2)
    agents[0].name = "early"
    trainer = tools.train("fused", env, agents, 3)
    assert trainer.placement.stacks == (("ppo-1", "ppo-2"),)
    assert trainer.placement.alone == {"early": "differs from ppo-1 in phase"}


def test_agents_that_learned_more_are_stacked_with_those_that_did_less(tools):
    env, agents = make(tools)
    tools.train("sequential", tools.env(2), [agents[0]], 6)
    trainer = tools.train("fused", env, agents, 6)
    assert len(trainer.placement.stacks[0]) == 3
    assert [agent.state_dict()["updates"] for agent in agents] == [2, 1, 1]
    assert [agent.state_dict()["optimizer"]["steps"] for agent in agents] == [8, 4, 4]


class Driven:
    """An executor that a test drives by hand."""

    def __init__(self, tools, count=COUNT, **settings):
        from coterie import SequentialTrainer
        from coterie._envs.boundary import Boundary

        self.env, self.agents = make(tools, count, **settings)
        self.members = SequentialTrainer(
            env=self.env, agents=self.agents, cfg={"timesteps": 1}
        ).members
        self.executor = FusedExecutor()
        self.executor.open(self.members, self.env.interface, "train", TrainerCfg())
        self.boundary = Boundary(self.env, "raise", False)
        self.boundary.reset([0] * self.env.num_envs)
        self.timestep, self.actions = 0, None

    def run(self, steps):
        b = self.boundary
        for _ in range(steps):
            if self.actions is None:
                self.actions = self.executor.begin(
                    b.observations, b.states, timestep=self.timestep, timesteps=100, cut=False
                )
            transition = b.step(self.actions, self.timestep)
            self.actions = self.executor.advance(transition, b.observations, b.states)
            self.timestep += 1
        return self

    def states(self):
        return {i: state["agent"] for i, state in self.executor.snapshot().items()}


def test_a_state_is_given_to_one_member_while_the_others_go_on(tools):
    driven, undisturbed = Driven(tools).run(8), Driven(tools).run(8)
    winner = driven.executor.snapshot([driven.members[2]])[2]
    driven.executor.restore(driven.members[0], winner)
    states = driven.states()
    assert_same_state(states[0]["networks"], states[2]["networks"])
    assert_same_state(states[0]["optimizer"], states[2]["optimizer"])
    driven.run(7)
    undisturbed.run(7)
    for index in (1, 2):
        assert_same_state(driven.states()[index], undisturbed.states()[index])
    assert differs(driven.states()[0], undisturbed.states()[0])


def test_a_state_of_another_time_forms_stacks_anew(tools):
    driven = Driven(tools).run(2)
    early = driven.executor.snapshot([driven.members[0]])[0]
    driven.run(2)
    driven.executor.restore(driven.members[0], early)
    driven.run(1)
    assert driven.executor.placement.stacks == (("ppo-0",), ("ppo-1", "ppo-2"))
    driven.run(8)
    undisturbed = Driven(tools).run(13)
    for index in (1, 2):
        tools.assert_close(
            driven.states()[index]["networks"],
            undisturbed.states()[index]["networks"],
            rtol=1e-3,
            atol=1e-6,
        )
    assert driven.states()[0]["updates"] == 1
    assert driven.states()[1]["updates"] == 2


def test_another_agents_state_is_refused_and_changes_nothing(tools):
    driven = Driven(tools).run(3)
    before = driven.states()
    with pytest.raises(CheckpointMismatch, match="can't take this state over"):
        driven.executor.restore(driven.members[1], {"agent": {"generator": before[1]["generator"]}})
    wide = tools.agent(driven.env, 5, model={"hidden_sizes": (9,)})
    wide.setup(2)
    with pytest.raises(CheckpointMismatch, match="networks"):
        driven.executor.restore(driven.members[1], {"agent": wide.state_dict(), "streams": None})
    for index, state in driven.states().items():
        assert_same_state(state, before[index])


def test_settings_change_for_one_member(tools):
    driven, other = Driven(tools).run(8), Driven(tools).run(8)
    driven.executor.reconfigure(driven.members[1], {"learning_rate": 0.5})
    with pytest.raises(ConfigError, match="rollouts can't change"):
        driven.executor.reconfigure(driven.members[1], {"rollouts": 3})
    driven.run(5)
    other.run(5)
    for index in (0, 2):
        assert_same_state(driven.states()[index], other.states()[index])
    assert driven.states()[1]["optimizer"]["learning_rate"] == 0.5
    assert differs(driven.states()[1]["networks"], other.states()[1]["networks"])
    driven.executor.settle(driven.members)
    assert driven.agents[1].cfg.learning_rate == 0.5
    assert driven.agents[0].cfg.learning_rate == 1e-3


def test_each_member_has_metrics_of_its_own(tools):
    driven = Driven(tools).run(5)
    assert driven.executor.metrics() == [{}, {}, {}]
    driven.run(2)
    metrics = driven.executor.metrics()
    assert all("loss/policy" in own for own in metrics)
    assert len({own["loss/policy"] for own in metrics}) == 3
    assert driven.executor.metrics() == [{}, {}, {}]
    assert set(driven.executor.timings()) == {"act", "record", "learn"}


def test_a_run_without_a_step_changes_nothing(tools):
    env, agents = make(tools)
    tools.train("fused", env, agents, 9)
    before = [agent.state_dict() for agent in agents]
    members = FusedTrainer(env=env, agents=agents, cfg={"timesteps": 1}).members
    executor = FusedExecutor()
    for mode in ("train", "eval"):
        executor.open(members, env.interface, mode, TrainerCfg())
        executor.settle(members)
        for agent, state in zip(agents, before, strict=True):
            assert_same_state(agent.state_dict(), state)
    executor.close()
    executor.close()
    assert torch.get_num_threads() == 1
