"""``"vmas:…"`` scenarios, and environments that the user made."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coterie import ConfigError, EnvAdapter

from .._checks import check_count, check_device
from .._needs import install, need
from .env import VmasEnv, draw_seed
from .names import find_scenario, list_ids
from .streams import Streams

_SEEDS = 2**31
_OURS = ("dict_spaces", "terminated_truncated", "wrapper", "wrapper_kwargs")


class VmasAdapter(EnvAdapter):
    """Makes and wraps environments of VMAS."""

    def make(
        self,
        env_id: str,
        *,
        num_envs: int = 1,
        seed: int | None = None,
        device: str = "cpu",
        max_steps: int | None = None,
        continuous_actions: bool = True,
        multidiscrete_actions: bool = False,
        clamp_actions: bool = True,
        render_mode: str | None = None,
        **settings: Any,
    ) -> VmasEnv:
        """Make an environment by the name of its scenario.

        Args:
            env_id: ``"balance"``, the path of a module with a class ``Scenario``, or
                ``"module:Class"``.
            num_envs: Number of instances, at least 1.
            seed: Seed of the random stream that the instances share.
            device: Where VMAS simulates and the tensors live.
            max_steps: After how many steps an episode is truncated; ``None``: never, and only
                the scenario ends it. Some scenarios never do.
            continuous_actions: Whether actions are numbers; else they are choices.
            multidiscrete_actions: Whether there is a choice for each dimension, rather than one
                among all combinations; only with ``continuous_actions=False``.
            clamp_actions: Whether actions beyond their bounds are brought to them; else they
                are an error of VMAS.
            render_mode: ``"rgb_array"``, ``"human"`` or ``None``.
            settings: The scenario's settings (``n_agents``, …).

        Raises:
            ConfigError: VMAS is missing, there is no such scenario (with the nearest one), or a
                setting is unknown or wrong.
        """
        place, count = check_device(device), check_count(num_envs)
        vmas: Any = need("vmas", f"vmas:{env_id}", install("vmas"))
        for name in _OURS:
            if name in settings:
                raise ConfigError(f"vmas:{env_id}: {name} can't be set: the adapter needs its own")
        scenario, label = find_scenario(env_id), f"vmas:{env_id}"
        start = draw_seed() if seed is None else seed % _SEEDS
        streams = Streams(vmas.simulator.environment.Environment.vmas_random_state, place)
        streams.seed(start)
        try:
            with streams, warnings.catch_warnings():
                warnings.filterwarnings("error", message="Scenario kwargs")
                env = vmas.make_env(
                    scenario,
                    num_envs=count,
                    device=place,
                    max_steps=max_steps,
                    continuous_actions=continuous_actions,
                    multidiscrete_actions=multidiscrete_actions,
                    clamp_actions=clamp_actions,
                    terminated_truncated=True,
                    **settings,
                )
        except (UserWarning, TypeError, ValueError, AssertionError, KeyError) as problem:
            raise ConfigError(
                f"{label} could not be made: {type(problem).__name__}: {problem}"
            ) from problem
        return VmasEnv(env, streams=streams, name=label, seed=start, render_mode=render_mode)

    def wrap(self, env: Any, *, seed: int | None = None, device: str = "cpu") -> VmasEnv:
        """Bring an environment that the user made to the contract.

        Args:
            env: What ``vmas.make_env`` gives without a wrapper. The object itself is used; it
                stays on its device.
            seed: Seed of the first reset; ``None``: its stream goes on as it is.
            device: Ignored where it is ``"cpu"``; otherwise it must be the environment's.

        Raises:
            ConfigError: It is none of VMAS's environments, or on another device.
        """
        if not hasattr(env, "scenario") or not hasattr(env, "reset_at"):
            raise ConfigError(
                f"expected an environment of vmas.make_env(..., wrapper=None), got "
                f"{type(env).__module__}.{type(env).__qualname__}"
            )
        place = check_device(device)
        wrapped = VmasEnv(env, name=f"vmas:{_scenario_name(env)}", seed=seed)
        if place.type != "cpu" and place != wrapped.device:
            raise ConfigError(
                f"device = {device!r}: the environment is on {wrapped.device}; make it on "
                f"{device!r}"
            )
        return wrapped

    def ids(self) -> Sequence[str]:
        """List the scenarios that VMAS has, sorted; none where it is not installed."""
        return list_ids()


def _scenario_name(env: Any) -> str:
    """The file of a class that is called Scenario, as VMAS's are; otherwise the class."""
    kind = type(env.scenario)
    file = Path(kind.make_world.__code__.co_filename)  # VMAS loads its own without a module name
    return file.stem if kind.__name__ == "Scenario" else kind.__name__
