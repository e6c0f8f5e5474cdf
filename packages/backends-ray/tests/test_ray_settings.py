"""Settings of the trainer ``ray`` that are wrong are refused before anything starts."""

import socket

import pytest

from coterie import ConfigError
from coterie.islands import far_env
from coterie.plugins import load
from coterie.testing import CountingEnv, SumAgent
from coterie_backends_ray import RayTrainer
from coterie_backends_ray._address import describe_unreachable


def make(**cfg):
    env = far_env(CountingEnv, 4)
    agents = [
        SumAgent(observation_space=env.observation_space, action_space=env.action_space, seed=k)
        for k in range(2)
    ]
    return RayTrainer(env=env, agents=agents, cfg={"timesteps": 4, **cfg})


@pytest.mark.parametrize(
    ("cfg", "words"),
    [
        ({"cpus": -1}, "cpus"),
        ({"gpus": -0.5}, "gpus"),
        ({"placement": "spred"}, "spred"),
        ({"adress": "auto"}, "did you mean 'address'"),
        ({"address": "head"}, "expected 'auto', 'local', 'host:6379' or 'ray://host:10001'"),
        ({"address": "ray://head"}, "expected 'auto'"),
        ({"address": "head:99999"}, "expected 'auto'"),
        ({"address": "127.0.0.1:1"}, "nobody listens there"),
        ({"address": "ray://127.0.0.1:1"}, "nobody listens there"),
    ],
)
def test_what_is_refused(cfg, words):
    with pytest.raises(ConfigError, match=words):
        make(**cfg)


def test_an_address_where_somebody_listens_is_fine():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert describe_unreachable(f"127.0.0.1:{port}") == ""
        assert describe_unreachable(f"ray://127.0.0.1:{port}") == ""
    for address in (None, "auto", "local"):
        assert describe_unreachable(address) == ""


def test_it_is_chosen_by_name():
    assert load("trainer", "ray") is RayTrainer
    trainer = make(cpus=2.5)
    assert (trainer.threads, trainer.env.num_envs) == (2, 4)
