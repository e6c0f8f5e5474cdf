"""What stands for the environment where the trainer is: it knows it, but can't step it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, Protocol

from .._envs.boundary import Boundary
from .._envs.checks import NonFinite
from .._envs.interface import VectorEnv
from .._envs.multi_agent import MultiAgentVectorEnv
from .._envs.recipe import EnvRecipe
from .._errors import TrainerStateError
from .._types import State, Tree
from .records import Start

_FIELDS = (
    "name",
    "device",
    "observation_space",
    "action_space",
    "state_space",
    "autoreset_mode",
    "independent_streams",
    "reuses_buffers",
    "seed",
    "recipe",
    "actors",
    "actors_end_together",
)


class Waters(Protocol):
    """What lies between the environment here and those on the islands."""

    def surroundings(self) -> State:
        """Return ``"environment"`` and ``"boundary"`` as of the timestep that was done last."""


class FarEnv(VectorEnv):
    """An environment that is made in parts, each on an island; see :func:`far_env`.

    Args:
        make: Makes a part, given the number of instances.
        template: A part with any number of instances, which tells the spaces.
        num_envs: Number of instances in all.

    Attributes:
        make: Makes a part, given the number of instances.
        template: A part that is never stepped.
        waters: Where to ask for the state of all parts; ``None``: there are none.
        given: State that the parts have not been given yet; ``None``: there is none.
        edge: What knows where they start; ``None``: nobody has used them yet.
    """

    def __init__(
        self, make: Callable[[int], VectorEnv], template: VectorEnv, num_envs: int
    ) -> None:
        for name in _FIELDS:
            if hasattr(template, name):
                setattr(self, name, getattr(template, name))
        self.num_envs = num_envs
        self.make, self.template = make, template
        self.waters: Waters | None = None
        self.given: State | None = None
        self.edge: FarBoundary | None = None

    def reset(self, *, seed: Any = None, options: Any = None) -> NoReturn:
        """Refuse: only islands reset their parts."""
        raise TrainerStateError(f"{self.name} is on islands: only their trainer can reset it")

    def step(self, actions: Any) -> NoReturn:
        """Refuse: only islands step their parts."""
        raise TrainerStateError(f"{self.name} is on islands: only their trainer can step it")

    @property
    def saves_state(self) -> bool:
        """Whether the states of the parts can be put together, and cut again."""
        return self.template.saves_state and self.template.splits_state

    def state_dict(self) -> State:
        """Put the states of the parts together.

        Raises:
            TrainerStateError: There are no parts.
        """
        if self.given is not None:
            return self.given
        state: State = asked(self)["environment"]
        return state

    def load_state_dict(self, state: State) -> None:
        """Keep a state for the islands that come."""
        self.given = state

    def close(self) -> None:
        """Close the template; islands close their parts themselves."""
        self.template.close()


class FarTeamEnv(FarEnv, MultiAgentVectorEnv):
    """The same for a multi-agent environment."""


def far_env(
    make: Callable[[int], VectorEnv] | EnvRecipe,
    num_envs: int,
    *,
    template: VectorEnv | None = None,
) -> FarEnv:
    """Describe an environment that a trainer makes in parts, on its islands.

    Args:
        make: Makes a part, given the number of instances; it must be picklable, by cloudpickle.
            Or how :func:`~coterie.make_env` makes it.
        num_envs: Number of instances in all.
        template: A part that tells the spaces; ``None``: one with a single instance is made.

    Returns:
        What a trainer with islands takes as ``env``, and :func:`~coterie.make_agent` too. It
        can't be stepped here.
    """
    maker = make.make if isinstance(make, EnvRecipe) else make
    part = maker(1) if template is None else template
    kind = FarTeamEnv if isinstance(part, MultiAgentVectorEnv) else FarEnv
    return kind(maker, part, num_envs)


def asked(env: FarEnv) -> State:
    """Ask for the state of all parts.

    Raises:
        TrainerStateError: There are none.
    """
    if env.waters is None:
        raise TrainerStateError(f"{env.name}: no island has a part of it")
    return env.waters.surroundings()


_SOMEWHERE: Any = ()


class FarBoundary(Boundary):
    """The edge to environments on islands: where they start, and what they are at.

    Args:
        env: What stands for them.
        non_finite: As for the base.
        debug: As for the base.

    Attributes:
        incomplete: Whether a part is lost for good, so that only a reset helps.
    """

    env: FarEnv

    def __init__(self, env: FarEnv, non_finite: NonFinite, debug: bool = False) -> None:
        super().__init__(env, non_finite, debug)
        self.incomplete = False
        self._reset: Start | None = None
        self._given: State | None = None

    @property
    def live(self) -> bool:
        """Whether all parts are where this object left them."""
        return super().live and not self.incomplete

    def reset(self, seed: int | Sequence[int] | None) -> None:
        """Let all parts start new episodes; arguments as for the base."""
        self.abandon()
        self.env.given, self.incomplete = None, False
        self._reset, self.observations = Start(resets=True, seed=seed), _SOMEWHERE
        self.claim()

    def claim(self) -> None:
        """Note that the parts are where this object left them."""
        super().claim()
        self.env.edge = self

    def abandon(self) -> None:
        """Forget where the parts were left."""
        super().abandon()
        self._reset = self._given = None

    def state_dict(self) -> State:
        """Put together what the next steps of the parts start from.

        Raises:
            ValueError: There is nothing to go on with.
        """
        if self.observations is None:
            raise ValueError("nothing was reset yet, or a step failed")
        return asked(self.env)["boundary"] if self._given is None else self._given

    def load_state_dict(self, state: State) -> None:
        """Keep what :meth:`state_dict` returned for the islands; errors as for the base."""
        super().load_state_dict({name: state[name] for name in state if name != "presence"})
        self.observations, self.states = _SOMEWHERE, None
        self._reset, self._given = None, state

    def take_start(self) -> Start | None:
        """Hand over where the parts start; ``None``: they go on where they are."""
        if self._reset is not None:
            start, self._reset = self._reset, None
            return start
        environment, boundary = self.env.given, self._given
        self.env.given = self._given = None
        if environment is None or boundary is None:
            return None
        return Start(resets=False, environment=environment, boundary=boundary)

    def step(self, actions: Tree, timestep: int) -> NoReturn:
        """Refuse: only islands step their parts."""
        raise TrainerStateError(f"{self.env.name} is on islands: only their trainer can step it")
