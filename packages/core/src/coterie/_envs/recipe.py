"""How an environment was made, so that more like it can be made elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

if TYPE_CHECKING:
    from .interface import VectorEnv


@frozen(kw_only=True)
class EnvRecipe:
    """How to make an environment by its name, with any number of instances.

    Attributes:
        spec: Kind and id: ``"gymnasium:CartPole-v1"``.
        seed: Seed that the instances' random streams start from; ``None``: different ones.
        device: Where its tensors live.
        settings: Settings of the kind's adapter and the simulator's own.
    """

    spec: str
    seed: int | None = None
    device: str = "cpu"
    settings: Mapping[str, Any] = field(factory=dict)

    def make(self, num_envs: int, *, device: str | None = None) -> VectorEnv:
        """Make an environment; errors as for :func:`~coterie.make_env`.

        Args:
            num_envs: Number of instances.
            device: Where its tensors live; ``None``: as the recipe says.
        """
        from .._factory import make_env

        place = self.device if device is None else device
        return make_env(self.spec, num_envs=num_envs, seed=self.seed, device=place, **self.settings)
