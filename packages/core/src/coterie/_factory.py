"""Make environments, agents and trainers by name."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._errors import ConfigError, PluginError
from ._nearest import did_you_mean, nearest
from ._registry.manager import registry

if TYPE_CHECKING:
    import torch

    from ._agents.interface import Agent
    from ._envs.interface import EnvAdapter, VectorEnv
    from ._trainers.base import Trainer

_log = logging.getLogger("coterie")


def make_env(
    spec: str,
    *,
    num_envs: int,
    seed: int | None = None,
    device: str | torch.device = "cpu",
    **settings: Any,
) -> VectorEnv:
    """Make a vectorised environment by its kind and id.

    Args:
        spec: Kind and id with a colon between them: ``"gymnasium:CartPole-v1"``.
        num_envs: Number of instances, at least 1.
        seed: Seed that the instances' random streams start from, at least 0; ``None``: a
            different one each time.
        device: Where its tensors live, ``"cpu"`` or ``"cuda:0"``.
        settings: Settings of the kind's adapter and the simulator's own.

    Raises:
        ConfigError: An argument or a setting is wrong, or the kind has no such id.
        PluginError: Nobody offers the kind, or its plugin is broken.
    """
    count = _integer("num_envs", num_envs, 1)
    start = None if seed is None else _integer("seed", seed, 0)
    place = _device(device)
    from ._envs.recipe import EnvRecipe

    kind, env_id = _split(spec)
    adapter = _adapter(kind)
    env = adapter.make(env_id, num_envs=count, seed=start, device=str(place), **settings)
    _check_made(env, kind)
    if env.num_envs != count:
        raise PluginError(
            f"environment kind {kind!r} was asked for {count} instances and made {env.num_envs}"
        )
    env.recipe = EnvRecipe(spec=spec, seed=start, device=str(place), settings=settings)
    return env


def wrap_env(
    env: Any,
    kind: str | None = None,
    *,
    seed: int | None = None,
    device: str | torch.device = "cpu",
) -> VectorEnv:
    """Bring an environment that you made to Coterie's contract.

    Args:
        env: The environment. One that follows the contract already is returned as it is.
        kind: Kind of the environment, such as ``"gymnasium"``; ``None``: it is recognised.
        seed: Seed that the instances' random streams start from, at least 0; ``None``: a
            different one each time.
        device: Where its tensors live, ``"cpu"`` or ``"cuda:0"``.

    Raises:
        ConfigError: An argument is wrong, or no kind, or more than one, recognises it.
        PluginError: Nobody offers the kind, or its plugin is broken.
    """
    from ._envs.interface import VectorEnv

    start = None if seed is None else _integer("seed", seed, 0)
    place = _device(device)
    if isinstance(env, VectorEnv):
        return env
    kind = _recognised(env) if kind is None else kind
    wrapped = _adapter(kind).wrap(env, seed=start, device=str(place))
    _check_made(wrapped, kind)
    return wrapped


def make_agent(
    kind: str,
    *,
    env: VectorEnv,
    name: str | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
    cfg: Any = None,
    **more: Any,
) -> Agent:
    """Make an agent for an environment.

    The agent takes its spaces from the environment. What it draws while it is built, such as
    the first weights, depends on ``seed`` alone and leaves the process-wide generators alone.

    Args:
        kind: Name of the algorithm, such as ``"ppo"``.
        env: The environment that it will act in.
        name: Name of the member; ``None``: the trainer gives it one.
        seed: Seed of everything random in it, at least 0.
        device: Where its tensors live; ``None``: the environment's device.
        cfg: Its settings: an object of its configuration class, a mapping, or ``None``.
        more: What else the agent's class takes, such as ``models``.

    Raises:
        ConfigError: An argument or a setting is wrong; of the settings, all problems at once.
        PluginError: Nobody offers the algorithm, or its plugin is broken.
    """
    from ._seeding import GlobalStreams, derive_seed
    from ._trainers.population import describe_unfit

    _check_env(env)
    start = _integer("seed", seed, 0)
    if name is not None and not (isinstance(name, str) and name.strip()):
        raise ConfigError(f"the name of an agent must be a text that is not empty, got {name!r}")
    place = env.device if device is None else _device(device)
    cls = registry().load("agent", kind)
    unfit = describe_unfit(env, cls, kind)
    if unfit:
        raise ConfigError(unfit)
    _check_keywords(cls, kind, more)
    with GlobalStreams(derive_seed(start, "init"), place).active():
        agent: Agent = cls(
            observation_space=env.observation_space,
            action_space=env.action_space,
            state_space=env.state_space,
            device=place,
            name=name,
            seed=start,
            cfg=cfg,
            **more,
        )
    return agent


def make_trainer(
    kind: str,
    *,
    env: VectorEnv,
    agents: Agent | Sequence[Agent],
    scopes: Sequence[int] | None = None,
    cfg: Any = None,
    run_dir: str | Path | None = None,
    loggers: Sequence[Any] = (),
    resume: bool | str | Path = False,
    controllers: Sequence[Any] = (),
) -> Trainer:
    """Make a trainer for a population.

    Args:
        kind: Name of the trainer, such as ``"sequential"`` or ``"parallel"``.
        env: The environment.
        agents: One agent or a list.
        scopes: Number of instances of each agent; ``None``: equal shares, the remainder to the
            last.
        cfg: Its settings: an object of its configuration class, a mapping, or ``None``.
        run_dir: Folder that runs are written to; ``None``: nothing is written.
        loggers: Loggers beside those that every run has.
        resume: Whether to go on with the run that ``run_dir`` holds, if it has one, from its
            newest checkpoint; or path or URL of a checkpoint, or of another run, to go on from.
            A run that is not in ``run_dir`` is brought there from its ``checkpoints.mirror``.
        controllers: What acts on members between two timesteps, such as ``("pbt", {...})``.

    Raises:
        ConfigError: An argument or a setting is wrong; of the settings, all problems at once.
        PluginError: Nobody offers the trainer, or its plugin is broken.
    """
    _check_env(env)
    cls = registry().load("trainer", kind)
    trainer: Trainer = cls(
        env=env,
        agents=agents,
        scopes=scopes,
        cfg=cfg,
        run_dir=run_dir,
        loggers=loggers,
        resume=resume,
        # Trainers of others may have been written before there were any.
        **({"controllers": controllers} if controllers else {}),
    )
    return trainer


def _integer(name: str, value: Any, low: int) -> int:
    from numpy import integer

    if isinstance(value, bool) or not isinstance(value, int | integer) or value < low:
        raise ConfigError(f"{name} must be an integer of at least {low}, got {value!r}")
    return int(value)


def _device(device: Any) -> torch.device:
    import torch

    allowed = "'cpu', 'cuda' or 'cuda:0'"
    try:
        place = torch.device(device)
    except (RuntimeError, TypeError):
        raise ConfigError(f"device must be one like {allowed}, got {device!r}") from None
    if place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise ConfigError(f"device {device!r}: this machine has {count} CUDA devices")
    return place


def _split(spec: Any) -> tuple[str, str]:
    if not isinstance(spec, str):
        raise ConfigError(
            f"make_env takes a text 'kind:id', got {type(spec).__name__}; "
            "an environment that you made goes to coterie.wrap_env(env)"
        )
    kind, colon, env_id = spec.partition(":")
    if colon and kind and env_id:
        return kind, env_id
    raise ConfigError(f"{spec!r} is no environment: write 'kind:id'{_suggest(spec.strip(':'))}")


def _suggest(name: str) -> str:
    """Name the environments that ``name`` could mean, or the kinds."""
    kinds = registry().names("environment")
    if name in kinds:
        ids = _ids(name)
        return f"; {name} knows {', '.join(ids[:10])}" + (" …" if len(ids) > 10 else "")
    near = {kind: nearest(name, _ids(kind)) for kind in kinds}
    exact = [f"{kind}:{found}" for kind, found in near.items() if found == name]
    likely = exact or [f"{kind}:{found}" for kind, found in near.items() if found]
    if likely:
        return "; did you mean " + " or ".join(repr(text) for text in likely) + "?"
    return f"; installed kinds: {', '.join(kinds) if kinds else 'none'}"


def _ids(kind: str) -> list[str]:
    """List the ids of a kind; a broken plugin has none, as this only serves a message."""
    try:
        return [str(env_id) for env_id in _adapter(kind).ids()]
    except Exception:
        return []


def _adapter(kind: str) -> EnvAdapter:
    adapter: EnvAdapter = registry().load("environment", kind)()
    return adapter


def _recognised(env: Any) -> str:
    offers = registry().offers("environment")
    kinds = [offer.record.name for offer in offers if _recognises(offer.record, env)]
    if len(kinds) == 1:
        return str(kinds[0])
    what = f"{type(env).__module__}.{type(env).__qualname__}"
    if kinds:
        raise ConfigError(
            f"{what} could be of kind {' or '.join(repr(kind) for kind in kinds)}; "
            f"say which: wrap_env(env, {kinds[0]!r})"
        )
    known = ", ".join(offer.record.name for offer in offers) or "none"
    raise ConfigError(
        f"no installed kind of environment recognises {what}; installed kinds: {known}. "
        "For another simulator, write a subclass of coterie.VectorEnv and use it as it is, or a "
        "coterie.EnvAdapter and offer it with the hook coterie_envs"
    )


def _recognises(record: Any, env: Any) -> bool:
    try:
        return bool(record.recognises(env))
    except Exception as error:
        _log.warning(
            "environment kind %r can't say whether it recognises %s: %s: %s",
            record.name,
            type(env).__name__,
            type(error).__name__,
            error,
        )
        return False


def _check_made(env: Any, kind: str) -> None:
    from ._envs.interface import VectorEnv

    if not isinstance(env, VectorEnv):
        raise PluginError(
            f"environment kind {kind!r} must give a coterie.VectorEnv, got {type(env).__name__}"
        )


def _check_env(env: Any) -> None:
    from ._envs.interface import VectorEnv

    if not isinstance(env, VectorEnv):
        raise ConfigError(
            f"env must be a coterie environment, got {type(env).__module__}."
            f"{type(env).__qualname__}; make it with coterie.make_env('kind:id', num_envs=…) or "
            "bring your own with coterie.wrap_env(env)"
        )


def _check_keywords(cls: type[Any], kind: str, more: dict[str, Any]) -> None:
    parameters = inspect.signature(cls).parameters
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return
    for key in more:
        if key not in parameters:
            raise ConfigError(
                f"agent {kind!r} takes no argument {key!r}{did_you_mean(key, parameters)}; "
                f"settings go into cfg={{{key!r}: …}}"
            )
