"""What cameras, scalers and codecs do to every face, genuine or forged, after any forgery.

A `Degradation` is drawn once and applied with the same numbers (and the same noise) to both members of a pair,
so that nothing of it tells the classes apart. Ranges and shares are those of detection.md 7.3 where nothing else
is said.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.models.align import CROP_SIZE
from unmask.models.training.backdrop import Backdrop, draw_backdrop
from unmask.models.training.codecs import Codec, draw_quality, encode_jpeg
from unmask.models.training.codecs import encode_h264 as encode_h264
from unmask.models.training.grain import add_grain
from unmask.models.training.looks import ColourShift, draw_colour, shrunk

Image = NDArray[np.uint8]

FACE_SIDE_PX = (64, 256)
"""Side of the crop at the camera's resolution, log-uniform: 64 is a face box of about 40 px."""
JPEG_QUALITY = (30, 96)
GAMMA = (0.5, 1.8)
"""Exposure; above 1 darkens, and a dark picture is a noisy one: sigma 2-8 grey levels."""
NOISE_SIGMA = (1.0, 8.0)
BLUR_SIGMA = (0.3, 2.0)
MOTION_PX = (3.0, 9.0)
"""Length of motion blur at the crop's full size: hand and head movement within one exposure."""
BEAUTY = (8.0, 30.0)
"""Grey levels of a bilateral filter: what call apps name touch-up."""
PRIMER_SHARE = 0.25
"""Share of encodings in which the picture is predicted from one before it, as most pictures of a video are."""
PRIMER_SHIFT_PX = 2.0


@dataclass(frozen=True, slots=True)
class Degradation:
    """Drawn steps, in the order in which they are applied; 0 or None leaves a step out.

    Attributes:
        backdrop: a virtual background around a face that lies as in the aligned crop.
        colour: with the exposure's gamma.
        side_px: the crop is shrunk to this side, degraded there, and enlarged again at the end.
        blur_sigma: pixels. motion: (length in pixels at the crop's full size, angle in radians).
        beauty: strength of an edge-preserving smoothing (camera filters), grey levels.
        noise_sigma: grey levels, seeded by `noise_seed`.
        jpeg_quality: 1..100.
        codec: a real video encoder; `primer` is how far (x, y) the picture moved since the one it is predicted from.
    """

    colour: ColourShift
    side_px: int
    blur_sigma: float = 0.0
    beauty: float = 0.0
    noise_sigma: float = 0.0
    noise_seed: int = 0
    jpeg_quality: int = 0
    codec: Codec | None = None
    motion: tuple[float, float] = (0.0, 0.0)
    backdrop: Backdrop | None = None
    primer: tuple[float, float] | None = None

    def apply(self, image_rgb: Image) -> Image:
        """The degraded (n, n, 3) image, same size."""
        size = image_rgb.shape[0]
        out = self._photometric(image_rgb, self.noise_seed)
        if self.jpeg_quality:
            out = encode_jpeg(out, self.jpeg_quality)
        if self.codec:
            before = [] if self.primer is None else [_shifted(out, self.primer)]
            out = self.codec.encode([*before, out])[-1]
        return _enlarged(out, size)

    def apply_clip(self, images_rgb: list[Image]) -> list[Image]:
        """The degraded frames of a clip; the video encoder sees them as one sequence."""
        size = images_rgb[0].shape[0]
        out = [self._photometric(image, seed) for seed, image in enumerate(images_rgb, self.noise_seed)]
        if self.jpeg_quality:
            out = [encode_jpeg(image, self.jpeg_quality) for image in out]
        if self.codec:
            out = self.codec.encode(out)
        return [_enlarged(image, size) for image in out]

    def _photometric(self, image_rgb: Image, seed: int) -> Image:
        size = image_rgb.shape[0]
        out = image_rgb
        if self.backdrop:
            out = self.backdrop.apply(out, np.array([[1, 0, 0], [0, 1, 0]], np.float32) * np.float32(size / CROP_SIZE))
        if self.side_px < size:
            out = shrunk(out, self.side_px)
        out = self.colour.apply(out)
        if self.blur_sigma:
            out = np.asarray(cv2.GaussianBlur(out, (0, 0), self.blur_sigma), np.uint8)
        if self.motion[0]:
            out = motion_blur(out, max(2.0, self.motion[0] * out.shape[0] / size), self.motion[1])
        if self.beauty:
            out = np.asarray(cv2.bilateralFilter(out, 5, self.beauty, 3.0), np.uint8)
        return add_grain(out, self.noise_sigma, seed) if self.noise_sigma else out


