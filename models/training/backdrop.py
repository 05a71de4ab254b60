"""Virtual backgrounds of calls: a soft, unsteady matte around head and shoulders, the rest blurred or replaced.

Both classes have them: genuine callers must not be called forged for the edge around their hair.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.models.training.blending import Image, blend, full_size

EDGE_PX = (1.5, 8.0)
"""Gaussian sigma of the matte's edge at 256 px; segmenters of calls work at 144 to 256 px a side and are enlarged."""
BLUR_PX = (6.0, 20.0)
RADIUS = (0.92, 1.12)
"""Of the matte against an average head with hair: some cut hair off, some leave a halo."""
WOBBLE = 0.04
"""Standard deviation of the matte's outline, as a share of its radius, over a dozen directions."""
_HEAD_XY, _HEAD_AXES = (128.0, 122.0), (98.0, 138.0)
_SHOULDERS = np.array([[60, 215], [196, 215], [330, 330], [400, 900], [-144, 900], [-74, 330]], np.float32)


@dataclass(frozen=True, slots=True)
class Backdrop:
    """One drawn virtual background.

    Attributes:
        colours: (2, 3) of a gradient from top to bottom, None where the real background is blurred instead.
        blur_px: Gaussian sigma at 256 px of that blur.
        edge_px: Gaussian sigma at 256 px of the matte's edge.
        radii: (k,) factors of the head's outline by direction.
    """

    colours: NDArray[np.float32] | None
    blur_px: float
    edge_px: float
    radii: NDArray[np.float32]

    def apply(self, image_rgb: Image, matrix: NDArray[np.float32], rng: np.random.Generator | None = None) -> Image:
        """The (h, w, 3) image with its background changed.

        Args:
            matrix: (2, 3), from the 256 px aligned crop's pixels to the image's.
            rng: makes the outline tremble, as it does from frame to frame.
        """
        height, width = image_rgb.shape[:2]
        scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
        radii = self.radii if rng is None else self.radii + rng.normal(0, WOBBLE / 3, self.radii.shape)
        matte = _matte(radii.astype(np.float32), matrix, (height, width), self.edge_px * scale / 2)
        return blend(image_rgb, self._background(image_rgb, scale), matte)

    def _background(self, image_rgb: Image, scale: float) -> Image:
        height, width = image_rgb.shape[:2]
        if self.colours is not None:
            column = np.clip(cv2.resize(self.colours[:, None], (1, height)), 0, 255).astype(np.uint8)
            return np.ascontiguousarray(np.broadcast_to(column.reshape(height, 1, 3), image_rgb.shape))
        small = cv2.resize(image_rgb, (max(4, width // 4), max(4, height // 4)), interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), max(0.5, self.blur_px * scale / 4))
        return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def draw_backdrop(rng: np.random.Generator) -> Backdrop:
    """Blurred (six of ten) or replaced."""
    colours = rng.uniform(20, 235, (2, 3)).astype(np.float32) if rng.random() < 0.4 else None
    radii = (rng.uniform(*RADIUS) + rng.normal(0, WOBBLE, 12)).astype(np.float32)
    return Backdrop(colours, float(rng.uniform(*BLUR_PX)), float(rng.uniform(*EDGE_PX)), radii)


def _matte(
    radii: NDArray[np.float32], matrix: NDArray[np.float32], shape: tuple[int, int], sigma: float
) -> NDArray[np.float32]:
    """(h, w), 1 on head and shoulders; made at half size."""
    angles = np.linspace(0, 2 * np.pi, 72, endpoint=False, dtype=np.float32)
    knots = np.linspace(0, 2 * np.pi, len(radii) + 1)
    reach = np.interp(angles, knots, np.append(radii, radii[0]))
    head = np.stack([_HEAD_XY[0] + _HEAD_AXES[0] * reach * np.cos(angles),
                     _HEAD_XY[1] + _HEAD_AXES[1] * reach * np.sin(angles)], 1)  # fmt: skip
    height, width = shape
    matte = np.zeros(((height + 1) // 2, (width + 1) // 2), np.uint8)
    for outline in (head, _SHOULDERS):
        points = np.round((outline @ matrix[:, :2].T + matrix[:, 2]) / 2).astype(np.int32)
        cv2.fillPoly(matte, [points], 255)
    matte = np.asarray(cv2.GaussianBlur(matte, (0, 0), max(0.4, sigma)), np.uint8)
    return full_size(matte, (width, height), 1.0)
