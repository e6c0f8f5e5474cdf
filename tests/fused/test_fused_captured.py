"""Compiled programs that are recorded and replayed, in whole runs: the same numbers as without."""

import pytest
import torch

import coterie
from coterie.testing import assert_same_state
from coterie_agents._ppo import captured, compiled
from coterie_envs import CartPole, Pendulum

STEPS = 48


class Recording:
    """Stands for a CUDA graph: reads and writes where it did when it was recorded."""

    made = 0
    replays = 0

    def __init__(self, call, inputs):
        Recording.made += 1
        self.call, self.inputs = call, inputs
        self.results = [tensor.clone() for tensor in call(*inputs)]

    def replay(self):
        Recording.replays += 1
        found = self.call(*self.inputs)
        for place, tensor in zip(self.results, found, strict=True):
            place.copy_(tensor)


def record(call, inputs):
    recording = Recording(call, inputs)
    return recording.replay, recording.results


def train(tools, make_env, device="cpu", compiled=True):
    env = make_env(6, seed=5, max_episode_steps=13, device=device)
    settings = {"observation_normalization": True, "value_normalization": True}
    agents = [
        tools.double(
            observation_space=env.observation_space,
            action_space=env.action_space,
            device=device,
            seed=seed,
            cfg={**tools.cfg, **settings, "compile_update": compiled},
        )
        for seed in range(3)
    ]
    with coterie.make_trainer(
        "fused",
        env=env,
        agents=agents,
        cfg={
            "timesteps": STEPS,
            "disable_progressbar": True,
            "compile_rollout": 2 if compiled else 0,
        },
    ) as trainer:
        trainer.train()
    return [agent.state_dict() for agent in agents]


@pytest.mark.parametrize("make_env", [CartPole, Pendulum])
def test_replayed_programs_change_nothing(tools, monkeypatch, make_env):
    monkeypatch.setattr(torch._inductor, "compile", lambda graph, *_, **__: graph)
    monkeypatch.setattr(compiled, "_programs", {})
    without = train(tools, make_env)
    monkeypatch.setattr(compiled, "_programs", {})
    monkeypatch.setattr(captured, "recorder", lambda tensors: record)
    monkeypatch.setattr(Recording, "made", 0)
    monkeypatch.setattr(Recording, "replays", 0)
    found = train(tools, make_env)
    assert Recording.made >= 2, "the update and the rollout"
    assert Recording.replays > STEPS // 2, "both were replayed"
    for left, right in zip(found, without, strict=True):
        assert_same_state(left, right)


@pytest.mark.gpu
@pytest.mark.timeout(600)
@pytest.mark.parametrize("make_env", [CartPole, Pendulum])
def test_graphs_on_a_device_compute_what_single_launches_do(tools, monkeypatch, make_env):
    monkeypatch.setattr(compiled, "_programs", {})
    made = []
    original = captured.record_graph
    monkeypatch.setattr(
        captured, "record_graph", lambda *given: made.append(given) or original(*given)
    )
    found = train(tools, make_env, device="cuda")
    assert len(made) >= 2
    eager = train(tools, make_env, device="cuda", compiled=False)
    for left, right in zip(found, eager, strict=True):
        tools.assert_close(left, right, rtol=1e-7, atol=1e-9)
