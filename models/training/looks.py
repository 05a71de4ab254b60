"""What forgeries and cameras do to the look of a face: colour shifts and texture changes, drawn and replayable."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

CORE_PX = (56, 200)
"""Width of the low-resolution core at a 256 px crop. A 128 px engine (inswapper) draws the eyes about 50 px apart,
75 px in the crop: a core of about 170. The rest is for smaller engines and for shrunk frames."""
COARSE_CORE_PX = (56, 128)
"""The same where there is no boundary to learn from."""
RGB_SHIFT, HUE_SHIFT, SATURATION, VALUE = 20.0, 8.0, 0.20, 0.12
"""Colour ranges: grey levels (SBI), degrees and shares (detection.md 7.3: hue 8 degrees, saturation and value 10 %;
saturation twice that, because tools' colour transfer misses by more)."""
_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_FROM_YIQ = np.linalg.inv(_YIQ)


@dataclass(frozen=True, slots=True)
class ColourShift:
    """Additive RGB in grey levels, hue in degrees, factors of saturation, value, contrast, and a gamma."""

    rgb: tuple[float, float, float] = (0.0, 0.0, 0.0)
    hue: float = 0.0
    saturation: float = 1.0
    value: float = 1.0
    contrast: float = 1.0
    gamma: float = 1.0

    def moved(self, rgb: tuple[float, float, float]) -> "ColourShift":
        """The same shift with grey levels added."""
        return replace(self, rgb=(self.rgb[0] + rgb[0], self.rgb[1] + rgb[1], self.rgb[2] + rgb[2]))

    def exposed(self, gamma: float) -> "ColourShift":
        """The same shift with another gamma on top; above 1 darkens."""
        return replace(self, gamma=self.gamma * gamma)

    def apply(self, image_rgb: Image) -> Image:
        """The shifted (h, w, 3) image."""
        out = image_rgb
        if self.hue or self.saturation != 1 or self.value != 1:
            out = np.asarray(cv2.transform(out, self._mixing()), np.uint8)
        if any(self.rgb) or self.contrast != 1 or self.gamma != 1:
            levels = np.arange(256, dtype=np.float32)[:, None]
            curve = np.clip((levels - 128) * self.contrast + 128 + np.array(self.rgb, np.float32), 0, 255) / 255
            table = (255 * curve**self.gamma + 0.5).astype(np.uint8)
            out = np.asarray(cv2.LUT(out, table.reshape(256, 1, 3)), np.uint8)
        return out

    def _mixing(self) -> NDArray[np.float64]:
        """(3, 3) of RGB: the chroma plane turned by the hue and stretched by the saturation, all times the value."""
        turn = np.deg2rad(self.hue)
        cos, sin = self.saturation * np.cos(turn), self.saturation * np.sin(turn)
        chroma = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
        return np.asarray(self.value * (_FROM_YIQ @ chroma @ _YIQ))


@dataclass(frozen=True, slots=True)
class Texture:
    """A change of fine texture.

    Attributes:
        core_px: the image goes through this width (at a 256 px crop) and back; 0 leaves it.
        down, up: OpenCV interpolations of the two steps.
        smooth: sigma in grey levels of a bilateral filter on the core, 0 = none (skin smoothing, GFPGAN's look).
        sharpen: amount of unsharp masking afterwards, with `sharpen_sigma` pixels (enhancers).
    """

    core_px: int = 0
    down: int = cv2.INTER_AREA
    up: int = cv2.INTER_CUBIC
    smooth: float = 0.0
    sharpen: float = 0.0
    sharpen_sigma: float = 1.0

    def apply(self, image_rgb: Image) -> Image:
        """The changed (n, n, 3) image."""
        out = image_rgb
        size = image_rgb.shape[0]
        if self.core_px:
            core = max(8, round(self.core_px * size / 256))
            out = shrunk(out, core) if self.down == cv2.INTER_AREA else _resized(out, core, self.down)
        if self.smooth:
            out = np.asarray(cv2.bilateralFilter(out, 5, self.smooth, 3.0), np.uint8)
        if self.core_px:
            out = _resized(out, size, self.up)
        return unsharp(out, self.sharpen, self.sharpen_sigma) if self.sharpen else out


def shrunk(image_rgb: Image, side: int) -> Image:
    """The (n, n, 3) image averaged down to a smaller side; halved first where possible, which is quicker."""
    size = image_rgb.shape[0]
    if size % 2 == 0 and size >= 2 * side:
        image_rgb = _resized(image_rgb, size // 2, cv2.INTER_AREA)
    return image_rgb if image_rgb.shape[0] == side else _resized(image_rgb, side, cv2.INTER_AREA)


def _resized(image_rgb: Image, side: int, interpolation: int) -> Image:
    return np.asarray(cv2.resize(image_rgb, (side, side), interpolation=interpolation), np.uint8)


def unsharp(image_rgb: Image, amount: float, sigma: float) -> Image:
    """Unsharp masking: `image + amount * (image - blurred)`."""
    blurred = cv2.GaussianBlur(image_rgb, (0, 0), sigma)
    return np.asarray(cv2.addWeighted(image_rgb, 1 + amount, blurred, -amount, 0), np.uint8)


def draw_colour(rng: np.random.Generator, strength: float = 1.0) -> ColourShift:
    """A shift of which each part is present half of the time; `strength` scales the ranges."""

    def present(low: float, high: float) -> float:
        return float(rng.uniform(low, high)) * strength if rng.random() < 0.5 else 0.0

    rgb = rng.uniform(-RGB_SHIFT, RGB_SHIFT, 3) * strength if rng.random() < 0.4 else np.zeros(3)
    return ColourShift(
        rgb=(float(rgb[0]), float(rgb[1]), float(rgb[2])),
        hue=present(-HUE_SHIFT, HUE_SHIFT),
        saturation=1 + present(-SATURATION, SATURATION),
        value=1 + present(-VALUE, VALUE),
        contrast=1 + present(-0.15, 0.15),
        gamma=float(np.exp(present(-0.22, 0.22))),
    )


def draw_texture(rng: np.random.Generator, core_px: tuple[int, int] | None) -> Texture:
    """A low-resolution core of that range of widths (with or without an enhancer), or SBI's mild changes.

    Enhancers (GFPGAN, GPEN) smooth skin and sharpen edges: bilateral sigma 10-45 grey levels, unsharp 0.3-1.0
    (detection.md 7.3). SBI's: down by 1.2-4 with nearest neighbours or linear and up again, or sharpening 0.2-0.7.
    """
    ups = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)
    if core_px is not None:
        return Texture(
            core_px=int(rng.integers(*core_px)),
            down=cv2.INTER_AREA,
            up=int(rng.choice(ups, p=(0.4, 0.45, 0.15))),
            smooth=float(rng.uniform(10, 45)) if rng.random() < 0.4 else 0.0,
            sharpen=float(rng.uniform(0.3, 1.0)) if rng.random() < 0.35 else 0.0,
            sharpen_sigma=float(rng.uniform(0.8, 2.0)),
        )
    kind = rng.random()
    if kind < 0.3:
        return Texture()
    if kind < 0.65:
        down = int(rng.choice([cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_AREA]))
        return Texture(core_px=int(256 / rng.uniform(1.2, 4.0)), down=down, up=int(rng.choice(ups[:2])))
    return Texture(sharpen=float(rng.uniform(0.2, 0.7)), sharpen_sigma=float(rng.uniform(0.7, 1.5)))
