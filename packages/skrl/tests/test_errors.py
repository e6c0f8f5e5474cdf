"""What is wrong is told when the trainer is made, and says what to do."""

import pytest
import torch
from skrl.memories.torch import RandomMemory
from skrl.trainers.torch import SequentialTrainerCfg
from skrl.utils import set_seed

import coterie
from coterie import ConfigError
from coterie_skrl import ParallelTrainer, Runner, SequentialTrainer, StepTrainer, adapt


def cfg(timesteps, **settings):
    return {"timesteps": timesteps, "headless": True, "disable_progressbar": True, **settings}


@pytest.fixture
def made(zoo, tmp_path):
    set_seed(3)
    env = zoo.make_env("ppo", 8)
    return env, [zoo.make_agent("ppo", env, 4, tmp_path) for _ in range(2)]


@pytest.mark.parametrize("trainer", [SequentialTrainer, ParallelTrainer, StepTrainer])
def test_an_unknown_setting(trainer, made):
    env, agents = made
    with pytest.raises(ConfigError, match=r"timestep.*timesteps"):
        trainer(env=env, agents=agents, cfg={"timestep": 5})


def test_a_configuration_of_another_kind(made):
    env, agents = made
    with pytest.raises(ConfigError, match="a dict or a SequentialTrainerCfg of skrl, got builtins"):
        SequentialTrainer(env=env, agents=agents, cfg=5)


def test_skrl_s_dataclass_is_a_configuration(made):
    env, agents = made
    settings = SequentialTrainerCfg(timesteps=7, headless=True, disable_progressbar=True)
    trainer = SequentialTrainer(env=env, agents=agents, cfg=settings)
    assert trainer.trainer.cfg.timesteps == 7
    assert trainer.cfg is settings


def test_a_memory_for_another_number_of_instances(made):
    env, agents = made
    agents[1].memory = RandomMemory(memory_size=8, num_envs=5)
    with pytest.raises(ConfigError, match=r"num_envs=5.* 4 instances.*num_envs=4"):
        SequentialTrainer(env=env, agents=agents, cfg=cfg(5))


def test_no_agents(made):
    env, _ = made
    with pytest.raises(ConfigError, match="agents is empty"):
        SequentialTrainer(env=env, agents=[], cfg=cfg(5))


def test_what_is_no_agent(made):
    env, agents = made
    with pytest.raises(ConfigError, match=r"expected an agent of skrl.* got torch\.nn"):
        SequentialTrainer(env=env, agents=[agents[0], torch.nn.Linear(2, 2)], cfg=cfg(5))


def test_a_wrong_number_of_seeds(made):
    env, agents = made
    with pytest.raises(ConfigError, match="seeds has 3 entries for 2 agents"):
        SequentialTrainer(env=env, agents=agents, seeds=[1, 2, 3], cfg=cfg(5))


@pytest.mark.parametrize("scopes", [[4], [4, 5], [8, 0], [4, 4, 4]])
def test_scopes_that_do_not_fit(scopes, made):
    env, agents = made
    given = list(scopes)
    with pytest.raises(ConfigError, match="scope"):
        SequentialTrainer(env=env, agents=agents, scopes=scopes, cfg=cfg(5))
    assert scopes == given


def test_an_agent_without_spaces(made):
    env, agents = made
    agents[0].action_space = None
    for model in agents[0].models.values():
        model.action_space = None
    with pytest.raises(ConfigError, match=r"PPO has no action_space.*env\.action_space"):
        SequentialTrainer(env=env, agents=agents, cfg=cfg(5))


def test_a_team_without_spaces(zoo, tmp_path):
    env = zoo.env_for("ippo")
    team = zoo.make_team("ippo", env, 4, tmp_path)
    team.observation_spaces = {"left": team.observation_spaces["left"]}
    with pytest.raises(ConfigError, match="IPPO has no observation_spaces of right"):
        adapt(team)


def test_spaces_of_another_environment(zoo, tmp_path):
    agent = zoo.make_agent("dqn", zoo.make_env("dqn"), 4, tmp_path)
    with pytest.raises(ConfigError, match="action"):
        SequentialTrainer(env=zoo.make_env("ppo"), agents=agent, cfg=cfg(5))


def test_what_is_no_environment(made):
    _, agents = made
    with pytest.raises(ConfigError):
        SequentialTrainer(env=object(), agents=agents, cfg=cfg(5))


def test_an_agent_that_raises_is_named(made):
    env, agents = made

    def broken(**_):
        raise RuntimeError("no more")

    agents[1].update = broken
    trainer = SequentialTrainer(env=env, agents=agents, cfg=cfg(20))
    message = r"agent 1 \('skrl-ppo-1'\) raised RuntimeError in post_interaction at step 7: no more"
    with pytest.raises(coterie.WorkerRaised, match=message):
        trainer.train()


def test_the_settings_that_are_not_the_default(zoo, made):
    _, agents = made
    found = adapt(agents[0]).cfg.changed_settings()
    assert found["rollouts"] == 8
    assert found["entropy_loss_scale"] == 0.01
    assert "discount_factor" not in found
    assert "kl_threshold" not in found


RUN = {
    "seed": 3,
    "models": {
        "separate": True,
        "policy": {
            "class": "GaussianMixin",
            "network": [
                {"name": "net", "input": "OBSERVATIONS", "layers": [8], "activations": "elu"}
            ],
            "output": "ACTIONS",
        },
        "value": {
            "class": "DeterministicMixin",
            "network": [
                {"name": "net", "input": "OBSERVATIONS", "layers": [8], "activations": "elu"}
            ],
            "output": "ONE",
        },
    },
    "memory": {"class": "RandomMemory", "memory_size": -1},
    "agent": {
        "class": "PPO",
        "rollouts": 8,
        "learning_epochs": 2,
        "mini_batches": 2,
        "observation_preprocessor": "RunningStandardScaler",
        "observation_preprocessor_kwargs": None,
        "experiment": {"experiment_name": "run", "write_interval": 10, "checkpoint_interval": 10},
    },
    "trainer": {"class": "SequentialTrainer", "timesteps": 20, "disable_progressbar": True},
}


@pytest.mark.parametrize("kind", ["SequentialTrainer", "ParallelTrainer", "StepTrainer"])
def test_a_runner(kind, zoo, tmp_path):
    set_seed(3)
    env = zoo.make_env("ppo")
    settings = {**RUN, "trainer": {**RUN["trainer"], "class": kind, "headless": True}}
    settings["agent"] = {
        **RUN["agent"],
        "experiment": {**RUN["agent"]["experiment"], "directory": str(tmp_path)},
    }
    runner = Runner(env, settings)
    before = zoo.everything(runner.agent)
    assert type(runner.trainer).__module__.startswith("coterie_skrl.")
    if kind != "StepTrainer":
        runner.run("train")
        assert (tmp_path / "run" / "checkpoints" / "agent_20.pt").exists()
        runner.run("eval")
    else:
        for _ in range(20):
            runner.trainer.train()
    assert len(zoo.differences(before, zoo.everything(runner.agent))) > 20
