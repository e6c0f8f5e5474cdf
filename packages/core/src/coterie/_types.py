"""Names for the shapes that data has everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import torch

Tree: TypeAlias = torch.Tensor | dict[str, "Tree"] | tuple["Tree", ...]
"""A tensor, or dicts and tuples of tensors: what an observation or action space holds.

Every tensor has a leading dimension: the instances.
"""

State: TypeAlias = dict[str, Any]
"""Nested dicts and lists of tensors and plain values (None, bool, int, float, str)."""

Infos: TypeAlias = Mapping[str, Any]
"""What an environment tells beside its observations."""
