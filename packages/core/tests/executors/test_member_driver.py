"""What one member does between two steps of the environment."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from coterie import Member, MemberDriver, RandomActor, Transition, WorkerRaised, cut_infos
from coterie._spaces import check_contained
from coterie.testing import CountingEnv, MemoryAgent, SpaceEnv, SumAgent, agents_for

ACTIONS = spaces.Dict({"a": spaces.Box(-1, 1, (2,)), "b": spaces.Discrete(3)})


def driver_for(kind, scope=slice(2, 5), env=None, mode="train", **arguments):
    env = env or CountingEnv(6)
    (agent,) = agents_for(env, kind)
    member = Member(index=1, name="m", agent=agent, scope=scope)
    driver = MemberDriver(member, env.interface, mode, **arguments)
    driver.setup()
    return driver


def transition(**changes):
    fields = {
        "observations": torch.arange(18.0).reshape(6, 3),
        "actions": torch.zeros(6, dtype=torch.int64),
        "rewards": torch.arange(6.0),
        "next_observations": torch.arange(18.0).reshape(6, 3) + 100,
        "terminated": torch.arange(6) == 3,
        "truncated": torch.arange(6) == 4,
        "valid": torch.arange(6) != 2,
        "all_valid": False,
        "infos": {"x": np.arange(6), "whole": "text"},
    }
    return Transition(**{**fields, **changes})


def test_a_member_sees_its_rows_only():
    driver = driver_for(MemoryAgent)
    observations = torch.arange(18.0).reshape(6, 3)
    actions = driver.begin(observations, None, timestep=0, timesteps=9, cut=False)
    assert actions.shape == (3,)
    driver.advance(transition(), observations + 200, None)
    (own,) = driver.agent.transitions
    assert torch.equal(own.observations, observations[2:5])
    assert torch.equal(own.actions, actions)
    assert torch.equal(own.next_observations, observations[2:5] + 100)
    assert own.rewards.tolist() == [2, 3, 4]
    assert own.terminated.tolist() == [False, True, False]
    assert own.truncated.tolist() == [False, False, True]
    assert own.valid.tolist() == [False, True, True]
    assert own.infos["x"].tolist() == [2, 3, 4]
    assert own.infos["whole"] == "text"


def test_what_a_member_does_to_its_tensors_stays_with_it():
    class Vandal(SumAgent):
        def act(self, observations, **arguments):
            observations.zero_()
            return super().act(observations, **arguments)

        def record_transition(self, transition, **_):
            for name in ("rewards", "terminated", "truncated", "valid", "next_observations"):
                getattr(transition, name).zero_()

    driver = driver_for(Vandal)
    observations = torch.ones(6, 3)
    whole = transition()
    driver.begin(observations, None, timestep=0, timesteps=9, cut=False)
    driver.advance(whole, observations, None)
    assert observations.sum() == 18
    untouched = transition()
    for name in ("rewards", "terminated", "truncated", "valid", "next_observations"):
        assert torch.equal(getattr(whole, name), getattr(untouched, name))


@pytest.mark.parametrize(
    ("actions", "words"),
    [
        (
            torch.zeros(2, dtype=torch.int64),
            r"actions: expected a tensor of shape \(3,\), got \(2,\)",
        ),
        (torch.zeros(3, 1, dtype=torch.int64), r"got \(3, 1\)"),
        (torch.zeros(3), "actions: expected torch.int64, got torch.float32"),
        ([0, 0, 0], "got list"),
        (None, "got NoneType"),
    ],
)
def test_wrong_actions_are_named(actions, words):
    driver = driver_for(SumAgent)
    driver.agent.act = lambda *_, **__: actions
    with pytest.raises(
        WorkerRaised, match=rf"agent 1 \('m'\) raised ValueError in act at step 7: .*{words}"
    ):
        driver.begin(torch.zeros(6, 3), None, timestep=7, timesteps=9, cut=False)


def test_a_wrong_part_of_the_actions_is_named():
    env = CountingEnv(6, action_space=ACTIONS)
    driver = driver_for(SumAgent, env=env)
    good = {"a": torch.zeros(3, 2), "b": torch.zeros(3, dtype=torch.int64)}
    for wrong, words in (
        ({**good, "a": torch.zeros(3)}, r"actions\.a: expected a tensor of shape \(3, 2\)"),
        ({"a": good["a"]}, r"in act at step 0: .*'?b"),
        (torch.zeros(3), "in act at step 0"),
    ):
        driver.agent.act = lambda *_, wrong=wrong, **__: wrong
        with pytest.raises(WorkerRaised, match=words):
            driver.begin(torch.zeros(6, 3), None, timestep=0, timesteps=9, cut=False)


def test_actions_outside_their_space_are_found_in_debug_mode_only():
    for debug in (False, True):
        driver = driver_for(SumAgent, debug=debug)
        driver.agent.act = lambda *_, **__: torch.tensor([0, 7, 1])
        arguments = {"timestep": 0, "timesteps": 9, "cut": False}
        if debug:
            with pytest.raises(WorkerRaised, match="the action 7 of instance 1 is not in"):
                driver.begin(torch.zeros(6, 3), None, **arguments)
        else:
            assert driver.begin(torch.zeros(6, 3), None, **arguments).tolist() == [0, 7, 1]


def test_acting_needs_no_gradient_and_learning_may():
    class Asks(SumAgent):
        modes = ()

        def act(self, *arguments, **more):
            self.modes += (torch.is_grad_enabled(),)
            return super().act(*arguments, **more)

        def post_interaction(self, **_):
            self.modes += (torch.is_grad_enabled(),)

    driver = driver_for(Asks)
    driver.begin(torch.zeros(6, 3), None, timestep=0, timesteps=9, cut=False)
    driver.finish(transition())
    assert driver.agent.modes == (False, True)


def test_evaluation_acts_and_nothing_else():
    calls = []

    class Listens(SumAgent):
        def __getattribute__(self, name):
            if name in ("record_transition", "post_interaction", "pre_interaction", "episodes_cut"):
                calls.append(name)
            return super().__getattribute__(name)

    driver = driver_for(Listens, mode="eval", deterministic=True)
    first = driver.begin(torch.zeros(6, 3), None, timestep=0, timesteps=9, cut=True)
    second = driver.advance(transition(), torch.zeros(6, 3), None)
    driver.finish(transition())
    assert calls == []
    assert torch.equal(first, second)
    assert not driver.agent.training
    driver.leave()
    assert driver.agent.training


def test_a_state_goes_round():
    driver = driver_for(SumAgent)
    driver.begin(torch.zeros(6, 3), None, timestep=0, timesteps=9, cut=False)
    state = driver.snapshot()
    driver.finish(transition())
    changed = driver.agent.sum.clone()
    driver.restore(state)
    assert driver.agent.steps == 0
    driver.finish(transition())
    assert torch.equal(driver.agent.sum, changed)


@pytest.mark.parametrize("rows", [slice(1, 3), [1, 2]])
def test_infos_are_cut_where_they_have_an_entry_per_instance(rows):
    infos = {
        "array": np.arange(8).reshape(4, 2),
        "tensor": torch.arange(4),
        "list": [0, 1, 2, 3],
        "other_length": [0, 1, 2],
        "scalar": 5,
        "array_of_one": np.arange(1),
        "deep": {"objects": np.array([None, {}, 1, "x"], dtype=object), "text": "four"},
    }
    cut = cut_infos(infos, rows, 4)
    assert cut["array"].tolist() == [[2, 3], [4, 5]]
    assert cut["tensor"].tolist() == cut["list"] == [1, 2]
    assert cut["other_length"] == [0, 1, 2]
    assert cut["scalar"] == 5
    assert cut["array_of_one"].tolist() == [0]
    assert cut["deep"]["objects"].tolist() == [{}, 1]
    assert cut["deep"]["text"] == "four"


def test_the_substitute_acts_within_the_space():
    env = SpaceEnv(6, spaces.Box(0, 1, (2,)), action_space=ACTIONS)
    (agent,) = agents_for(env, SumAgent)
    actors = [
        RandomActor(Member(index=0, name="m", agent=agent, scope=slice(0, 4)), env.interface)
        for _ in range(2)
    ]
    draws = [[actor.act(timestep) for timestep in range(5)] for actor in actors]
    for one, other in zip(*draws, strict=True):
        check_contained(ACTIONS, one)
        assert one["a"].shape == (4, 2)
        assert torch.equal(one["a"], other["a"])
    assert not torch.equal(draws[0][0]["a"], draws[0][1]["a"])
