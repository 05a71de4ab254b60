"""Masks and blends of 8-bit images, quick enough to be made while a network trains.

Masks are made at half size, where all their edges are softer than a pixel anyway.
"""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Mask = NDArray[np.float32]
Grid = NDArray[np.float32]

SUBPIXEL_BITS = 4


def blend(source_rgb: Image, target_rgb: Image, mask: Mask) -> Image:
    """`mask * source + (1 - mask) * target`, rounded."""
    return np.asarray(cv2.blendLinear(source_rgb, target_rgb, mask, 1 - mask), np.uint8)


def field(grid: Grid, size: int) -> NDArray[np.float32]:
    """A smooth displacement (2, g, g) in pixels at 256 px as (size, size, 2) in pixels at `size`."""
    knots = np.ascontiguousarray(grid.transpose(1, 2, 0)) * np.float32(size / 256)
    coarse = cv2.resize(knots, (max(8, size // 4),) * 2, interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)


@lru_cache(maxsize=8)
def _places(size: int) -> NDArray[np.float32]:
    rows = np.arange(size, dtype=np.float32)
    return np.stack(np.meshgrid(rows, rows), -1)


def displaced(image: NDArray, grid: Grid) -> NDArray:  # type: ignore[type-arg]
    """An image (n, n[, c]) under a smooth displacement (2, g, g), in pixels at 256 px."""
    size = image.shape[0]
    places = _places(size) + field(grid, size)
    return _fetched(image, places)


def _fetched(image: NDArray, places: NDArray) -> NDArray:  # type: ignore[type-arg]
    return np.asarray(cv2.remap(image, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101))  # type: ignore[call-overload]


def placed(image_rgb: Image, matrix: NDArray[np.float32], warp: Grid | None) -> Image:
    """The (n, n, 3) image moved by a (2, 3) matrix and bent by `warp` on the way, resampled once."""
    size = image_rgb.shape[0]
    if warp is None:
        moved = cv2.warpAffine(image_rgb, matrix, (size, size), borderMode=cv2.BORDER_REFLECT_101)
        return np.asarray(moved, np.uint8)
    back = cv2.invertAffineTransform(matrix).astype(np.float32)
    places = cv2.transform(_places(size), back) + field(warp, size)
    return _fetched(image_rgb, places)


def polygon_mask(points_xy: NDArray[np.floating], size: int) -> Image:
    """The convex hull of (k, 2) points in a (size, size) image, as a mask of half its side, 0 or 255 but at edges."""
    half = (size + 1) // 2
    scaled = ((points_xy + 0.5) / 2 - 0.5) * (1 << SUBPIXEL_BITS)
    mask = np.zeros((half, half), np.uint8)
    hull = cv2.convexHull(np.round(scaled).astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 255, cv2.LINE_AA, SUBPIXEL_BITS)
    return mask


def softened(mask: Image, sigmas: tuple[float, float], threshold: float) -> Image:
    """A mask with a soft edge whose strongest pixel is 255.

    Args:
        sigmas: Gaussian, in the mask's own pixels; between the two the mask is cut at `threshold`, when above 0.
    """
    out = np.asarray(cv2.GaussianBlur(mask, (0, 0), sigmas[0]), np.uint8)
    if threshold > 0:
        out = np.asarray(cv2.threshold(out, 255 * threshold, 255, cv2.THRESH_BINARY)[1], np.uint8)
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), sigmas[1]), np.uint8)
    return np.asarray(cv2.convertScaleAbs(out, alpha=255 / max(int(out.max()), 1)), np.uint8)


def full_size(mask: Image, size_wh: tuple[int, int], opacity: float) -> Mask:
    """A half-size 8-bit mask as (h, w) floats, 0..opacity."""
    large = cv2.resize(mask, size_wh, interpolation=cv2.INTER_LINEAR)
    return np.multiply(large, np.float32(opacity / 255), dtype=np.float32)


def match_colour(donor_rgb: Image, target_rgb: Image) -> Image:
    """Mean and spread of the donor's inner face moved to the target's, per LAB channel (Reinhard et al. 2001)."""
    size = donor_rgb.shape[0]
    inner = (slice(size // 3, 5 * size // 6), slice(size // 4, 3 * size // 4))
    donor = cv2.cvtColor(donor_rgb, cv2.COLOR_RGB2LAB)
    target = cv2.cvtColor(np.ascontiguousarray(target_rgb[inner]), cv2.COLOR_RGB2LAB)
    donor_mean, donor_std = cv2.meanStdDev(donor[inner])
    target_mean, target_std = cv2.meanStdDev(target)
    spread = np.clip(target_std / np.maximum(donor_std, 1), 0.6, 1.6)
    curve = (np.arange(256)[:, None] - donor_mean.T) * spread.T + target_mean.T
    table = np.clip(curve + 0.5, 0, 255).astype(np.uint8).reshape(256, 1, 3)
    return np.asarray(cv2.cvtColor(cv2.LUT(donor, table), cv2.COLOR_LAB2RGB), np.uint8)


def match_shading(source_rgb: Image, target_rgb: Image, sigma_px: float) -> Image:
    """The source under the target's light: its coarse structure replaced by the target's.

    A quick stand-in for Poisson blending (as FaceSwap and DeepFaceLab offer), which keeps the source's gradients and
    takes what is broader than `sigma_px` (at 256 px) from the target.
    """
    size = source_rgb.shape[0]
    side = size // 4
    source, target = (
        cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA).astype(np.int16)
        for image in (source_rgb, target_rgb)
    )
    coarse = cv2.GaussianBlur(target - source, (0, 0), sigma_px * size / 256 / 4)
    return np.asarray(
        cv2.add(source_rgb, cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR), dtype=cv2.CV_8U), np.uint8
    )
