"""Environments, agents and trainers by name; what wrong arguments get."""

import random
from typing import ClassVar

import gymnasium
import numpy as np
import pytest
import torch
from attrs import field, frozen

import coterie
from coterie import Agent, AgentCfg, ConfigError, EnvAdapter, PluginError, PluginNotFound, VectorEnv
from coterie._registry import manager
from coterie.plugins import AgentPlugin, EnvPlugin, TrainerPlugin, hookimpl


class Still(VectorEnv):
    """An environment in which nothing happens."""

    def __init__(self, env_id, num_envs, seed, device, settings):
        self.name, self.num_envs, self.seed = f"still:{env_id}", num_envs, seed
        self.device, self.settings = torch.device(device), settings
        self.observation_space = gymnasium.spaces.Box(-1, 1, (2,))
        self.action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return torch.zeros(self.num_envs, 2), {}

    def step(self, actions):
        raise NotImplementedError


class StillAdapter(EnvAdapter):
    def make(self, env_id, *, num_envs, seed, device, **settings):
        if env_id == "Wrong-v0":
            return "no environment"
        count = 1 if env_id == "Single-v0" else num_envs
        return Still(env_id, count, seed, device, settings)

    def wrap(self, env, *, seed, device):
        return Still("wrapped", env.count, seed, device, {})

    def ids(self):
        return ["Pond-v0", "Lake-v0"]


class Simulator:
    count = 3


@frozen(kw_only=True)
class DrawsCfg(AgentCfg):
    rate: float = field(default=0.5)


class Draws(Agent):
    """An agent that draws its weights from the process-wide generators."""

    kind = "draws"
    config_class: ClassVar = DrawsCfg

    def __init__(self, *, models=None, **arguments):
        super().__init__(**arguments)
        self.models = models
        self.weights = (torch.rand(3), np.random.rand(3), random.random())

    def act(self, observations, **at):
        raise NotImplementedError

    def record_transition(self, transition, **at):
        raise NotImplementedError


class Strict(Draws):
    def __init__(
        self, *, observation_space, action_space, state_space, device, name, seed, cfg, models=None
    ):
        super().__init__(
            observation_space=observation_space,
            action_space=action_space,
            state_space=state_space,
            device=device,
            name=name,
            seed=seed,
            cfg=cfg,
            models=models,
        )


class Offers:
    @hookimpl
    def coterie_envs(self):
        yield EnvPlugin(
            name="still",
            summary="nothing happens",
            loader=lambda: StillAdapter,
            recognises=lambda env: isinstance(env, Simulator),
        )

    @hookimpl
    def coterie_agents(self):
        yield AgentPlugin(name="draws", summary="", config=DrawsCfg, loader=lambda: Draws)
        yield AgentPlugin(name="strict", summary="", config=DrawsCfg, loader=lambda: Strict)


@pytest.fixture(autouse=True)
def offers(monkeypatch):
    registry = manager.Registry()
    registry.register(Offers(), name="offers")
    monkeypatch.setattr(manager, "_current", registry)
    return registry


@pytest.fixture
def env():
    return coterie.make_env("still:Pond-v0", num_envs=4, seed=7)


def test_an_environment_is_made_by_kind_and_id():
    env = coterie.make_env("still:Pond-v0", num_envs=np.int64(4), seed=7, depth=2)
    assert (env.name, env.num_envs, env.seed) == ("still:Pond-v0", 4, 7)
    assert type(env.num_envs) is int
    assert env.settings == {"depth": 2}
    assert env.device == torch.device("cpu")


def test_an_id_may_have_colons_and_slashes():
    assert coterie.make_env("still:my_module:A/B-v0", num_envs=1).name == "still:my_module:A/B-v0"


@pytest.mark.parametrize("count", [0, -1, True, 2.0, "4", None])
def test_the_number_of_instances_must_be_a_positive_integer(count):
    with pytest.raises(ConfigError, match=r"num_envs must be an integer of at least 1, got"):
        coterie.make_env("still:Pond-v0", num_envs=count)


@pytest.mark.parametrize("seed", [-1, True, 1.5, "1"])
def test_a_seed_must_be_an_integer_from_zero_on(env, seed):
    expected = "seed must be an integer of at least 0, got"
    with pytest.raises(ConfigError, match=expected):
        coterie.make_env("still:Pond-v0", num_envs=2, seed=seed)
    with pytest.raises(ConfigError, match=expected):
        coterie.wrap_env(Simulator(), seed=seed)
    with pytest.raises(ConfigError, match=expected):
        coterie.make_agent("draws", env=env, seed=seed)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", 3.5, ""])
def test_a_device_must_exist(device):
    with pytest.raises(ConfigError, match="device"):
        coterie.make_env("still:Pond-v0", num_envs=2, device=device)


@pytest.mark.parametrize(
    ("spec", "answer"),
    [
        ("Pond-v0", "did you mean 'still:Pond-v0'"),
        ("pond-v1", "did you mean 'still:Pond-v0'"),
        (":Lake-v0", "did you mean 'still:Lake-v0'"),
        ("still", "still knows Pond-v0, Lake-v0"),
        ("still:", "still knows Pond-v0, Lake-v0"),
        ("zzz", "installed kinds: still"),
        ("", "installed kinds: still"),
    ],
)
def test_a_missing_colon_is_answered_with_what_could_be_meant(spec, answer):
    with pytest.raises(ConfigError, match=answer):
        coterie.make_env(spec, num_envs=2)


