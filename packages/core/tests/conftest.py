"""Small plugins that live in the tests' process: an environment that counts, agents that sum."""

from contextlib import contextmanager

import numpy as np
import pytest

from coterie import ConfigError, EnvAdapter
from coterie._registry import nouns
from coterie._registry.manager import register, reset_registry
from coterie.plugins import AgentPlugin, EnvPlugin, hookimpl
from coterie.testing import BrokenEnv, CountingEnv, RaisingAgent, SumAgent


@pytest.fixture
def not_installed(monkeypatch):
    """Let the trainer ``absent`` be one of Coterie's own that is not installed."""
    monkeypatch.setitem(nouns._OFFERS, "coterie-backends-absent", {"trainer": ("absent",)})


class DrawnEnv(CountingEnv):
    """A picture of each instance, of one shade: 20 times its number."""

    def __init__(self, num_envs, *, render_mode=None, **settings):
        super().__init__(num_envs, **settings)
        self.render_mode, self.drawn = render_mode, 0

    def render(self):
        if self.render_mode is None:
            return None
        self.drawn += 1
        shades = 20 * np.arange(self.num_envs, dtype=np.uint8)[:, None, None, None]
        return np.broadcast_to(shades, (self.num_envs, 48, 64, 3))


class TestingAdapter(EnvAdapter):
    """Makes ``testing:Counting-v0`` and others; remembers what it made."""

    __test__ = False
    made = ()

    def make(self, env_id, *, num_envs, seed, device, **settings):
        classes = {"Counting-v0": CountingEnv, "Broken-v0": BrokenEnv, "Drawn-v0": DrawnEnv}
        if env_id not in classes:
            raise ConfigError(f"there is no {env_id!r}")
        env = classes[env_id](num_envs, seed=seed or 0, **settings)
        env.name = f"testing:{env_id}"
        self.made.append(env)
        return env

    def ids(self):
        return ["Counting-v0", "Broken-v0", "Drawn-v0"]


class Plugins:
    """What the tests offer, as a plugin."""

    def __init__(self, made):
        self.made = made

    @hookimpl
    def coterie_envs(self):
        cls = type("Remembering", (TestingAdapter,), {"made": self.made})
        yield EnvPlugin(name="testing", summary="counts steps", loader=lambda: cls)

    @hookimpl
    def coterie_agents(self):
        for cls in (SumAgent, RaisingAgent):
            yield AgentPlugin(
                name=cls.kind,
                summary="sums what it sees",
                config=cls.config_class,
                loader=lambda cls=cls: cls,
            )


class Silent:
    """Takes the place of a plugin that is not needed any more."""

    @hookimpl
    def coterie_run_finished(self):
        """Do nothing."""


@pytest.fixture
def plugged():
    """Register a plugin for the length of a block: ``with plugged(plugin):``."""

    @contextmanager
    def block(plugin):
        register(plugin, name="for-a-test")
        try:
            yield
        finally:
            register(Silent(), name="for-a-test")

    return block


@pytest.fixture
def no_third_party(monkeypatch):
    """Leave out plugins that others have installed: they may write to runs, too."""
    monkeypatch.setenv("COTERIE_DISABLE_PLUGINS", "all")
    reset_registry()
    yield
    reset_registry()


@pytest.fixture
def made_envs(monkeypatch):
    """Register the plugins for one test; give the list of environments that they make."""
    monkeypatch.delenv("COTERIE_DISABLE_PLUGINS", raising=False)
    monkeypatch.delenv("COTERIE_DEBUG", raising=False)
    reset_registry()
    made = []
    register(Plugins(made), "fakes of the tests")
    yield made
    reset_registry()
