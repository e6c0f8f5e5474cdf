"""The agent ``climber``: cross-entropy search over linear policies."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from gymnasium import spaces

from coterie import Agent, ConfigError, Transition

from ._cfg import ClimberCfg


class Climber(Agent):
    """Tries random linear policies and moves to the best ones.

    Every instance of the scope follows a candidate of its own for a whole episode. The return is
    the candidate's score. When ``candidates`` of them were tried, mean and spread of the search
    become those of the elite, as in the cross-entropy method (Rubinstein 1999, "The
    cross-entropy method for combinatorial and continuous optimization", section 4; its use for
    policies: Szita and Lörincz 2006, "Learning Tetris using the noisy cross-entropy method").

    Observations are Boxes, actions Discrete or bounded Boxes.
    """

    kind: ClassVar[str] = "climber"
    config_class: ClassVar[type[Any]] = ClimberCfg
    uses_global_generators: ClassVar[bool] = False
    uses_infos: ClassVar[bool] = False

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        outputs = _outputs(self.observation_space, self.action_space)
        inputs = spaces.flatdim(self.observation_space) + 1
        self.mean = torch.zeros(inputs, outputs, device=self.device)
        self.spread = torch.full_like(self.mean, self.cfg.initial_spread)
        self.updates = 0
        self._weights: torch.Tensor | None = None
        self._returns = torch.zeros(0, device=self.device)
        self._tried: list[torch.Tensor] = []
        self._scores: list[float] = []

    def setup(self, num_envs: int) -> None:
        """Draw a candidate for each instance, unless they have one."""
        super().setup(num_envs)
        if self._weights is None or len(self._weights) != num_envs:
            self._weights = self._draw(num_envs)
            self._returns = torch.zeros(num_envs, device=self.device)

    def act(
        self,
        observations: Any,
        *,
        states: Any = None,
        timestep: int,
        timesteps: int,
        deterministic: bool = False,
    ) -> torch.Tensor:
        """Follow each instance's candidate, or the mean policy."""
        assert self._weights is not None
        features = observations.reshape(len(observations), -1).float()
        features = torch.cat((features, torch.ones_like(features[:, :1])), dim=-1)
        weights = self.mean.expand_as(self._weights) if deterministic else self._weights
        return self._actions(torch.bmm(features.unsqueeze(1), weights).squeeze(1))

    def record_transition(self, transition: Transition, *, timestep: int, timesteps: int) -> None:
        """Add the rewards; where an episode ended, score its candidate and draw the next."""
        assert self._weights is not None
        self._returns += torch.where(transition.valid, transition.rewards, 0.0)
        ended = (transition.done & transition.valid).nonzero().flatten()
        if not len(ended):
            return
        self._tried += self._weights[ended].clone().unbind()
        self._scores += self._returns[ended].tolist()
        self._weights[ended] = self._draw(len(ended))
        self._returns[ended] = 0.0

    def post_interaction(self, *, timestep: int, timesteps: int) -> None:
        """Move the search when enough candidates were tried."""
        if len(self._scores) < self.cfg.candidates:
            return
        count = max(1, round(self.cfg.elite_fraction * len(self._scores)))
        ranked = sorted(range(len(self._scores)), key=self._scores.__getitem__, reverse=True)
        elite = torch.stack([self._tried[index] for index in ranked[:count]])
        self.mean = elite.mean(dim=0)
        self.spread = elite.std(dim=0, correction=0).clamp_min(self.cfg.lowest_spread)
        self.updates += 1
        self.track("score/mean", sum(self._scores) / len(self._scores))
        self.track("score/best", self._scores[ranked[0]])
        self.track("spread", float(self.spread.mean()))
        self._tried, self._scores = [], []

    def episodes_cut(self) -> None:
        """Forget the returns of episodes that never ended; their candidates start again."""
        self._returns.zero_()

    def state_dict(self) -> dict[str, Any]:
        """Return the search, the candidates that are running and those that were tried."""
        return {
            **super().state_dict(),
            "mean": self.mean.clone(),
            "spread": self.spread.clone(),
            "updates": self.updates,
            "weights": None if self._weights is None else self._weights.clone(),
            "returns": self._returns.clone(),
            "tried": [weights.clone() for weights in self._tried],
            "scores": list(self._scores),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        super().load_state_dict(state)
        weights = state["weights"]
        self.mean = state["mean"].to(self.device).clone()
        self.spread = state["spread"].to(self.device).clone()
        self.updates = state["updates"]
        self._weights = None if weights is None else weights.to(self.device).clone()
        self._returns = state["returns"].to(self.device).clone()
        self._tried = [tensor.to(self.device).clone() for tensor in state["tried"]]
        self._scores = list(state["scores"])

    def _draw(self, count: int) -> torch.Tensor:
        noise = torch.randn((count, *self.mean.shape), generator=self.generator, device=self.device)
        return self.mean + self.spread * noise

    def _actions(self, outputs: torch.Tensor) -> torch.Tensor:
        space = self.action_space
        if isinstance(space, spaces.Discrete):
            return outputs.argmax(dim=-1) + int(space.start)
        assert isinstance(space, spaces.Box)
        low = torch.as_tensor(space.low, device=self.device)
        high = torch.as_tensor(space.high, device=self.device)
        unit = (torch.tanh(outputs).reshape(-1, *space.shape) + 1) / 2
        return (low + unit * (high - low)).to(low.dtype)


def _outputs(observation: spaces.Space[Any], action: spaces.Space[Any]) -> int:
    """Return how many numbers choose an action, or say which spaces are allowed."""
    if not isinstance(observation, spaces.Box):
        raise ConfigError(f"a climber observes a Box, got {observation}")
    if isinstance(action, spaces.Discrete):
        return int(action.n)
    if isinstance(action, spaces.Box) and action.is_bounded() and action.dtype.kind == "f":
        return spaces.flatdim(action)
    raise ConfigError(f"a climber acts in a Discrete or a bounded Box of floats, got {action}")
