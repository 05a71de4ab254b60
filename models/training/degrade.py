"""What cameras, scalers and codecs do to every face, genuine or forged, after any forgery.

A `Degradation` is drawn once and applied with the same numbers (and the same noise) to both members of a pair,
so that nothing of it tells the classes apart.
"""

import io
from dataclasses import dataclass

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.models.training.looks import ColourShift, draw_colour

Image = NDArray[np.uint8]

FACE_SIDE_PX = (72, 256)
"""Side of the crop at the camera's resolution, log-uniform: 72 is a face box of about 45 px."""
JPEG_QUALITY = (30, 96)
H264_CRF = (20, 40)


@dataclass(frozen=True, slots=True)
class Degradation:
    """Drawn steps, in the order in which they are applied; 0 or None leaves a step out.

    Attributes:
        side_px: the crop is shrunk to this side, degraded there, and enlarged again at the end.
        blur_sigma: pixels. noise_sigma: grey levels, seeded by `noise_seed`.
        beauty: strength of an edge-preserving smoothing (camera filters), grey levels.
        jpeg_quality: 1..100. h264_crf: constant rate factor of a real encoder.
    """

    colour: ColourShift
    side_px: int
    blur_sigma: float
    beauty: float
    noise_sigma: float
    noise_seed: int
    jpeg_quality: int
    h264_crf: int

    def apply(self, image_rgb: Image) -> Image:
        """The degraded (n, n, 3) image, same size."""
        return self.apply_clip([image_rgb])[0]

    def apply_clip(self, images_rgb: list[Image]) -> list[Image]:
        """The degraded frames of a clip; the video encoder sees them as one sequence."""
        size = images_rgb[0].shape[0]
        out = [self._photometric(image, seed) for seed, image in enumerate(images_rgb, self.noise_seed)]
        if self.h264_crf:
            out = encode_h264(out, self.h264_crf)
        if self.jpeg_quality:
            out = [_jpeg(image, self.jpeg_quality) for image in out]
        return [_resize(image, size, cv2.INTER_LINEAR) for image in out]

    def _photometric(self, image_rgb: Image, seed: int) -> Image:
        out = self.colour.apply(image_rgb)
        if self.side_px < out.shape[0]:
            out = _resize(out, self.side_px, cv2.INTER_AREA)
        if self.blur_sigma:
            out = np.asarray(cv2.GaussianBlur(out, (0, 0), self.blur_sigma), np.uint8)
        if self.beauty:
            out = np.asarray(cv2.bilateralFilter(out, 5, self.beauty, 3.0), np.uint8)
        if self.noise_sigma:
            noise = np.random.default_rng(seed).normal(0, self.noise_sigma, out.shape)
            out = np.clip(out + noise, 0, 255).astype(np.uint8)
        return out


def draw_degradation(rng: np.random.Generator, size: int, strength: float = 1.0) -> Degradation:
    """Draw the steps for an image of `size` pixels; `strength` scales how often each step happens."""

    def happens(probability: float) -> bool:
        return bool(rng.random() < probability * strength)

    low, high = np.log(FACE_SIDE_PX[0]), np.log(FACE_SIDE_PX[1])
    side = int(np.exp(rng.uniform(low, high)) * size / 256) if happens(0.5) else size
    codec = rng.random()
    return Degradation(
        colour=draw_colour(rng, 0.8) if happens(0.7) else ColourShift(),
        side_px=min(side, size) // 2 * 2,
        blur_sigma=float(rng.uniform(0.4, 1.6)) if happens(0.2) else 0.0,
        beauty=float(rng.uniform(8, 30)) if happens(0.08) else 0.0,
        noise_sigma=float(rng.uniform(1, 8)) if happens(0.25) else 0.0,
        noise_seed=int(rng.integers(2**31)),
        jpeg_quality=int(rng.integers(*JPEG_QUALITY)) if codec < 0.35 * strength else 0,
        h264_crf=int(rng.integers(*H264_CRF)) if 0.35 * strength <= codec < 0.75 * strength else 0,
    )


def encode_h264(images_rgb: list[Image], crf: int, fps: int = 25) -> list[Image]:
    """The frames after a real H.264 encoder (libx264, no look-ahead, as calls use it) and its decoder."""
    height, width = images_rgb[0].shape[:2]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": str(crf), "preset": "veryfast", "tune": "zerolatency"}
        stream.codec_context.thread_count = 1
        for image_rgb in images_rgb:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image_rgb, format="rgb24")))
        container.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer, "r") as encoded:
        encoded.streams.video[0].codec_context.thread_count = 1
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in encoded.decode(video=0)]


def _jpeg(image_rgb: Image, quality: int) -> Image:
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def _resize(image_rgb: Image, side: int, interpolation: int) -> Image:
    if image_rgb.shape[0] == side:
        return image_rgb
    return np.asarray(cv2.resize(image_rgb, (side, side), interpolation=interpolation), np.uint8)
