"""Trainers one after the other, evaluations in between, and what happens at the seams."""

import threading

import pytest
import torch

from coterie import SequentialTrainer, TrainerStateError, VectorEnv, WorkerRaised
from coterie.testing import (
    BrokenEnv,
    CountingEnv,
    GlobalDrawAgent,
    MemoryAgent,
    SumAgent,
    agents_for,
    assert_same_state,
    differs,
    nothing_global,
)

QUIET = {"timesteps": 10, "disable_progressbar": True}


class Forgetful(CountingEnv):
    """An environment that can't save its state; it notes the seeds of its resets."""

    saves_state = False

    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        self.seeds = []

    def reset(self, *, seed=None, options=None):
        self.seeds.append(seed)
        return super().reset(seed=seed, options=options)


class Cut(MemoryAgent):
    """Notes when its episodes are cut."""

    def episodes_cut(self):
        self.transitions.append("cut")


def trainer_for(env, *agents, **cfg):
    return SequentialTrainer(env=env, agents=list(agents), cfg={**QUIET, **cfg})


def steps_until_cuts(agent):
    """Number of transitions before, between and after the cuts."""
    lengths = [0]
    for entry in agent.transitions:
        lengths = [*lengths, 0] if entry == "cut" else [*lengths[:-1], lengths[-1] + 1]
    return lengths


def continuous(agent):
    """Whether every transition starts where the one before led to, but for ends and cuts."""
    pairs = zip(agent.transitions, agent.transitions[1:], strict=False)
    return all(
        bool(torch.equal(now.next_observations[~now.done], then.observations[~now.done]))
        for now, then in pairs
        if "cut" not in (now, then)
    )


def test_training_again_goes_on_with_the_same_episodes():
    env = Forgetful(2)
    (agent,) = agents_for(env, Cut)
    trainer = trainer_for(env, agent)
    trainer.train()
    trainer.train()
    assert len(env.seeds) == 1
    assert steps_until_cuts(agent) == [0, 20]
    assert continuous(agent)
    assert trainer.timestep == 20


def test_an_evaluation_cuts_the_episodes_of_an_environment_without_state():
    env = Forgetful(2)
    (agent,) = agents_for(env, Cut)
    trainer = trainer_for(env, agent)
    trainer.train()
    trainer.eval()
    trainer.eval()
    trainer.train()
    first, evaluation, again, second = env.seeds
    assert evaluation == again
    assert len({tuple(first), tuple(evaluation), tuple(second)}) == 3
    assert steps_until_cuts(agent) == [0, 10, 10]
    assert continuous(agent)


def test_an_evaluation_leaves_one_with_state_as_it_was():
    env = CountingEnv(2)
    (agent,) = agents_for(env, Cut)
    trainer = trainer_for(env, agent)
    trainer.train()
    before = env.state_dict()
    trainer.eval()
    assert_same_state(before, env.state_dict())
    trainer.train()
    assert steps_until_cuts(agent) == [0, 20]
    assert continuous(agent)


def test_an_evaluation_before_any_training():
    env = CountingEnv(2)
    (agent,) = agents_for(env, Cut)
    trainer = trainer_for(env, agent)
    assert trainer.eval().members[0].status == "evaluated"
    assert agent.transitions == []
    trainer.train()
    undisturbed = agents_for(CountingEnv(2), Cut)
    trainer_for(CountingEnv(2), *undisturbed).train()
    assert_same_state(undisturbed[0].state_dict(), agent.state_dict())


@pytest.mark.parametrize("stochastic", [False, True])
def test_an_evaluation_changes_no_agent(stochastic):
    env = CountingEnv(4)
    agents = agents_for(env, SumAgent, GlobalDrawAgent)
    agents[0].enable_training_mode(False)
    trainer = trainer_for(env, *agents, stochastic_evaluation=stochastic)
    before = [agent.state_dict() for agent in agents]
    with nothing_global():
        results = [trainer.eval().members[0].mean_return for _ in range(2)]
    assert results[0] == results[1]
    assert not any(differs(b, a.state_dict()) for b, a in zip(before, agents, strict=True))
    assert [agent.training for agent in agents] == [False, True]