def draw_degradation(rng: np.random.Generator, size: int, strength: float = 1.0) -> Degradation:
    """Draw the steps for an image of `size` pixels; `strength` scales how often each step happens."""

    def happens(probability: float) -> bool:
        return bool(rng.random() < probability * strength)

    low, high = np.log(FACE_SIDE_PX[0]), np.log(FACE_SIDE_PX[1])
    side = int(np.exp(rng.uniform(low, high)) * size / 256) if happens(0.5) else size
    colour = draw_colour(rng, 0.8) if happens(0.7) else ColourShift()
    gamma = float(np.exp(rng.uniform(*np.log(GAMMA)))) if happens(0.25) else 1.0
    sigma = float(rng.uniform(*NOISE_SIGMA)) if happens(0.3) else 0.0
    if gamma > 1.2 and happens(0.6):
        sigma = max(sigma, float(rng.uniform(2, NOISE_SIGMA[1])))
    blur = rng.random() / strength if strength else 1.0
    encoding = rng.random() / strength if strength else 1.0
    seed, angle = int(rng.integers(2**31)), float(rng.uniform(0, np.pi))
    return Degradation(
        colour=colour.exposed(gamma),
        side_px=min(side, size) // 2 * 2,
        blur_sigma=float(rng.uniform(*BLUR_SIGMA)) if blur < 0.18 else 0.0,
        motion=(float(rng.uniform(*MOTION_PX)), angle) if 0.18 <= blur < 0.28 else (0.0, 0.0),
        beauty=float(rng.uniform(*BEAUTY)) if happens(0.1) else 0.0,
        noise_sigma=sigma,
        noise_seed=seed,
        jpeg_quality=int(rng.integers(*JPEG_QUALITY)) if encoding < 0.35 else 0,
        codec=draw_quality(rng) if 0.3 <= encoding < 0.7 else None,
        backdrop=draw_backdrop(rng) if happens(0.05) else None,
        primer=_draw_primer(rng, side / size),
    )


def motion_blur(image_rgb: Image, length_px: float, angle: float) -> Image:
    """The picture averaged along a line of `length_px` pixels at an angle in radians."""
    side = 2 * int(np.ceil(length_px / 2)) + 1
    kernel = np.zeros((side, side), np.uint8)
    reach = np.array([np.cos(angle), np.sin(angle)]) * (length_px - 1) / 2
    ends = [tuple(int(v) for v in np.round(((side - 1) / 2 + sign * reach) * 16)) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 255, 1, cv2.LINE_AA, 4)
    weights = kernel.astype(np.float32) / max(1, int(kernel.sum()))
    return np.asarray(cv2.filter2D(image_rgb, -1, weights), np.uint8)


def _draw_primer(rng: np.random.Generator, scale: float) -> tuple[float, float] | None:
    shift = rng.normal(0, PRIMER_SHIFT_PX * scale, 2)
    return (float(shift[0]), float(shift[1])) if rng.random() < PRIMER_SHARE else None


def _shifted(image_rgb: Image, by: tuple[float, float]) -> Image:
    matrix = np.array([[1, 0, by[0]], [0, 1, by[1]]], np.float32)
    height, width = image_rgb.shape[:2]
    moved = cv2.warpAffine(image_rgb, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, np.uint8)


def _enlarged(image_rgb: Image, side: int) -> Image:
    if image_rgb.shape[0] == side:
        return image_rgb
    return np.asarray(cv2.resize(image_rgb, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)
