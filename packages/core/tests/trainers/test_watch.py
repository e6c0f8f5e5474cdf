"""A step of the environment that takes long is told of while it lasts."""

import threading
import warnings

import pytest

from coterie import ConfigError, SequentialTrainer
from coterie.testing import CountingEnv, SumAgent


class SlowEnv(CountingEnv):
    """Waits in one of its steps."""

    count = 0

    def step(self, actions):
        self.count += 1
        if self.count == 3:
            wait_for_the_licence(0.5)
        return super().step(actions)


def wait_for_the_licence(seconds):
    threading.Event().wait(seconds)


def train(env, **cfg):
    agent = SumAgent(observation_space=env.observation_space, action_space=env.action_space)
    settings = {"timesteps": 5, "disable_progressbar": True, "headless": True, **cfg}
    with (
        SequentialTrainer(env=env, agents=agent, cfg=settings) as trainer,
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        trainer.train()
    return [str(warning.message) for warning in caught]


def test_a_step_that_takes_long_is_named_while_it_lasts():
    texts = train(SlowEnv(2), slow_warning=0.2)
    assert 1 <= len(texts) <= 2
    assert texts[0].startswith("testing:Counting has been in step 2 for 0.")
    assert "wait_for_the_licence" in texts[0]


def test_a_quick_run_is_not_disturbed():
    before = threading.active_count()
    assert train(SlowEnv(2), slow_warning=5.0) == []
    assert threading.active_count() == before


def test_the_time_must_be_positive():
    with pytest.raises(ConfigError, match="slow_warning"):
        train(SlowEnv(2), slow_warning=0)
