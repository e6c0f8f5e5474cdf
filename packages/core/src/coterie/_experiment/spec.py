"""An experiment as a frozen value: what is trained, where, by which trainer. Free of torch."""

from __future__ import annotations

from typing import Any

from attrs import evolve, field, frozen

from .._config.validators import at_least


def _not_blank(instance: Any, attribute: Any, value: Any) -> None:
    if value is not None and not (isinstance(value, str) and value.strip()):
        raise ValueError(f"{attribute.name} must be a text that is not empty, got {value!r}")


def some_members(instance: Any, attribute: Any, value: Any) -> None:
    """Refuse an empty population."""
    if not value:
        raise ValueError("there are no members: give at least one")


@frozen(kw_only=True)
class EnvironmentSpec:
    """The environment of an experiment.

    Attributes:
        id: Kind and id with a colon between them: ``"gymnasium:CartPole-v1"``.
        num_envs: Number of instances.
        seed: Seed of the environment; instances that have a random stream of their own are
            seeded from their member's seed instead. ``None``: derived from the first member's.
        device: Where its tensors live, ``"cpu"`` or ``"cuda:0"``.
        settings: Settings of the adapter and the simulator's own.
    """

    id: str = field(validator=_not_blank)
    num_envs: int = field(validator=at_least(1))
    seed: int | None = field(default=0, validator=at_least(0))
    device: str = field(default="cpu", validator=_not_blank)
    settings: dict[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class MemberSpec:
    """One member of an experiment's population.

    Attributes:
        agent: Name of the algorithm, such as ``"ppo"``.
        name: Name of the member; ``None``: the algorithm's name and the member's position.
        seed: Seed of everything random in the agent; ``None``: the member's position.
        scope: Number of instances of its own; ``None``: an equal share. Either every member
            gives one, or none does.
        device: Where the agent's tensors live; ``None``: where the environment's are.
        settings: The agent's settings that differ from the defaults.
    """

    agent: str = field(validator=_not_blank)
    name: str | None = field(default=None, validator=_not_blank)
    seed: int | None = field(default=None, validator=at_least(0))
    scope: int | None = field(default=None, validator=at_least(1))
    device: str | None = field(default=None, validator=_not_blank)
    settings: dict[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class TrainerSpec:
    """The trainer of an experiment.

    Attributes:
        name: Name of the trainer, such as ``"sequential"``.
        settings: The trainer's settings that differ from the defaults.
    """

    name: str = field(default="sequential", validator=_not_blank)
    settings: dict[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class LoggerSpec:
    """A place for metrics, beside the ``metrics.csv`` that every run on disk has.

    Attributes:
        name: Name of the logger, such as ``"tensorboard"``.
        settings: The logger's settings that differ from the defaults.
    """

    name: str = field(validator=_not_blank)
    settings: dict[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class ControllerSpec:
    """Something that acts on the population between two timesteps.

    Attributes:
        name: Name of the controller, such as ``"pbt"``.
        settings: The controller's settings that differ from the defaults.
    """

    name: str = field(validator=_not_blank)
    settings: dict[str, Any] = field(factory=dict)


def _resolved(members: tuple[MemberSpec, ...]) -> tuple[MemberSpec, ...]:
    """Give every member a name and a seed, so that the value says all there is to say."""
    return tuple(
        evolve(
            member,
            name=f"{member.agent}-{position}" if member.name is None else member.name,
            seed=position if member.seed is None else member.seed,
        )
        for position, member in enumerate(members)
    )


@frozen(kw_only=True)
class Experiment:
    """Everything that a run is made from: the same value gives the same run.

    Attributes:
        environment: The environment.
        members: The population, in order of scopes. Names and seeds that were left out are
            filled in.
        trainer: The trainer.
        loggers: More places for metrics.
        controllers: What acts on the population between two timesteps, such as evolution.
    """

    environment: EnvironmentSpec
    members: tuple[MemberSpec, ...] = field(converter=_resolved, validator=some_members)
    trainer: TrainerSpec = field(factory=TrainerSpec)
    loggers: tuple[LoggerSpec, ...] = ()
    controllers: tuple[ControllerSpec, ...] = ()

    @property
    def scopes(self) -> list[int] | None:
        """Number of instances of each member; ``None``: equal scopes."""
        sizes = [member.scope for member in self.members]
        return None if None in sizes else [size for size in sizes if size is not None]
