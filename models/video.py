"""Decoded video as upright RGB arrays: PyAV does not apply the display rotation that phones record."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray


def upright_rgb(frame: VideoFrame) -> NDArray[np.uint8]:
    """The frame as an (h, w, 3) RGB array, turned by its display rotation."""
    image_rgb = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    quarter_turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image_rgb, quarter_turns)) if quarter_turns else image_rgb


def read_clip(path: Path, every_s: float = 0.0) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """(presentation time in seconds, upright RGB) of a video's frames, at least `every_s` apart.

    Raises:
        av.FFmpegError: the file cannot be opened or decoded.
    """
    next_s = -np.inf
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for frame in container.decode(video=0):
            pts_s = float(frame.time or 0.0)
            if pts_s + 1e-6 < next_s:
                continue
            next_s = max(next_s + every_s, pts_s + every_s / 2) if np.isfinite(next_s) else pts_s + every_s
            yield pts_s, upright_rgb(frame)
