"""Forged faces pasted back into whole frames, as live swap tools do it."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.models.align import CROP_SIZE, TEMPLATE_XY, similarity_matrix, warp_scale
from unmask.models.training.blending import Image, Mask, blend
from unmask.models.training.forgery import Forgery

CROP_SIDES_PX = (64, 768)
RIM = 0.1
"""Share of the crop's side over which a paste fades out, so that nothing shows a square."""


def forge_frame(
    image_rgb: Image, landmarks_xy: NDArray[np.float32], forgery: Forgery, source_rgb: Image | None = None
) -> Image:
    """Paste a forged face into a whole frame.

    Args:
        image_rgb: (h, w, 3).
        landmarks_xy: (5, 2) pixels of the frame.
        forgery: a recipe; its target stays as it is, whatever `on_target` says.
        source_rgb: (n, n, 3) aligned face to paste, any size: another frame's, or the face drawn anew.
    """
    size = crop_side(landmarks_xy)
    matrix = _to_crop(landmarks_xy, size)
    crop = aligned(image_rgb, landmarks_xy, size)
    if source_rgb is not None and source_rgb.shape[0] != size:
        source_rgb = np.asarray(cv2.resize(source_rgb, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)
    scaled = (TEMPLATE_XY * (size / CROP_SIZE)).astype(np.float32)
    _, forged, mask = replace(forgery, on_target=False).apply(crop, scaled, source_rgb)
    return _paste(image_rgb, forged, np.minimum(mask, _rim(size)), matrix)


def aligned(image_rgb: Image, landmarks_xy: NDArray[np.float32], size: int = CROP_SIZE) -> Image:
    """The (size, size, 3) aligned face of a frame; beyond the frame its picture is mirrored."""
    matrix = _to_crop(landmarks_xy, size)
    return np.asarray(cv2.warpAffine(image_rgb, matrix, (size, size), borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def crop_side(landmarks_xy: NDArray[np.float32]) -> int:
    """Side of the aligned crop that keeps the frame's own resolution, even."""
    side = CROP_SIZE / max(warp_scale(similarity_matrix(landmarks_xy)), 1e-3)
    return int(np.clip(side, *CROP_SIDES_PX)) // 2 * 2


def _to_crop(landmarks_xy: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    return (similarity_matrix(landmarks_xy) * (size / CROP_SIZE)).astype(np.float32)


def _paste(image_rgb: Image, forged_rgb: Image, mask: Mask, matrix: NDArray[np.float32]) -> Image:
    """Blend an aligned crop into the part of the frame that it covers."""
    height, width = image_rgb.shape[:2]
    size = forged_rgb.shape[0]
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]], np.float32)
    back = cv2.invertAffineTransform(matrix)
    spots = corners @ back[:, :2].T + back[:, 2]
    left, top = np.clip(np.floor(spots.min(0)), 0, (width, height)).astype(int)
    right, bottom = np.clip(np.ceil(spots.max(0)) + 1, 0, (width, height)).astype(int)
    out = image_rgb.copy()
    if right <= left or bottom <= top:
        return out
    local = matrix.copy()
    local[:, 2] += matrix[:, :2] @ np.array([left, top], np.float32)
    wh, flags = (int(right - left), int(bottom - top)), cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
    pasted = np.asarray(cv2.warpAffine(forged_rgb, local, wh, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8)
    alpha = np.asarray(cv2.warpAffine(mask, local, wh, flags=flags), np.float32)
    out[top:bottom, left:right] = blend(pasted, np.ascontiguousarray(out[top:bottom, left:right]), alpha)
    return out


def _rim(size: int) -> Mask:
    """1 inside, falling to 0 at the crop's edge."""
    ramp = np.clip(np.minimum(np.arange(size), np.arange(size)[::-1]) / (size * RIM), 0, 1).astype(np.float32)
    return np.minimum(ramp[None], ramp[:, None])
