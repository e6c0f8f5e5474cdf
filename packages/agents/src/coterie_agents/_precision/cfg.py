"""The setting. Free of torch."""

from __future__ import annotations

from typing import Literal, TypeAlias

MixedPrecision: TypeAlias = Literal["off", "bfloat16", "float16"]
"""Type that networks compute in, beside that of the weights; ``"off"``: only that."""
