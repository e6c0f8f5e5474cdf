"""The nouns that plugins offer, and which of Coterie's own packages has what."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Literal, TypeAlias

from attrs import frozen

from .records import AgentPlugin, ControllerPlugin, EnvPlugin, LoggerPlugin, TrainerPlugin

NounName: TypeAlias = Literal["trainer", "agent", "environment", "logger", "controller"]


@frozen
class Noun:
    """Something that plugins offer by name.

    Attributes:
        name: Singular, for messages.
        plural: Plural, for listings.
        hook: The provider hook.
        record: Class of the records that the hook gives.
        base: Module (below ``coterie``) and name of the class that loaders give subclasses of.
    """

    name: NounName
    plural: str
    hook: str
    record: type[Any]
    base: tuple[str, str]

    def base_class(self) -> type[Any]:
        """Import and return the class that a loaded one must be a subclass of."""
        module, name = self.base
        found: type[Any] = getattr(import_module(f"coterie.{module}"), name)
        return found


NOUNS: dict[str, Noun] = {
    noun.name: noun
    for noun in (
        Noun(
            "trainer", "trainers", "coterie_trainers", TrainerPlugin, ("_trainers.base", "Trainer")
        ),
        Noun("agent", "agents", "coterie_agents", AgentPlugin, ("_agents.interface", "Agent")),
        Noun(
            "environment",
            "environments",
            "coterie_envs",
            EnvPlugin,
            ("_envs.interface", "EnvAdapter"),
        ),
        Noun(
            "logger", "loggers", "coterie_loggers", LoggerPlugin, ("_loggers.interface", "Logger")
        ),
        Noun(
            "controller",
            "controllers",
            "coterie_controllers",
            ControllerPlugin,
            ("_controllers.interface", "Controller"),
        ),
    )
}

_OFFERS: dict[str, dict[str, tuple[str, ...]]] = {
    "coterie-core": {
        "trainer": ("sequential", "step"),
        "logger": ("csv", "jsonl", "mlflow", "tensorboard", "wandb"),
    },
    "coterie-backends-mp": {"trainer": ("parallel",)},
    "coterie-backends-fused": {"trainer": ("fused",)},
    "coterie-backends-ray": {"trainer": ("ray",)},
    "coterie-agents": {
        "agent": (
            "a2c",
            "ddpg",
            "dqn",
            "ippo",
            "mappo",
            "ppo",
            "ppo_rnn",
            "rpo",
            "sac",
            "sac_rnn",
            "td3",
        ),
    },
    "coterie-envs": {
        "environment": (
            "brax",
            "envpool",
            "gymnasium",
            "isaaclab",
            "maniskill",
            "pettingzoo",
            "playground",
            "torch",
            "vmas",
        )
    },
    "coterie-evolution": {"controller": ("halving", "pbt", "search")},
    "coterie-skrl": {"environment": ("skrl",)},
    "coterie": {},
}

FIRST_PARTY = frozenset(_OFFERS)
"""Coterie's own distributions: nobody else can take over a name that they offer."""


def home_of(noun: str, name: str) -> str | None:
    """Return the first-party distribution that offers ``name``, whether installed or not."""
    for distribution, offers in _OFFERS.items():
        if name in offers.get(noun, ()):
            return distribution
    return None


def first_party_names(noun: str) -> list[str]:
    """List every name of a noun that a first-party distribution offers."""
    return sorted(name for offers in _OFFERS.values() for name in offers.get(noun, ()))
