"""Who may form a population, and what a trainer says of what it can't use."""

import gymnasium
import pytest
from gymnasium import spaces

from coterie import ConfigError, PluginNotFound, SequentialTrainer, StepTrainer
from coterie._trainers.seeds import reset_seed
from coterie.testing import CountingEnv, SumAgent, agents_for, nothing_global

QUIET = {"timesteps": 4, "disable_progressbar": True}


def agent(env, **changes):
    spaces_of = {"observation_space": env.observation_space, "action_space": env.action_space}
    return SumAgent(**{**spaces_of, **changes})


def refused(env, agents, **arguments):
    with pytest.raises(ConfigError) as caught:
        SequentialTrainer(env=env, agents=agents, **{"cfg": QUIET, **arguments})
    return str(caught.value)


def test_one_agent_or_a_list():
    env = CountingEnv(4)
    (one,) = agents_for(env, SumAgent)
    assert SequentialTrainer(env=env, agents=one, cfg=QUIET).agents == [one]
    two = tuple(agents_for(env, SumAgent, SumAgent))
    trainer = SequentialTrainer(env=env, agents=two, cfg=QUIET)
    assert trainer.agents == list(two)
    assert [member.name for member in trainer.members] == ["sum-0", "sum-1"]
    assert two[1].name == "sum-1"


def test_the_callers_list_stays_his():
    env, scopes = CountingEnv(5), [2, 3]
    agents = agents_for(env, SumAgent, SumAgent)
    before = list(agents)
    SequentialTrainer(env=env, agents=agents, scopes=scopes, cfg=QUIET).train()
    assert (agents, scopes) == (before, [2, 3])


def test_as_text():
    env = CountingEnv(5)
    agents = [agent(env, name="a", seed=7), agent(env, name="b", seed=8)]
    text = str(SequentialTrainer(env=env, agents=agents, cfg=QUIET))
    assert text.splitlines() == [
        "SequentialTrainer on testing:Counting (5 instances)",
        "  a: sum, 2 instances (0 to 1), seed 7, cpu, active",
        "  b: sum, 3 instances (2 to 4), seed 8, cpu, active",
    ]


def test_nobody_and_nothing():
    env = CountingEnv(4)
    assert "there are no agents" in refused(env, [])
    assert "agents must be an Agent or a list" in refused(env, None)
    assert "agents must be an Agent or a list" in refused(env, "ppo")
    assert "agents[1] is a str, not a coterie Agent" in refused(env, [agent(env), "ppo"])


def test_more_agents_than_instances():
    env = CountingEnv(2)
    assert "3 agents need at least 3 instances" in refused(env, [agent(env) for _ in range(3)])


def test_one_object_twice():
    env = CountingEnv(4)
    twin = agent(env, name="twin")
    message = refused(env, [twin, agent(env), twin])
    assert "agents[2] is the same object as agents[0]" in message


@pytest.mark.parametrize("names", [("a", "a"), ("Lr-1", "lr-1")])
def test_one_name_twice(names):
    """Names become file names, and some file systems do not tell cases apart."""
    env = CountingEnv(4)
    assert "names must differ" in refused(env, [agent(env, name=name) for name in names])


@pytest.mark.parametrize(
    "name", ["../up", "a/b", ".hidden", "-flag", "new\nline", "ä", "a" * 129, 5, "a\0", "$x"]
)
def test_names_that_can_be_no_file(name):
    env = CountingEnv(4)
    assert "can't be used: it becomes a file's name" in refused(env, [agent(env, name=name)])


@pytest.mark.parametrize("name", ["lr-0.001", "a b", "seed=3,lr=1e-3", "x@y+z", "a" * 128, "0"])
def test_names_that_can(name, tmp_path):
    env = CountingEnv(2)
    trainer = SequentialTrainer(
        env=env, agents=agent(env, name=name), cfg=QUIET, run_dir=tmp_path / "run"
    )
    trainer.train()
    assert (tmp_path / "run" / "agents" / f"{name}.safetensors").exists()


