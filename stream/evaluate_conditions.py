"""What a call does to a picture: real encoders, smaller faces, bad light, few frames. Frames in, frames out, in memory.

Every condition is applied to genuine and forged files alike, with the same numbers and the same noise.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from unmask.pipeline.types import Frame

CALL_FPS = 25.0
LOOK_HZ = 10.0
"""Frames that no one looks at are not darkened, shrunk or made noisy."""
CLOCK = Fraction(1, 90_000)
FACE_WIDTHS_PX = (64, 96, 128, 192)
DARK_GAMMA, DARK_NOISE, NOISE = 2.5, 6.0, 12.0
"""Gamma, and standard deviations in grey levels."""

Image = NDArray[np.uint8]
Change = Callable[[Iterable[Frame], float], Iterator[Frame]]


@dataclass(frozen=True, slots=True)
class Condition:
    """One column of the grid.

    Attributes:
        name: what it is called in tables.
        kind: of which family it is.
        change: frames of a file and the width of its face in pixels in, changed frames out.
        face_px: the face must be this wide at least for the condition to make sense; 0 for any.
    """

    name: str
    kind: str
    change: Change
    face_px: float = 0.0


def at_most(frames: Iterable[Frame], hz: float) -> Iterator[Frame]:
    """Frames on a grid of `hz` a second, none twice; a slower video is given back whole."""
    next_s = -np.inf
    for frame in frames:
        if frame.pts_s + 1e-3 < next_s:
            continue
        due_s = frame.pts_s if next_s == -np.inf else next_s
        next_s = max(due_s + 1 / hz, frame.pts_s + 0.5 / hz)
        yield frame


def conditions() -> list[Condition]:
    """The grid, the unchanged file first."""
    return [
        Condition("clean", "clean", lambda frames, _: iter(frames)),
        *(Condition(f"H.264 CRF {crf}", "quality", _coded("libx264", {"crf": str(crf)})) for crf in (23, 33, 40)),
        *(Condition(f"H.264 {kbit} kbit/s", "bitrate", _coded("libx264", {}, kbit)) for kbit in (1500, 500, 300, 150)),
        Condition("VP8 300 kbit/s", "bitrate", _coded("libvpx", {}, 300)),
        *(Condition(f"face {width} px", "size", _shrunk(width), width) for width in reversed(FACE_WIDTHS_PX)),
        Condition("dark", "light", _dark),
        Condition("noisy", "light", _noisy),
        *(Condition(f"{fps} frames/s", "rate", _slowed(fps)) for fps in (25, 10, 5)),
    ]


def coded(frames: Iterable[Frame], codec: str, options: dict[str, str], kbit_s: int = 0) -> Iterator[Frame]:
    """Frames after a real encoder and its decoder, set as calls set them: no look-ahead, one key frame, 1 s of buffer.

    Args:
        frames: of one size; with a bit rate, frames above 25 a second are left out first.
        codec: `libx264` or `libvpx`. options: of the encoder, beside those of a call.
        kbit_s: target bit rate in kbit/s, 0 for none.
    """
    source = iter(at_most(frames, CALL_FPS) if kbit_s else frames)
    first = next(source, None)
    if first is None:
        return
    coder = _Coder(codec, options, kbit_s, *first.size_wh)
    yield from coder.take(first)
    for frame in source:
        yield from coder.take(frame)
    yield from coder.rest()


class _Coder:
    """An encoder and a decoder back to back."""

    def __init__(self, codec: str, options: dict[str, str], kbit_s: int, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.waiting: deque[Frame] = deque()
        self.bytes = 0
        self._encoder = _encoder(codec, options, kbit_s, width // 2 * 2, height // 2 * 2)
        self._decoder = av.CodecContext.create("h264" if codec == "libx264" else "vp8", "r")
        self._decoder.thread_count = 1

    def take(self, frame: Frame) -> Iterator[Frame]:
        """Gives a frame in and whatever frames are ready out."""
        self.waiting.append(frame)
        cropped = np.ascontiguousarray(frame.image_rgb[: self.height // 2 * 2, : self.width // 2 * 2])
        picture = av.VideoFrame.from_ndarray(cropped, format="rgb24")
        picture.pts, picture.time_base = round(frame.pts_s / CLOCK), CLOCK
        yield from self._through(picture)

    def rest(self) -> Iterator[Frame]:
        """The frames still inside."""
        yield from self._through(None)
        yield from self._decoded(None)

    def _through(self, picture: av.VideoFrame | None) -> Iterator[Frame]:
        for packet in self._encoder.encode(picture):
            self.bytes += packet.size
            yield from self._decoded(packet)

    def _decoded(self, packet: "av.Packet[Any] | None") -> Iterator[Frame]:
        for picture in self._decoder.decode(packet):  # type: ignore[attr-defined]
            frame = self.waiting.popleft()
            while round(frame.pts_s / CLOCK) < (picture.pts or 0):
                frame = self.waiting.popleft()
            yield frame.with_image(np.asarray(picture.to_ndarray(format="rgb24"), np.uint8))


def _encoder(codec: str, options: dict[str, str], kbit_s: int, width: int, height: int) -> VideoCodecContext:
    encoder = av.CodecContext.create(codec, "w")
    if not isinstance(encoder, VideoCodecContext):
        raise ValueError(f"{codec} encodes no video")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = CLOCK, Fraction(int(CALL_FPS))
    encoder.thread_count = 1
    call = {"preset": "veryfast", "tune": "zerolatency", "g": "3000"}
    if codec == "libvpx":
        call = {"deadline": "realtime", "cpu-used": "6", "lag-in-frames": "0", "error-resilient": "1", "g": "3000"}
    if kbit_s:
        encoder.bit_rate = 1000 * kbit_s
        call |= {"maxrate": f"{kbit_s}k", "bufsize": f"{kbit_s}k"}
    encoder.options = {**call, **options}
    return encoder


def _coded(codec: str, options: dict[str, str], kbit_s: int = 0) -> Change:
    return lambda frames, _: coded(frames, codec, options, kbit_s)


def _shrunk(width_px: float) -> Change:
    def change(frames: Iterable[Frame], face_px: float) -> Iterator[Frame]:
        for frame in at_most(frames, LOOK_HZ):
            scale = width_px / face_px
            width, height = (max(16, round(side * scale)) for side in frame.size_wh)
            small = cv2.resize(frame.image_rgb, (width, height), interpolation=cv2.INTER_AREA)
            yield frame.with_image(np.asarray(small, np.uint8))

    return change


def _slowed(fps: float) -> Change:
    return lambda frames, _: at_most(frames, fps)


def _dark(frames: Iterable[Frame], _: float) -> Iterator[Frame]:
    table = np.round(255 * (np.arange(256) / 255) ** DARK_GAMMA).astype(np.uint8)
    for frame in at_most(frames, LOOK_HZ):
        yield frame.with_image(_with_noise(np.asarray(table[frame.image_rgb]), DARK_NOISE, frame.seq))


def _noisy(frames: Iterable[Frame], _: float) -> Iterator[Frame]:
    for frame in at_most(frames, LOOK_HZ):
        yield frame.with_image(_with_noise(frame.image_rgb, NOISE, frame.seq))


def _with_noise(image_rgb: Image, sigma: float, seed: int) -> Image:
    noise = np.random.default_rng(seed).standard_normal(image_rgb.shape, np.float32) * np.float32(sigma)
    return np.clip(image_rgb + noise + np.float32(0.5), 0, 255).astype(np.uint8)
