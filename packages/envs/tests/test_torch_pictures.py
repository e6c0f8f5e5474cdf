from __future__ import annotations

import numpy as np
import pytest
import torch

from coterie import ConfigError, EnvContractError, SequentialTrainer
from coterie.testing import SumAgent, agents_for
from coterie_envs import Acrobot, CartPole, GridWorld, Swimmer, tile_frames
from coterie_envs._torch.drawing import Capsule, paint

CPU = torch.device("cpu")


def test_paint_puts_capsules_where_they_belong():
    """A red bar in the upper half, moved to the right in the second picture."""
    shift = torch.tensor([0.0, 0.5])
    bar = Capsule((-0.5 + shift, 0.5), (0.0 + shift, 0.5), 0.1, (255, 0, 0))
    pictures = paint([bar], (-1.0, -1.0, 1.0, 1.0), 2, 100, CPU)
    assert pictures.shape == (2, 100, 100, 3)
    assert pictures.dtype == torch.uint8
    red = (pictures == torch.tensor([255, 0, 0])).all(3)
    area = 0.5 * 0.2 + torch.pi * 0.1**2
    for picture, left in zip(red, (20, 45), strict=True):
        rows, columns = (picture.any(dim).nonzero().flatten() for dim in (1, 0))
        assert (int(rows[0]), int(rows[-1])) == (20, 29)
        assert abs(int(columns[0]) - left) <= 1
        assert abs(int(columns[-1]) - (left + 34)) <= 1
        assert int(picture.sum()) * 0.02**2 == pytest.approx(area, rel=0.1)


def test_the_pole_leans_as_its_angle_says():
    env = CartPole(2, seed=0)
    state = torch.zeros(4, 2, dtype=torch.float64)
    state[2] = torch.tensor([0.2, -0.2])
    first, second = env.pictures(state, 96)
    assert (first.int() - second.flip(1).int()).abs().max() <= 1
    pole = (first.int() - torch.tensor([210, 140, 70])).abs().sum(2) < 20
    heights, places = pole.nonzero().unbind(1)
    assert places[heights.argmin()] > first.shape[1] / 2


@pytest.mark.parametrize("kind", [Acrobot, CartPole, Swimmer])
def test_render_shows_every_scope_under_its_name(kind):
    env = kind(100, seed=0, render_mode="rgb_array", render_height=40)
    with pytest.raises(EnvContractError, match="was not reset yet"):
        env.render()
    env.reset()
    plain = env.render()
    assert plain.dtype == np.uint8
    first = env.pictures(env.simulation.state[:, :1], 40)[0].numpy()
    assert (plain[:40, : first.shape[1]] == first).all()
    env.captions = {"lr-1e-3": range(90), "lr-3e-4": range(90, 100)}
    named = env.render()
    width = first.shape[1] + 2
    columns = (named.shape[1] + 2) // width
    strip = 9 if width < 66 else 14
    row, column = divmod(32, columns)
    top, left = row * (40 + strip + 2), column * width
    tile = named[top + strip : top + strip + 40, left : left + width - 2]
    assert (tile == env.pictures(env.simulation.state[:, 90:91], 40)[0].numpy()).all()


def test_a_grid_is_drawn_as_it_is_seen():
    env = GridWorld(2, seed=0, size=4, obstacles=2, cell=3, render_mode="rgb_array")
    observations, _ = env.reset()
    pictures = env.pictures(env.simulation.state, 24)
    assert torch.equal(pictures[:, ::2, ::2], observations.permute(0, 2, 3, 1))


def test_modes():
    env = CartPole(1, seed=0)
    env.reset()
    assert env.render() is None
    with pytest.raises(ConfigError, match="render_mode = 'human': expected 'rgb_array' or None"):
        CartPole(1, render_mode="human")
    with pytest.raises(ConfigError, match="render_height = 0"):
        CartPole(1, render_height=0)


def test_a_trainer_writes_the_members_names_on_its_pictures():
    """Each picture of the last step has its member's name above it, and the names are gone."""
    pictures = []

    class Shown(CartPole):
        def render(self):
            pictures.append(super().render())
            return pictures[-1]

    env = Shown(3, seed=0, render_mode="rgb_array", render_height=40)
    agents = agents_for(env, SumAgent, SumAgent)
    cfg = {"timesteps": 2, "disable_progressbar": True, "headless": False}
    trainer = SequentialTrainer(env=env, agents=agents, scopes=[1, 2], cfg=cfg)
    trainer.train()
    first, second = (member.name for member in trainer.members)
    frames = env.pictures(env.simulation.state, 40)
    assert (pictures[-1] == tile_frames(frames, [first, second, second])).all()
    assert first != second
    assert env.captions == {}
