"""Decoded video as upright RGB arrays: PyAV does not apply the display rotation that phones record.

Conversions use one thread and one converter for each calling thread: FFmpeg's default is a thread for each core,
made anew for each frame, which on a busy machine waits for the slowest.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

THUMB_PX = 80
"""Width, about, of a thumbnail."""
LUMA_FIRST = frozenset(
    ["gray", "nv12", "nv21", "yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p", "yuva420p"]
)
"""Formats whose first plane holds one byte of luma for each pixel."""
FULL_RANGE = 2
STRETCHED = np.clip((np.arange(256) - 16) * (255 / 219) + 0.5, 0, 255).astype(np.uint8)
"""Grey level of each luma of the usual range 16..235."""

_local = threading.local()


class DecodedPicture:
    """A decoded frame that becomes an RGB array when somebody first asks, once, for all threads.

    Attributes:
        size_wh: width and height in pixels of the upright picture.
    """

    __slots__ = ("_frame", "_lock", "_rgb", "_thumb", "size_wh")

    def __init__(self, frame: VideoFrame) -> None:
        self._lock = threading.Lock()
        self._frame = frame
        self._rgb: NDArray[np.uint8] | None = None
        self._thumb: NDArray[np.uint8] | None = None
        across = round(frame.rotation / 90) % 2
        self.size_wh = (frame.height, frame.width) if across else (frame.width, frame.height)

    def rgb(self) -> NDArray[np.uint8]:
        """(h, w, 3), upright; not to be written to.

        Raises:
            av.FFmpegError, ValueError: the frame's format cannot be converted.
        """
        with self._lock:
            if self._rgb is None:
                self._rgb = upright_rgb(self._frame)
            return self._rgb

    def thumb(self) -> NDArray[np.uint8]:
        """Grey levels (h, w) of every n-th pixel as the frame was coded, that is not turned."""
        with self._lock:
            if self._thumb is None:
                self._thumb = grey_thumb(self._frame)
            return self._thumb


class PictureMaker:
    """Makes pictures of one decoder's frames.

    The first frame of each format and size is converted at once, so that a format that cannot be converted fails
    here, where the decoder's other errors come too.
    """

    def __init__(self) -> None:
        self._known: tuple[str, int, int] | None = None

    def __call__(self, frame: VideoFrame) -> DecodedPicture:
        """The picture, not converted yet unless its format is new.

        Raises:
            av.FFmpegError, ValueError: its format cannot be converted.
        """
        picture = DecodedPicture(frame)
        form = (frame.format.name, frame.width, frame.height)
        if form != self._known:
            picture.rgb()
            self._known = form
        return picture


def upright_rgb(frame: VideoFrame) -> NDArray[np.uint8]:
    """The frame as an (h, w, 3) RGB array, turned by its display rotation, in the colour space that it states."""
    image_rgb = np.asarray(_reformatter().reformat(frame, format="rgb24", threads=1).to_ndarray(), np.uint8)
    quarter_turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image_rgb, quarter_turns)) if quarter_turns else image_rgb


def grey_thumb(frame: VideoFrame) -> NDArray[np.uint8]:
    """Grey levels 0..255 of every n-th pixel, about 80 across, read from the luma where the format has it apart."""
    step = thumb_step(frame.width)
    name = frame.format.name
    plane = frame.planes[0] if name in LUMA_FIRST else None
    if plane is None or plane.line_size < frame.width:
        size = (max(1, frame.width // step), max(1, frame.height // step))
        small = _reformatter().reformat(
            frame, width=size[0], height=size[1], format="gray", interpolation=Interpolation.POINT, threads=1
        )
        return np.asarray(small.to_ndarray(), np.uint8)
    luma = np.frombuffer(memoryview(plane), np.uint8)[: plane.line_size * frame.height]
    luma = luma.reshape(frame.height, plane.line_size)[::step, : frame.width : step]
    full = name == "gray" or name.startswith("yuvj") or frame.color_range == FULL_RANGE
    return luma.copy() if full else np.asarray(STRETCHED[luma])


def thumb_step(width: int) -> int:
    """Every how many pixels a thumbnail takes one."""
    return max(1, width // THUMB_PX)


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


def _reformatter() -> VideoReformatter:
    """This thread's own: it keeps its tables from frame to frame and serves one caller at a time."""
    found: VideoReformatter | None = getattr(_local, "reformatter", None)
    if found is None:
        found = _local.reformatter = VideoReformatter()
    return found
