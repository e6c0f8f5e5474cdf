"""What the adapters of Brax and MuJoCo Playground share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from coterie import EnvAdapter

from .._checks import check_device
from .limits import refuse_wrappers

if TYPE_CHECKING:
    from .env import JaxEnv


class JaxAdapter(EnvAdapter):
    """Wraps functional environments; subclasses make them by their ids.

    Attributes:
        origin: What stands before the colon of the ids.
    """

    origin: ClassVar[str]

    def wrap(self, env: Any, *, seed: int | None = None, device: str = "cpu") -> JaxEnv:
        """Bring an environment that the user made to the contract, as one instance.

        :class:`coterie_envs.JaxEnv` makes several of it, with a limit of its own.

        Args:
            env: The environment, without wrappers for training.
            seed: Seed of the first reset that gives none.
            device: Where JAX computes and the tensors live.

        Raises:
            ConfigError: It is in a wrapper for training, or is another object.
        """
        refuse_wrappers(env)
        from .env import JaxEnv

        return JaxEnv(
            env,
            1,
            name=f"{self.origin}:{type(env).__name__}",
            seed=seed,
            device=check_device(device),
            max_episode_steps=self._episode_length(env),
        )

    def _episode_length(self, env: Any) -> int:
        return 1000
