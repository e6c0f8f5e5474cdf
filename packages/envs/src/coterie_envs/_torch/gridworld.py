"""A grid with obstacles, seen as an image."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from coterie import ConfigError

from .base import TorchEnv

FLOOR, OBSTACLE, GOAL, PLAYER = (24, 26, 34), (140, 140, 150), (60, 200, 90), (250, 130, 30)
STEP_COST = 0.01
LARGEST = 15


class GridWorld(TorchEnv):
    """Walk to the goal around the obstacles, on a grid that is drawn anew for each episode.

    Actions 0, 1, 2 and 3 go up, right, down and left; who would leave the grid or enter an obstacle
    stays. An episode ends at the goal, and is truncated after ``4 * size²`` steps. Each step is
    worth -0.01, the one that reaches the goal 1 more. A way always exists, and the best return is
    ``1 - 0.01 d`` for the length ``d`` of the shortest one.

    The observation is an image, uint8 ``[3, size * cell, size * cell]``, in which a cell is a
    square of ``cell`` pixels: floor almost black, obstacles grey, the goal green, the player
    orange. There is nothing else to see, and no stack of images is needed.

    Player, goal and a third cell are uniform over the grid, player and goal distinct. From the
    player to the third cell and from there to the goal a way with one bend each is kept free; the
    obstacles are uniform over the other cells. The state are uint8: the player's and the goal's
    cell, row by row, and which cells hold obstacles.

    Args:
        num_envs: Number of instances.
        size: Number of cells per side, 3 to 15.
        obstacles: Number of obstacles; so many that the two ways always find room, which is
            ``(size - 1) * (size - 3)``; ``None``: a fifth of the cells, or as many as allowed.
        cell: Pixels per side of a cell.
        settings: As in :class:`TorchEnv`.

    Raises:
        ConfigError: A number is out of its range.
    """

    id = "GridWorld-v0"
    state_dtype = torch.uint8
    episode_steps = None

    def __init__(
        self,
        num_envs: int = 1,
        *,
        size: int = 8,
        obstacles: int | None = None,
        cell: int = 5,
        **settings: Any,
    ) -> None:
        self.size = _checked("size", size, 3, LARGEST)
        most = (self.size - 1) * (self.size - 3)
        wanted = min(most, self.size**2 // 5) if obstacles is None else obstacles
        self.obstacles = _checked("obstacles", wanted, 0, most)
        self.cell = _checked("cell", cell, 1, 64)
        cells = self.size**2
        self.state_size, self.draw_size = 2 + cells, 5 + cells
        self.episode_steps = 4 * cells
        super().__init__(num_envs, **settings)
        side = self.size * self.cell
        self.observation_space = spaces.Box(0, 255, (3, side, side), np.uint8)
        self.action_space = spaces.Discrete(4)
        colours = (FLOOR, OBSTACLE, GOAL, PLAYER)
        self._palette = torch.tensor(colours, dtype=torch.uint8, device=self.device)
        self._cells = torch.arange(cells, device=self.device)[:, None]

    def initial(self, draws: torch.Tensor) -> torch.Tensor:
        """Draw player, goal, the cell between, the two bends and the obstacles."""
        cells = self.size**2
        player, between = ((draws[row] * cells).long() for row in (0, 1))
        goal = (player + 1 + (draws[2] * (cells - 1)).long()) % cells
        free = self._way(player, between, draws[3] < 0.5) | self._way(between, goal, draws[4] < 0.5)
        ends = torch.stack((player, goal)).to(torch.uint8)
        if not self.obstacles:
            return torch.cat((ends, torch.zeros_like(free, dtype=torch.uint8)))
        ranks = draws[5:].masked_fill(free, -1.0)
        least = ranks.sort(0).values[cells - self.obstacles]
        return torch.cat((ends, (ranks >= least).to(torch.uint8)))

    def _way(self, start: torch.Tensor, end: torch.Tensor, across: torch.Tensor) -> torch.Tensor:
        """The cells of a way with one bend: bool ``[cells, M]``.

        Args:
            start: Cells, int64 ``[M]``.
            end: Cells, int64 ``[M]``.
            across: Whether to walk along the row first, bool ``[M]``.
        """
        row, column = self._cells // self.size, self._cells % self.size
        rows, columns = (start // self.size, end // self.size), (start % self.size, end % self.size)
        within_rows = (row >= torch.minimum(*rows)) & (row <= torch.maximum(*rows))
        within_columns = (column >= torch.minimum(*columns)) & (column <= torch.maximum(*columns))
        along_row = (row == torch.where(across, *rows)) & within_columns
        along_column = (column == torch.where(across, columns[1], columns[0])) & within_rows
        return along_row | along_column

    def dynamics(self, state: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """One step; ``actions`` int64 ``[N]``."""
        player = state[0].long()
        row, column = player // self.size, player % self.size
        row = row + (actions == 2).long() - (actions == 0).long()
        column = column + (actions == 1).long() - (actions == 3).long()
        last = self.size - 1
        target = row.clamp(0, last) * self.size + column.clamp(0, last)
        blocked = state[2:].gather(0, target[None])[0].bool()
        moved = torch.where(blocked, player, target).to(torch.uint8)
        return torch.cat((moved[None], state[1:]))

    def reward(
        self,
        state: torch.Tensor,
        actions: torch.Tensor,
        next_state: torch.Tensor,
        terminated: torch.Tensor,
    ) -> torch.Tensor:
        """-0.01, and 1 more at the goal."""
        return terminated.float() - STEP_COST

    def terminal(self, state: torch.Tensor) -> torch.Tensor:
        """Whether the player is at the goal."""
        return state[0] == state[1]

    def observe(self, state: torch.Tensor) -> torch.Tensor:
        """Paint the images, uint8 ``[N, 3, side, side]``."""
        kinds = state[2:].long()
        kinds = kinds.scatter(0, state[1:2].long(), 2).scatter(0, state[:1].long(), 3)
        size, cell = self.size, self.cell
        small = self._palette[kinds.t()].transpose(1, 2).reshape(-1, 3, size, 1, size, 1)
        large = small.expand(-1, -1, -1, cell, -1, cell)
        return large.reshape(-1, 3, size * cell, size * cell)

    def pictures(self, state: torch.Tensor, height: int) -> torch.Tensor:
        """What the agent sees, enlarged: uint8 ``[M, height, width, 3]``."""
        images = self.observe(state).float()
        large = torch.nn.functional.interpolate(images, size=(height, height), mode="nearest")
        return large.to(torch.uint8).permute(0, 2, 3, 1)


def _checked(name: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigError(f"{name} = {value!r}: expected an integer from {least} to {most}")
    return value
