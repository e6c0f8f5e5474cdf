"""The executor that works in the caller's process, asked directly."""

import pytest
import torch

from coterie import LocalExecutor, SequentialTrainer, TrainerCfg, TrainerStateError, Transition
from coterie.testing import CountingEnv, GlobalDrawAgent, SumAgent, agents_for, assert_same_state

QUIET = {"timesteps": 12, "disable_progressbar": True}


def opened(*kinds, **cfg):
    env = CountingEnv(2 * len(kinds))
    trainer = SequentialTrainer(env=env, agents=agents_for(env, *kinds), cfg=QUIET)
    executor = LocalExecutor()
    executor.open(trainer.members, env.interface, "train", TrainerCfg(**{**QUIET, **cfg}))
    return executor, trainer.members, env


def step_of(env):
    count = env.num_envs
    observations = torch.ones(count, 3)
    flags = torch.zeros(count, dtype=torch.bool)
    return Transition(
        observations=observations,
        actions=torch.zeros(count, dtype=torch.int64),
        rewards=torch.arange(float(count)),
        next_observations=2 * observations,
        terminated=flags,
        truncated=flags,
        valid=~flags,
    )


def go(executor, env, steps):
    begin = {"timestep": 0, "timesteps": steps, "cut": False}
    executor.begin(torch.ones(env.num_envs, 3), None, **begin)
    for _ in range(steps - 1):
        executor.advance(step_of(env), torch.ones(env.num_envs, 3), None)
    executor.finish(step_of(env))


def test_a_snapshot_restored_into_another_member():
    executor, members, env = opened(GlobalDrawAgent, GlobalDrawAgent, SumAgent)
    go(executor, env, 3)
    states = executor.snapshot()
    assert sorted(states) == [0, 1, 2]
    assert sorted(executor.snapshot([members[1]])) == [1]
    executor.restore(members[1], states[0])
    again = executor.snapshot()
    assert_same_state(again[1], states[0])
    assert_same_state(again[2], states[2])


def test_metrics_come_in_order_once():
    executor, _, env = opened(SumAgent, SumAgent)
    go(executor, env, 3)
    assert [set(scalars) for scalars in executor.metrics()] == [{"sum"}, {"sum"}]
    assert executor.metrics() == [{}, {}]


def test_a_member_that_is_not_running():
    executor, members, _ = opened(SumAgent)
    executor.close()
    executor.close()
    for call in (
        lambda: executor.restore(members[0], {}),
        lambda: executor.reconfigure(members[0], {}),
    ):
        with pytest.raises(TrainerStateError, match="'sum-0' is not running"):
            call()
    assert executor.metrics() == []
    assert executor.snapshot([]) == {}


def digest(env, *agents):
    SequentialTrainer(env=env, agents=list(agents), cfg=QUIET).train()
    return agents[0].state_dict()


def test_a_member_may_shift_the_global_generators_without_harm():
    class Reseeds(GlobalDrawAgent):
        def post_interaction(self, *, timestep, timesteps):
            super().post_interaction(timestep=timestep, timesteps=timesteps)
            torch.manual_seed(timestep)
            __import__("numpy").random.seed(timestep)
            __import__("random").seed(timestep)

    alone = digest(CountingEnv(2), *agents_for(CountingEnv(2), GlobalDrawAgent))
    env = CountingEnv(4)
    before = torch.get_rng_state()
    assert_same_state(alone, digest(env, *agents_for(env, GlobalDrawAgent, Reseeds)))
    assert torch.equal(before, torch.get_rng_state())


def test_a_member_may_change_its_threads_without_harm():
    """Sums can round differently with another number of threads: it is the member's own."""
    seen = {"a": [], "b": []}

    class Threads(SumAgent):
        def setup(self, num_envs):
            super().setup(num_envs)
            if self.name == "b":
                torch.set_num_threads(3)

        def post_interaction(self, *, timestep, timesteps):
            seen[self.name].append(torch.get_num_threads())

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        env = CountingEnv(4)
        agents = agents_for(env, Threads, Threads)
        agents[0].name, agents[1].name = "a", "b"
        digest(env, *agents)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == {"a": [2] * 12, "b": [3] * 12}
