"""Real video encoders, as calls and uploads use them: H.264 (libx264) and VP8 (libvpx), and JPEG for stills."""

from dataclasses import dataclass
from fractions import Fraction

import av
import cv2
import numpy as np
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

Image = NDArray[np.uint8]

H264_CRF = (20, 40)
"""20 to 38 is the range of detection.md 7.3, up to FF++'s c40."""
VP8_CRF = (8, 60)
"""The same qualities on VP8's scale of quantisers, 0 to 63."""
CALL_KBIT_S = (80, 1500)
"""Video calls at 360p to 720p (detection.md 7.3): from a congested phone to a wired desktop."""
KEYFRAME_EVERY = (25, 50, 125, 250)
"""Frames between forced key frames: their sudden change of texture belongs to genuine video too."""
CEILING_KBIT_S = 20_000
_ENCODERS = {"h264": "libx264", "vp8": "libvpx"}


@dataclass(frozen=True, slots=True)
class Codec:
    """How a sequence is encoded.

    Attributes:
        name: "h264" or "vp8".
        crf: constant quality on the encoder's own scale (VP8: the quantiser), used when `kbit_s` is 0.
        kbit_s: bit rate held over half a second, as calls do.
        keyframe_every: frames.
        fps: of the encoder's clock, which bit rates refer to.
    """

    name: str = "h264"
    crf: int = 28
    kbit_s: int = 0
    keyframe_every: int = 250
    fps: int = 25

    def encode(self, images_rgb: list[Image]) -> list[Image]:
        """The (h, w, 3) frames, all of one size, after the encoder and its decoder; any size above 15 px."""
        height, width = images_rgb[0].shape[:2]
        even = [_even(image_rgb) for image_rgb in images_rgb]
        encoder = self._encoder(even[0].shape[1], even[0].shape[0])
        decoder = CodecContext.create(self.name, "r")
        decoder.thread_count = 1
        out: list[Image] = []
        for index in range(len(even) + 1):
            frame = None
            if index < len(even):
                frame = av.VideoFrame.from_ndarray(even[index], format="rgb24")
                frame.pts = index
            for packet in encoder.encode(frame):
                out += [_rgb(f, height, width) for f in decoder.decode(packet)]  # type: ignore[attr-defined]
        return out + [_rgb(f, height, width) for f in decoder.decode(None)]  # type: ignore[attr-defined]

    def _encoder(self, width: int, height: int) -> VideoCodecContext:
        encoder = CodecContext.create(_ENCODERS[self.name], "w")
        assert isinstance(encoder, VideoCodecContext)
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
        encoder.time_base, encoder.framerate = Fraction(1, self.fps), Fraction(self.fps)
        encoder.thread_count, encoder.gop_size = 1, self.keyframe_every
        options = {"preset": "veryfast", "tune": "zerolatency"}
        if self.name == "vp8":
            options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
        if self.kbit_s:
            rate = self.kbit_s * 1000
            options |= {"maxrate": str(rate), "bufsize": str(rate // 2)}
            encoder.bit_rate = rate
        else:
            options["crf"] = str(self.crf)
            if self.name == "vp8":
                options |= {"qmin": str(self.crf), "qmax": str(self.crf)}
                encoder.bit_rate = CEILING_KBIT_S * 1000
        encoder.options = options
        return encoder


def encode_h264(images_rgb: list[Image], crf: int, fps: int = 25) -> list[Image]:
    """The frames after libx264 at a constant quality."""
    return Codec("h264", crf, fps=fps).encode(images_rgb)


def draw_quality(rng: np.random.Generator) -> Codec:
    """H.264 (three of four) or VP8 at a constant quality."""
    if rng.random() < 0.75:
        return Codec("h264", int(rng.integers(*H264_CRF)))
    return Codec("vp8", int(rng.integers(*VP8_CRF)))


def draw_call(rng: np.random.Generator) -> Codec:
    """What a call or an upload does to a clip: half of the time at a bit rate (log-uniform), with key frames."""
    every = int(rng.choice(KEYFRAME_EVERY))
    if rng.random() < 0.4:
        quality = draw_quality(rng)
        return Codec(quality.name, quality.crf, keyframe_every=every)
    name = "h264" if rng.random() < 0.55 else "vp8"
    low, high = np.log(CALL_KBIT_S)
    return Codec(name, kbit_s=int(np.exp(rng.uniform(low, high))), keyframe_every=every)


def encode_jpeg(image_rgb: Image, quality: int) -> Image:
    """The picture after JPEG (4:2:0) at a quality of 1 to 100."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)


def _even(image_rgb: Image) -> Image:
    """4:2:0 needs even sides: an odd one repeats its last line."""
    height, width = image_rgb.shape[:2]
    if height % 2 or width % 2:
        image_rgb = np.asarray(
            cv2.copyMakeBorder(image_rgb, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE), np.uint8
        )
    return np.ascontiguousarray(image_rgb)


def _rgb(frame: av.VideoFrame, height: int, width: int) -> Image:
    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)[:height, :width]
