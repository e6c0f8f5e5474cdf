"""Programs that are compiled from functions of tensors."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils import _pytree

from .captured import Call, captured


class Program:
    """A function of trees of tensors, compiled for inputs of some shapes.

    On a CUDA device it is one CUDA graph, so that a call is one launch and not one per kernel.
    Nothing is looked at when it is called: whoever calls it gives inputs like the first ones.

    Args:
        function: The function. Arguments that are no tensors are part of the program.
        inputs: Its arguments.
    """

    def __init__(self, function: Callable[..., Any], inputs: tuple[Any, ...]) -> None:
        from torch._inductor import compile as compile_graph
        from torch.fx.experimental.proxy_tensor import make_fx

        leaves, structure = _pytree.tree_flatten(inputs)

        def flat(*tensors: torch.Tensor) -> list[torch.Tensor]:
            rest = iter(tensors)
            own = [next(rest) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
            found = function(*_pytree.tree_unflatten(own, structure))
            results, self._results = _pytree.tree_flatten(found)
            return results

        tensors: list[Any] = [*tensors_of(inputs)]
        graph = make_fx(flat)(*tensors)
        compiled: Call = compile_graph(graph, tensors, options=_options())
        compiled(*tensors)
        self.call = captured(compiled, tensors)

    def __call__(self, *inputs: Any) -> Any:
        """Do what the function does."""
        return self.arrange(self.call(*tensors_of(inputs)))

    def arrange(self, results: Sequence[torch.Tensor]) -> Any:
        """Make what the function returns from a list of its tensors."""
        return _pytree.tree_unflatten(results, self._results)


def tensors_of(tree: Any) -> list[torch.Tensor]:
    """List the tensors of a tree, in the order in which a program takes them."""
    return [leaf for leaf in _pytree.tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def _options() -> dict[str, Any]:
    """Say how to compile: one thread compiles, so that no process is left waiting for more."""
    return {"compile_threads": 1, "cpp.threads": torch.get_num_threads()}


def warn_of_compiler(setting: str, error: Exception) -> None:
    """Warn that a setting that asks for a compiler has no effect."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    warnings.warn(
        f"{setting}: compiling failed ({reason}); training goes on without. It needs a C++ "
        "compiler for the CPU (g++, or what CXX names) and Triton for a GPU; leave "
        f"{setting} out to do without",
        RuntimeWarning,
        stacklevel=3,
    )