def test_spaces_that_do_not_fit():
    env = CountingEnv(4)
    box = spaces.Box(-1, 1, (2,))
    message = refused(
        env,
        [
            agent(env, name="eyes", observation_space=box),
            agent(env, name="hands", action_space=spaces.Discrete(3)),
            agent(env, name="insight", state_space=box),
        ],
    )
    assert "agents[0] (eyes): observation_space: the agent was made for Box" in message
    assert "agents[1] (hands): action_space: the agent was made for Discrete(3)" in message
    assert "agents[2]: expects privileged states, testing:Counting has none" in message


def test_a_population_that_was_refused_is_untouched():
    env = CountingEnv(4)
    nameless = agent(env)
    refused(env, [nameless], scopes=[3])
    assert nameless.name is None


def test_an_environment_of_another_kind():
    env = CountingEnv(1)
    raw = gymnasium.make("CartPole-v1")
    message = refused(raw, [agent(env)])
    assert "not a coterie VectorEnv; make one with coterie.make_env or coterie.wrap_env" in message
    raw.close()


def test_settings_and_loggers_are_checked_before_anything_starts(tmp_path):
    env = CountingEnv(2)
    message = refused(env, agent(env), cfg={"timestep": 5, "headless": 1})
    assert "timestep" in message
    assert "did you mean" in message
    assert "headless" in message
    assert "give a run_dir" in refused(env, agent(env), loggers=["jsonl"])
    assert "give a run_dir" in refused(env, agent(env), loggers=["tensorboard"])
    assert "must be a list" in refused(env, agent(env), loggers="csv", run_dir=tmp_path / "run")
    assert "name and settings" in refused(env, agent(env), loggers=[3], run_dir=tmp_path / "run")
    with pytest.raises(PluginNotFound, match="jsonl"):
        SequentialTrainer(
            env=env, agents=agent(env), cfg=QUIET, loggers=["json"], run_dir=tmp_path / "run"
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [SequentialTrainer, StepTrainer])
def test_making_a_trainer_changes_nothing_global(kind):
    env = CountingEnv(2)
    with nothing_global():
        kind(env=env, agents=agent(env), cfg={"timesteps": 2})


def members(*seeds, env):
    agents = [agent(env, seed=seed) for seed in seeds]
    return SequentialTrainer(env=env, agents=agents, cfg=QUIET).members


def test_seeds_of_instances_depend_on_the_member_and_the_place_in_its_scope():
    env = CountingEnv(6)
    alone = CountingEnv(2)
    together = reset_seed(env, members(5, 1, 9, env=env), "train")
    assert together[2:4] == reset_seed(alone, members(1, env=alone), "train")
    assert len(set(together)) == 6
    assert all(0 <= seed < 2**31 for seed in together)
    purposes = [("train", 0), ("train", 1), ("eval", 0)]
    found = [reset_seed(env, members(5, 1, 9, env=env), *purpose) for purpose in purposes]
    assert len({tuple(seeds) for seeds in found}) == 3


def test_seeds_of_a_stream_that_instances_share():
    env = CountingEnv(4, seed=11)
    env.independent_streams = False
    population = members(3, 4, env=env)
    assert reset_seed(env, population, "train") == 11
    later = [reset_seed(env, population, "train", 1), reset_seed(env, population, "eval")]
    assert len({11, *later}) == 3
    env.seed = None
    assert reset_seed(env, population, "train") == reset_seed(env, members(3, 8, env=env), "train")
    assert reset_seed(env, population, "train") != reset_seed(env, members(4, 8, env=env), "train")


class NeedsThree(SumAgent):
    """Can't learn from fewer than three instances."""

    def check_scope(self, num_envs):
        if num_envs < 3:
            raise ConfigError(f"{num_envs} instances are too few, it takes 3")


def test_scopes_that_an_agent_can_not_use():
    env = CountingEnv(6)
    agents = agents_for(env, NeedsThree, SumAgent, NeedsThree)
    text = refused(env, agents, scopes=[2, 3, 1])
    assert "member 'sum-0': 2 instances are too few" in text
    assert "member 'sum-2': 1 instances are too few" in text
    assert [agent.name for agent in agents] == [None] * 3
    SequentialTrainer(env=env, agents=agents_for(env, NeedsThree, SumAgent), cfg=QUIET)
