"""From aligned crops to network inputs: the one place that knows sizes and normalisation, beside the weights.

Every function takes (n, 256, 256, 3) uint8 RGB crops from `unmask.models.align` and works on NumPy alone, so
that training, OpenVINO and CUDA see the same numbers.
"""

import numpy as np
from numpy.typing import NDArray

WINDOW_STEPS = 32
WINDOW_HZ = 8.0
"""The temporal window: 32 steps on a grid of 8 Hz, 4 seconds, whatever the camera's rate."""
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)


def normalise(images_rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, h, w, 3) uint8 RGB to (n, 3, h, w) with ImageNet's mean and deviation."""
    scaled = images_rgb.astype(np.float32) * (1 / (255 * IMAGENET_STD)) - IMAGENET_MEAN / IMAGENET_STD
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


def temporal_input(
    times_s: NDArray[np.float64], rows: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Features on the temporal branch's grid, which ends at the newest time.

    Args:
        times_s: (m,) ascending, m >= 1.
        rows: (m, k) features of those times.

    Returns:
        The nearest row for each step of the grid (32, k), and the mask (32,) of steps that have one within half a
        step.
    """
    grid = times_s[-1] - np.arange(WINDOW_STEPS)[::-1] / WINDOW_HZ
    nearest = np.abs(times_s[None] - grid[:, None]).argmin(1)
    mask = np.abs(times_s[nearest] - grid) <= 0.5 / WINDOW_HZ + 1e-6
    return rows[nearest], mask.astype(np.float32)
