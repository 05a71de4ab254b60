"""From aligned crops to network inputs: the one place that knows sizes and normalisation, beside the weights.

Every function takes (n, 256, 256, 3) uint8 RGB crops from `unmask.models.align` and works on NumPy alone, so
that training, OpenVINO and CUDA see the same numbers.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.models.align import CROP_SIZE

SPATIAL_SIZE = 224
MAP_SIZE = 128
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)


def spatial_input(crops_rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Central 224 px, ImageNet mean and deviation: (n, 3, 224, 224). No second resampling."""
    edge = (CROP_SIZE - SPATIAL_SIZE) // 2
    return normalise(crops_rgb[:, edge : edge + SPATIAL_SIZE, edge : edge + SPATIAL_SIZE])


def normalise(images_rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, h, w, 3) uint8 RGB to (n, 3, h, w) with ImageNet's mean and deviation."""
    scaled = images_rgb.astype(np.float32) * (1 / (255 * IMAGENET_STD)) - IMAGENET_MEAN / IMAGENET_STD
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


def generator_input(crops_rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Whole crop at 128 px in -1..1: (n, 3, 128, 128)."""
    small = np.stack([cv2.resize(c, (MAP_SIZE, MAP_SIZE), interpolation=cv2.INTER_AREA) for c in crops_rgb])
    return np.ascontiguousarray((small.astype(np.float32) / 127.5 - 1).transpose(0, 3, 1, 2))