def test_an_unknown_kind_is_answered_with_near_ones():
    with pytest.raises(PluginNotFound, match="did you mean 'still'"):
        coterie.make_env("stil:Pond-v0", num_envs=2)


def test_an_object_is_sent_to_wrap_env():
    with pytest.raises(ConfigError, match="wrap_env"):
        coterie.make_env(Simulator(), num_envs=2)


def test_an_adapter_must_make_what_was_asked_for():
    with pytest.raises(PluginError, match=r"must give a coterie\.VectorEnv, got str"):
        coterie.make_env("still:Wrong-v0", num_envs=2)
    with pytest.raises(PluginError, match="asked for 2 instances and made 1"):
        coterie.make_env("still:Single-v0", num_envs=2)


def test_wrapping_finds_the_adapter(env):
    wrapped = coterie.wrap_env(Simulator(), seed=5)
    assert (wrapped.name, wrapped.num_envs, wrapped.seed) == ("still:wrapped", 3, 5)
    assert coterie.wrap_env(Simulator(), "still").num_envs == 3
    assert coterie.wrap_env(env) is env


def test_an_environment_of_no_known_kind_is_refused():
    with pytest.raises(ConfigError, match=r"recognises .*\.?builtins\.dict; installed kinds: st"):
        coterie.wrap_env({})


def test_an_environment_of_two_kinds_needs_a_word(offers):
    class More:
        @hookimpl
        def coterie_envs(self):
            for name, recognises in (("also", lambda env: True), ("bad", lambda env: env.missing)):
                yield EnvPlugin(
                    name=name, summary="", loader=lambda: StillAdapter, recognises=recognises
                )

    offers.register(More(), name="more")
    with pytest.raises(ConfigError, match=r"could be of kind 'also' or 'still'; say which"):
        coterie.wrap_env(Simulator())


def test_an_agent_takes_its_spaces_and_device_from_the_environment(env):
    agent = coterie.make_agent("draws", env=env, name="a", seed=3, cfg={"rate": 0.1}, models="m")
    assert agent.observation_space is env.observation_space
    assert agent.action_space is env.action_space
    assert (agent.name, agent.seed, agent.cfg, agent.models) == ("a", 3, DrawsCfg(rate=0.1), "m")
    assert agent.device == env.device


def test_what_an_agent_draws_while_it_is_built_depends_on_its_seed_alone(env):
    def weights(seed):
        first, second, third = coterie.make_agent("draws", env=env, seed=seed).weights
        return [*first.tolist(), *second.tolist(), third]

    torch.manual_seed(0)
    once = weights(1)
    torch.manual_seed(99)
    np.random.rand()
    random.random()
    assert weights(1) == once
    assert not set(weights(2)) & set(once)


def test_making_an_agent_leaves_the_process_wide_generators_alone(env):
    def state():
        _, keys, position, _, _ = np.random.get_state()
        return torch.get_rng_state().tolist(), keys.tolist(), position, random.getstate()

    before = state()
    coterie.make_agent("draws", env=env, seed=1)
    assert state() == before


def test_wrong_settings_of_an_agent_are_refused(env):
    with pytest.raises(ConfigError, match="rat = 1: no such key; did you mean 'rate'"):
        coterie.make_agent("draws", env=env, cfg={"rat": 1})


def test_an_unknown_argument_of_an_agent_is_refused(env):
    with pytest.raises(ConfigError, match="takes no argument 'model'; did you mean 'models'"):
        coterie.make_agent("strict", env=env, model="m")
    assert coterie.make_agent("strict", env=env, models="m").models == "m"


@pytest.mark.parametrize("name", ["", "  ", 3])
def test_the_name_of_an_agent_must_be_a_text(env, name):
    with pytest.raises(ConfigError, match="name of an agent"):
        coterie.make_agent("draws", env=env, name=name)


@pytest.mark.parametrize("kind", [None, 3, Draws])
def test_the_kind_of_an_agent_must_be_a_text(env, kind):
    with pytest.raises(ConfigError, match="name of an agent must be a text"):
        coterie.make_agent(kind, env=env)


def test_a_raw_environment_is_sent_to_wrap_env():
    raw = gymnasium.make("CartPole-v1")
    with pytest.raises(ConfigError, match=r"TimeLimit; make it .* coterie\.wrap_env\(env\)"):
        coterie.make_agent("draws", env=raw)
    with pytest.raises(ConfigError, match=r"coterie\.wrap_env\(env\)"):
        coterie.make_trainer("sequential", env=raw, agents=[])


def test_a_trainer_gets_everything(env, offers, monkeypatch):
    class Base:
        def __init__(self, **arguments):
            self.arguments = arguments

    class Mine:
        @hookimpl
        def coterie_trainers(self):
            yield TrainerPlugin(
                name="mine", summary="", config=coterie.TrainerCfg, loader=lambda: Base
            )

    monkeypatch.setattr("coterie._registry.nouns.Noun.base_class", lambda noun: Base)
    offers.register(Mine(), name="mine")
    given = {"env": env, "agents": ["a"], "scopes": [4], "cfg": {"timesteps": 3}}
    more = {"run_dir": "runs", "loggers": ["csv"], "resume": True}
    assert coterie.make_trainer("mine", **given, **more).arguments == {**given, **more}
    defaults = {"scopes": None, "cfg": None, "run_dir": None, "loggers": (), "resume": False}
    made = coterie.make_trainer("mine", env=env, agents=["a"])
    assert made.arguments == {"env": env, "agents": ["a"], **defaults}
