"""One similarity warp from five landmarks to an aligned face crop, for training and for inference alike."""

import cv2
import numpy as np
from numpy.typing import NDArray

CROP_SIZE = 256
"""Side of the aligned crop in pixels."""

TEMPLATE_XY = np.array(
    [[90.26, 107.30], [165.74, 107.30], [128.0, 148.70], [97.57, 185.22], [158.43, 185.22]],
    np.float32,
)
"""Where the landmarks land in the aligned crop: left eye, right eye, nose, mouth corners, in image order."""

SUPERSAMPLE_BELOW = 0.6
"""Shrinking by more than this factor is done through a larger crop, averaged down."""
MAX_SUPERSAMPLE = 8


def similarity_matrix(landmarks_xy: NDArray[np.float32], margin_px: int = 0) -> NDArray[np.float32]:
    """Least-squares similarity (no reflection) that takes `landmarks_xy` to the template.

    Args:
        landmarks_xy: (5, 2) pixels of the frame, MTCNN's order.
        margin_px: the crop is `CROP_SIZE + 2 * margin_px` wide, at the same scale.

    Returns:
        (2, 3) matrix for `cv2.warpAffine`.

    Raises:
        ValueError: the landmarks coincide.
    """
    source = landmarks_xy[:, 0] + 1j * landmarks_xy[:, 1]
    target_xy = TEMPLATE_XY + margin_px
    target = target_xy[:, 0] + 1j * target_xy[:, 1]
    centred = source - source.mean()
    spread = float(np.vdot(centred, centred).real)
    if spread < 1e-6:
        raise ValueError("the five landmarks coincide")
    a = np.vdot(centred, target - target.mean()) / spread
    b = target.mean() - a * source.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]], np.float32)


def warp_scale(matrix: NDArray[np.float32]) -> float:
    """Crop pixels per frame pixel; above 1 the face is smaller than the crop and gets enlarged."""
    return float(np.hypot(matrix[0, 0], matrix[1, 0]))


def align_face(
    image_rgb: NDArray[np.uint8], landmarks_xy: NDArray[np.float32], margin_px: int = 0
) -> NDArray[np.uint8]:
    """Aligned RGB crop of shape (256 + 2 * margin_px, same, 3), resampled once from the frame."""
    matrix = similarity_matrix(landmarks_xy, margin_px)
    size = CROP_SIZE + 2 * margin_px
    if warp_scale(matrix) >= SUPERSAMPLE_BELOW:
        return _warp(image_rgb, matrix, size)
    factor = min(MAX_SUPERSAMPLE, max(2, round(1 / warp_scale(matrix))))
    large = _warp(image_rgb, matrix * factor, size * factor)
    return np.asarray(cv2.resize(large, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def _warp(image_rgb: NDArray[np.uint8], matrix: NDArray[np.float32], size: int) -> NDArray[np.uint8]:
    warped = cv2.warpAffine(image_rgb, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(warped, np.uint8)
