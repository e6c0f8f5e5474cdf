"""Populations of every kind: every trainer gives the same bits, to the caller's objects."""

import pytest
from skrl.utils import set_seed

import coterie
from coterie.testing import nothing_global
from coterie_skrl import ParallelTrainer, SequentialTrainer, StepTrainer, adapt

GROUPS = ("box", "discrete", "table", "teams")
HALF = 14


def cfg(timesteps, **settings):
    return {"timesteps": timesteps, "headless": True, "disable_progressbar": True, **settings}


def make(zoo, group, folder, seed=3):
    set_seed(seed)
    env = zoo.group_env(group, 4 * len(zoo.GROUPS[group]))
    return env, zoo.group_agents(group, env, folder)


@pytest.fixture(scope="module")
def trained(zoo, tmp_path_factory):
    """What each group ends with after two trainings of half the length; made when needed."""
    known = {}

    def ends(group):
        if group not in known:
            env, agents = make(zoo, group, tmp_path_factory.mktemp(group))
            trainer = SequentialTrainer(env=env, agents=agents, cfg=cfg(HALF))
            trainer.train()
            trainer.train()
            known[group] = [zoo.everything(agent) for agent in agents]
        return known[group]

    return ends


def check(zoo, agents, expected):
    found = {
        type(agent).__name__: zoo.differences(zoo.everything(agent), end)
        for agent, end in zip(agents, expected, strict=True)
    }
    assert not {name: names for name, names in found.items() if names}


def objects(agent):
    """The objects that a script may hold: models, optimisers, schedulers, memories, noises."""
    models = agent.models.values()
    flat = [
        part
        for model in models
        for part in (model.values() if isinstance(model, dict) else [model])
    ]
    parameters = [value for model in flat for value in model.parameters()]
    held = [
        value
        for value in vars(agent).values()
        if hasattr(value, "state_dict") or hasattr(value, "memory_size") or hasattr(value, "sample")
    ]
    return [*flat, *parameters, *held]


@pytest.mark.parametrize("group", GROUPS)
def test_training_twice_is_training_longer(group, zoo, trained, tmp_path):
    env, agents = make(zoo, group, tmp_path)
    SequentialTrainer(env=env, agents=agents, cfg=cfg(2 * HALF)).train()
    check(zoo, agents, trained(group))


@pytest.mark.usefixtures("warm_server")
@pytest.mark.parametrize("group", ["box", "teams"])
def test_parallel_is_sequential_and_gives_back(group, zoo, trained, tmp_path):
    env, agents = make(zoo, group, tmp_path)
    before = [objects(agent) for agent in agents]
    with nothing_global():
        trainer = ParallelTrainer(env=env, agents=agents, cfg=cfg(HALF, processes=2))
        trainer.train()
        trainer.train()
        if group == "teams":
            trainer.eval()
        trainer.close()
    check(zoo, agents, trained(group))
    for agent, held in zip(agents, before, strict=True):
        assert all(one is other for one, other in zip(held, objects(agent), strict=True))


@pytest.mark.parametrize("group", ["discrete", "table", "teams"])
def test_step_is_sequential(group, zoo, trained, tmp_path):
    env, agents = make(zoo, group, tmp_path)
    trainer = StepTrainer(env=env, agents=agents, cfg=cfg(2 * HALF))
    for timestep in range(2 * HALF):
        trainer.train(timestep=timestep)
    check(zoo, agents, trained(group))


@pytest.mark.usefixtures("warm_server")
@pytest.mark.parametrize("kind", ["sequential", "parallel", "fused"])
def test_beside_agents_of_coterie(kind, zoo, trained, tmp_path):
    pytest.importorskip("coterie_agents")
    set_seed(3)
    env = zoo.group_env("discrete", 24)
    agents = zoo.group_agents("discrete", env, tmp_path)
    wrapped = coterie.wrap_env(env)
    members = [adapt(agent, seed=3 + index) for index, agent in enumerate(agents)]
    members += [
        coterie.make_agent("ppo", env=wrapped, seed=seed, cfg={"rollouts": 8}) for seed in (1, 2)
    ]
    use = {"processes": 2} if kind == "parallel" else {}
    settings = cfg(2 * HALF, **use)
    with coterie.make_trainer(kind, env=wrapped, agents=members, cfg=settings) as trainer:
        summary = trainer.train()
    check(zoo, agents, trained("discrete"))
    assert [row.status for row in summary.members] == ["trained"] * 6
