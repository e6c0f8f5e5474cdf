"""Networks that the user brings: ordinary modules, trained where they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from coterie import ConfigError
from coterie.config import did_you_mean
from coterie.spaces import tree_map


class UserNetwork(nn.Module):
    """Gives a user's module the leading population axis of one member.

    Args:
        module: Maps observations ``[B, ...]`` to ``[B, outputs]`` (or ``[B]`` for one output).
        outputs: Number of outputs.
    """

    def __init__(self, module: nn.Module, outputs: int) -> None:
        super().__init__()
        self.module = module
        self.outputs = outputs

    @property
    def log_std(self) -> torch.Tensor:
        """The module's logarithms of standard deviations, ``[1, size]``."""
        found: torch.Tensor = self.module.log_std  # type: ignore[assignment]
        return found.reshape(1, -1)

    def tensors(self, member: int) -> dict[str, torch.Tensor]:
        """Return the module's tensors by key; its own ones."""
        return dict(self.module.state_dict())

    def forward(self, inputs: Any) -> torch.Tensor:
        """Map a tree of ``[1, B, ...]`` to ``[1, B, outputs]``."""
        result: torch.Tensor = self.module(tree_map(lambda tensor: tensor.squeeze(0), inputs))
        return result.reshape(1, -1, self.outputs)


def check_models(models: Any, names: Sequence[str]) -> dict[str, nn.Module]:
    """Check the ``models`` that an agent was given.

    Args:
        models: What was given.
        names: Modules that the algorithm needs.

    Raises:
        ConfigError: It is something else than one module for each name.
    """
    listed = ", ".join(names)
    if not isinstance(models, Mapping):
        raise ConfigError(f"models: expected a dict with the modules {listed}, got {models!r}")
    problems = [
        f"models[{key!r}]: no such model{did_you_mean(str(key), names)}; known are {listed}"
        for key in models
        if key not in names
    ]
    problems += [f"models[{name!r}] is missing" for name in names if name not in models]
    problems += [
        f"models[{name!r}]: expected a torch.nn.Module, got {type(models[name]).__name__}"
        for name in names
        if name in models and not isinstance(models[name], nn.Module)
    ]
    if not problems and len({id(models[name]) for name in names}) < len(names):
        problems.append(
            f"models: two of {listed} are one module; give a module each (they may share layers)"
        )
    if problems:
        raise ConfigError("\n".join(problems))
    return dict(models)


def check_output(name: str, module: nn.Module, example: Any, outputs: int, note: str) -> None:
    """Run a module once on ``example`` (a tree of ``[2, ...]``) and look at what comes out.

    Raises:
        ConfigError: It fails, or gives another shape than ``[2, outputs]``.
    """
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            result = module(example)
    except Exception as error:
        raise ConfigError(
            f"models[{name!r}] failed on a batch of two observations "
            f"({_shapes(example)}): {type(error).__name__}: {error}"
        ) from error
    finally:
        module.train(was_training)
    allowed = [(2, outputs)] if outputs > 1 else [(2, 1), (2,)]
    if not isinstance(result, torch.Tensor) or tuple(result.shape) not in allowed:
        got = tuple(result.shape) if isinstance(result, torch.Tensor) else type(result).__name__
        raise ConfigError(
            f"models[{name!r}] must map 2 observations ({_shapes(example)}) to a tensor of shape "
            f"{allowed[0]}, {note}; got {got}"
        )


def may_draw_globally(module: nn.Module) -> bool:
    """Whether a module might draw from the process-wide generators.

    torch's own layers other than dropout never do; what a user's own class does can't be known.
    """
    return any(
        not type(part).__module__.startswith("torch.nn.modules")
        or "Dropout" in type(part).__name__
        or type(part).__name__ in ("RReLU", "FractionalMaxPool2d", "FractionalMaxPool3d")
        or getattr(part, "dropout", 0.0) != 0.0
        for part in module.modules()
    )


def _shapes(tree: Any) -> Any:
    return tree_map(lambda tensor: tuple(tensor.shape), tree)
