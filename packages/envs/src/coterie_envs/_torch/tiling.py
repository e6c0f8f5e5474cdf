"""Many pictures in one, with captions: core's, under the name that it had here first."""

from __future__ import annotations

from coterie import tile_frames

__all__ = ["tile_frames"]
