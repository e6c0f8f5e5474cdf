"""Write a film, frame by frame."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from .._errors import ConfigError
from .frames import compose

_KINDS: dict[str, dict[str, Any]] = {
    ".mp4": {
        "codec": "libx264",
        "pix_fmt_out": "yuv420p",
        "output_params": ["-crf", "20", "-movflags", "+faststart"],
    },
    ".gif": {
        "codec": "gif",
        "pix_fmt_out": "pal8",
        # A palette for each frame: one for all would need all frames in memory.
        "output_params": [
            "-filter_complex",
            "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1",
            "-loop",
            "0",
        ],
    },
}


class Film:
    """Writes pictures to a file, which is there when all are written.

    Frames go to an encoder one by one, so that the memory needed does not grow.

    Args:
        path: The file, ``.mp4`` or ``.gif``; an older one is replaced.
        fps: Frames per second.
        length: Number of frames after which no more are wanted.
        captions: Instances to show, by the name above them.

    Raises:
        ConfigError: The file's name or folder is wrong, or there is no encoder; nothing was
            written.
    """

    def __init__(
        self, path: Path, *, fps: int, length: int, captions: Mapping[str, range] | None = None
    ) -> None:
        check_film(path)
        self.path, self.fps, self.length = path, fps, length
        self.captions: Mapping[str, range] = captions or {}
        self.frames = 0
        self._shape: tuple[int, ...] = ()
        self._writer: Generator[None, Any, None] | None = None
        self._part = path.with_name(f".{path.stem}.part{path.suffix}")

    def __call__(self, picture: Any) -> bool:
        """Add what an environment rendered; say whether another one is wanted.

        Raises:
            ConfigError: It is no picture, of another size than the first, or can't be written.
        """
        frame = compose(picture, self.captions)
        if self._writer is None:
            self._shape = frame.shape
            self._writer = self._open()
        if frame.shape != self._shape:
            raise ConfigError(
                f"the environment's pictures changed their size: {list(self._shape)} at first, "
                f"{list(frame.shape)} after {self.frames} frames"
            )
        try:
            self._writer.send(np.ascontiguousarray(frame))
        except OSError as error:
            raise self._failed(error) from error
        self.frames += 1
        return self.frames < self.length

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        writer, self._writer = self._writer, None
        try:
            if writer is not None:
                writer.close()
            if writer is not None and error is None:
                os.replace(self._part, self.path)
        except OSError as failure:
            raise self._failed(failure) from failure
        finally:
            with suppress(OSError):
                self._part.unlink()

    def _open(self) -> Generator[None, Any, None]:
        import imageio_ffmpeg

        height, width, _ = self._shape
        writer: Generator[None, Any, None] = imageio_ffmpeg.write_frames(
            str(self._part),
            (width, height),
            fps=self.fps,
            macro_block_size=2,
            ffmpeg_log_level="error",
            **_KINDS[self.path.suffix.lower()],
        )
        try:
            writer.send(None)
        except OSError as error:
            raise self._failed(error) from error
        return writer

    def _failed(self, error: OSError) -> ConfigError:
        return ConfigError(f"the video {self.path} could not be written: {error}")


def check_film(path: Path) -> None:
    """Check that a film can be written.

    Raises:
        ConfigError: The file's name or folder is wrong, or there is no encoder.
    """
    if path.suffix.lower() not in _KINDS:
        raise ConfigError(f"{path}: a video is a file that ends in {' or '.join(_KINDS)}")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent}")
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; give a file")
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise ConfigError('videos need an encoder: pip install "coterie-core[video]"') from error
    try:
        imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise ConfigError(
            "imageio-ffmpeg brings no encoder for this machine: install ffmpeg, or let "
            "IMAGEIO_FFMPEG_EXE name it"
        ) from error
