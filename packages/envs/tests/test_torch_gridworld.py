from __future__ import annotations

from collections import deque

import pytest
import torch

from coterie import ConfigError
from coterie_envs import GridWorld

FLOOR, OBSTACLE, GOAL, PLAYER = range(4)
MOVES = [(-1, 0), (0, 1), (1, 0), (0, -1)]


def kinds(image: torch.Tensor, cell: int) -> list[list[int]]:
    """What stands where, from the pixels alone; fails where a cell has more than one colour."""
    colours = {(24, 26, 34): FLOOR, (140, 140, 150): OBSTACLE, (60, 200, 90): GOAL}
    colours[250, 130, 30] = PLAYER
    small = image[:, ::cell, ::cell]
    whole = small.repeat_interleave(cell, 1).repeat_interleave(cell, 2)
    assert torch.equal(whole, image)
    return [[colours[tuple(pixel)] for pixel in row] for row in small.permute(1, 2, 0).tolist()]


def find(grid: list[list[int]], what: int) -> tuple[int, int]:
    (place,) = [(r, c) for r, row in enumerate(grid) for c, kind in enumerate(row) if kind == what]
    return place


def shortest(grid: list[list[int]]) -> list[int]:
    """The actions of a shortest way, by breadth-first search."""
    start, goal, size = find(grid, PLAYER), find(grid, GOAL), len(grid)
    ways, waiting = {start: []}, deque([start])
    while waiting:
        row, column = place = waiting.popleft()
        if place == goal:
            return ways[place]
        for action, (down, right) in enumerate(MOVES):
            after = row + down, column + right
            inside = all(0 <= part < size for part in after)
            if inside and after not in ways and grid[after[0]][after[1]] != OBSTACLE:
                ways[after] = [*ways[place], action]
                waiting.append(after)
    raise AssertionError("there is no way to the goal")


@pytest.mark.parametrize(("size", "obstacles"), [(3, 0), (5, 8), (8, None), (8, 35), (15, 168)])
def test_shortest_ways_from_pixels_earn_the_best_return(size, obstacles):
    """Breadth-first search on the images, played: a way always exists and earns 1 - 0.01 d."""
    count = 40
    env = GridWorld(count, seed=1, size=size, obstacles=obstacles, cell=2)
    images, _ = env.reset()
    grids = [kinds(image, 2) for image in images]
    blocked = {sum(row.count(OBSTACLE) for row in grid) for grid in grids}
    assert blocked == {size * size // 5 if obstacles is None else obstacles}
    ways = [shortest(grid) for grid in grids]
    earned, done = torch.zeros(count), torch.zeros(count, dtype=torch.bool)
    for step in range(max(map(len, ways))):
        actions = torch.tensor([way[step] if step < len(way) else 0 for way in ways])
        _, rewards, terminated, _, _ = env.step(actions)
        earned += torch.where(done, 0.0, rewards)
        due = torch.tensor([len(way) == step + 1 for way in ways])
        assert torch.equal(terminated & ~done, due)
        done |= terminated
    best = torch.tensor([1 - 0.01 * len(way) for way in ways])
    torch.testing.assert_close(earned, best)


def test_some_ways_are_longer_than_without_obstacles():
    env = GridWorld(300, seed=0, obstacles=35)
    longer = 0
    for image in env.reset()[0]:
        grid = kinds(image, 5)
        (row, column), (goal_row, goal_column) = find(grid, PLAYER), find(grid, GOAL)
        longer += len(shortest(grid)) > abs(row - goal_row) + abs(column - goal_column)
    assert longer > 20


def test_walls_and_obstacles_stop():
    env = GridWorld(5, seed=0, size=3, obstacles=0)
    env.reset()
    state = torch.zeros(11, 5, dtype=torch.uint8)
    state[0] = torch.tensor([0, 2, 8, 6, 4])
    state[1] = 5
    state[2 + 1, 4] = 1
    env.load_state_dict(env.state_dict() | {"state": state})
    observations, rewards, *_ = env.step(torch.tensor([3, 0, 1, 2, 0]))
    places = [find(kinds(image, 5), PLAYER) for image in observations]
    assert places == [(0, 0), (0, 2), (2, 2), (2, 0), (1, 1)]
    torch.testing.assert_close(rewards, torch.full((5,), -0.01))
    observations, *_ = env.step(torch.tensor([2, 3, 3, 0, 3]))
    places = [find(kinds(image, 5), PLAYER) for image in observations]
    assert places == [(1, 0), (0, 1), (2, 1), (1, 0), (1, 0)]


def test_players_and_goals_are_everywhere_and_apart():
    state = GridWorld(4000, size=5).draw(torch.arange(4000) * 0x9E3779B97F4A7C15 % 2**62)
    assert not (state[0] == state[1]).any()
    for row in (0, 1):
        counts = state[row].long().bincount(minlength=25)
        assert 100 < counts.min() <= counts.max() < 230  # 160, give or take 12.4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 2}, "size = 2: expected an integer from 3 to 15"),
        ({"size": 5, "obstacles": 9}, "obstacles = 9: expected an integer from 0 to 8"),
        ({"cell": 0.5}, "cell = 0.5: expected an integer from 1 to 64"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ConfigError, match=message):
        GridWorld(1, **settings)
