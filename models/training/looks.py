"""What forgeries and cameras do to the look of a face: colour shifts and texture changes, drawn and replayable."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

CORE_PX = (56, 200)
"""Width of the low-resolution core at a 256 px crop: a 128 px swap (inswapper) of the inner face is about 190 there."""
RGB_SHIFT, HUE_SHIFT, SATURATION, VALUE = 20.0, 8.0, 0.20, 0.12
"""Colour ranges: grey levels, degrees, shares (SBI's, with a real hue and saturation change)."""


@dataclass(frozen=True, slots=True)
class ColourShift:
    """Additive RGB in grey levels, hue in degrees, factors of saturation, value, contrast, and a gamma."""

    rgb: tuple[float, float, float] = (0.0, 0.0, 0.0)
    hue: float = 0.0
    saturation: float = 1.0
    value: float = 1.0
    contrast: float = 1.0
    gamma: float = 1.0

    def jittered(self, rng: np.random.Generator, strength: float) -> "ColourShift":
        """The same shift with 1 to 3 grey levels of tremble at strength 1."""
        r, g, b = self.rgb
        dr, dg, db = rng.normal(0, 1.5 * strength, 3)
        return replace(self, rgb=(r + dr, g + dg, b + db))

    def apply(self, image_rgb: Image) -> Image:
        """The shifted (h, w, 3) image."""
        out = image_rgb
        if self.hue or self.saturation != 1 or self.value != 1:
            hsv = cv2.cvtColor(out, cv2.COLOR_RGB2HSV).astype(np.float32)
            hsv[..., 0] = (hsv[..., 0] + self.hue / 2) % 180
            hsv[..., 1:] = np.clip(hsv[..., 1:] * (self.saturation, self.value), 0, 255)
            out = np.asarray(cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB), np.uint8)
        if any(self.rgb) or self.contrast != 1 or self.gamma != 1:
            levels = np.arange(256, dtype=np.float32)[:, None]
            curve = np.clip((levels - 128) * self.contrast + 128 + np.array(self.rgb, np.float32), 0, 255) / 255
            table = (255 * curve**self.gamma + 0.5).astype(np.uint8)
            out = np.asarray(cv2.LUT(out, table.reshape(256, 1, 3)), np.uint8)
        return out


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
            out = np.asarray(cv2.resize(out, (core, core), interpolation=self.down), np.uint8)
        if self.smooth:
            out = np.asarray(cv2.bilateralFilter(out, 5, self.smooth, 3.0), np.uint8)
        if self.core_px:
            out = np.asarray(cv2.resize(out, (size, size), interpolation=self.up), np.uint8)
        return unsharp(out, self.sharpen, self.sharpen_sigma) if self.sharpen else out


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


def draw_texture(rng: np.random.Generator, low_resolution: bool) -> Texture:
    """A low-resolution core (with or without an enhancer), or SBI's mild down-up or sharpening."""
    ups = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)
    if low_resolution:
        return Texture(
            core_px=int(rng.integers(*CORE_PX)),
            down=cv2.INTER_AREA,
            up=int(rng.choice(ups)),
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