def test_two_trainers_share_an_environment():
    env = CountingEnv(2)
    one, other = agents_for(env, Cut, Cut)
    first, second = trainer_for(env, one), trainer_for(env, other)
    for trainer in (first, second, first):
        trainer.train()
    assert steps_until_cuts(one) == [0, 10, 10]
    assert steps_until_cuts(other) == [0, 10]
    assert continuous(one)
    assert continuous(other)


def test_another_trainer_takes_an_agent_over():
    """What the agent recorded last is not followed by what it records first."""
    (agent,) = agents_for(CountingEnv(2), Cut)
    for _ in range(2):
        trainer_for(CountingEnv(2), agent).train()
    assert steps_until_cuts(agent) == [0, 10, 10]


def test_after_a_step_that_failed_there_is_a_reset():
    env = BrokenEnv(2, at=5, how="raise")
    (agent,) = agents_for(env, Cut)
    trainer = trainer_for(env, agent)
    with pytest.raises(RuntimeError, match="fell over"):
        trainer.train()
    assert trainer.timestep == 5
    trainer.train()
    assert steps_until_cuts(agent) == [0, 5, 10]
    assert continuous(agent)


def test_a_failed_evaluation_does_not_disturb_training():
    class Fails(BrokenEnv):
        saves_state = True

    env = Fails(2, at=15, how="raise")
    (agent,) = agents_for(env, Cut)
    trainer = trainer_for(env, agent)
    trainer.train()
    before = agent.state_dict()
    with pytest.raises(RuntimeError, match="fell over"):
        trainer.eval()
    assert_same_state(before, agent.state_dict())
    assert agent.training
    trainer.train()
    assert steps_until_cuts(agent) == [0, 20]


def test_a_trainer_inside_itself():
    class Nested(SumAgent):
        action = staticmethod(lambda: None)

        def post_interaction(self, *, timestep, timesteps):
            self.action()

    for action in ("train", "eval", "close"):
        env = CountingEnv(2)
        (agent,) = agents_for(env, Nested)
        trainer = trainer_for(env, agent)
        agent.action = getattr(trainer, action)
        with pytest.raises(WorkerRaised, match="this trainer is running") as caught:
            trainer.train()
        assert isinstance(caught.value.__cause__, TrainerStateError)
        agent.action = lambda: None
        trainer.train()


def test_from_another_thread():
    env = CountingEnv(2)
    (agent,) = agents_for(env, SumAgent)
    summaries = []
    thread = threading.Thread(target=lambda: summaries.append(trainer_for(env, agent).train()))
    thread.start()
    thread.join(30)
    assert summaries[0].members[0].status == "trained"
    (same,) = agents_for(CountingEnv(2), SumAgent)
    trainer_for(CountingEnv(2), same).train()
    assert_same_state(same.state_dict(), agent.state_dict())


def test_closing():
    env = CountingEnv(2)
    with trainer_for(env, *agents_for(env, SumAgent)) as trainer:
        trainer.train()
    trainer.close()
    for call in (trainer.train, trainer.eval):
        with pytest.raises(TrainerStateError, match="closed; make a new one"):
            call()
    assert env.closed == 0


@pytest.mark.parametrize(
    ("interval", "headless", "times"), [(1, False, 10), (4, False, 2), (1, True, 0)]
)
def test_rendering(interval, headless, times):
    env = CountingEnv(2)
    trainer = trainer_for(
        env, *agents_for(env, SumAgent), render_interval=interval, headless=headless
    )
    trainer.train()
    assert env.rendered == times


class Pictured(CountingEnv):
    """Notes the captions that it is drawn with."""

    def render(self):
        super().render()
        self.seen = dict(self.captions)


@pytest.mark.parametrize("own", [{}, {"mine": range(2)}])
def test_pictures_show_the_members_names(own):
    """The members' scopes while the trainer runs, unless somebody has said otherwise."""
    env = Pictured(3)
    env.captions = own
    cfg = {**QUIET, "headless": False}
    agents = agents_for(env, SumAgent, SumAgent)
    trainer = SequentialTrainer(env=env, agents=agents, scopes=[1, 2], cfg=cfg)
    trainer.train()
    names = [member.name for member in trainer.members]
    assert env.seen == (own or {names[0]: range(1), names[1]: range(1, 3)})
    assert env.captions == own
    assert VectorEnv.captions == {}
