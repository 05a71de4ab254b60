"""Sensor noise from a bank drawn once, because drawing it anew for each picture costs more than all other steps."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

BANK_PX = 1024
BANK_SIGMA = 32.0
"""Grey levels: the bank's resolution, finer than a grey level for every sigma below it."""
COARSE_SIGMA_PX = 0.7
"""Denoised and demosaiced noise is wider than a pixel: half of the banks are blurred by this much."""


@lru_cache(maxsize=2)
def _bank(coarse: bool) -> Image:
    """(1024, 1024, 3) of normal noise around 128, luma-heavy as cameras' is."""
    rng = np.random.default_rng(7 + coarse)
    luma = rng.normal(0, 1, (BANK_PX, BANK_PX, 1))
    noise = (0.8 * luma + 0.6 * rng.normal(0, 1, (BANK_PX, BANK_PX, 3))).astype(np.float32)
    if coarse:
        noise = cv2.GaussianBlur(noise, (0, 0), COARSE_SIGMA_PX, borderType=cv2.BORDER_REFLECT_101)  # type: ignore[assignment]
    noise *= BANK_SIGMA / noise.std()
    return np.asarray(np.clip(noise + 128.5, 0, 255), np.uint8)


def add_grain(image_rgb: Image, sigma: float, seed: int) -> Image:
    """The (h, w, 3) image with noise of `sigma` grey levels, always the same for one seed."""
    rng = np.random.default_rng(seed)
    bank = _bank(bool(rng.random() < 0.5))
    height, width = image_rgb.shape[:2]
    fits = max(height, width) <= BANK_PX
    top, left = (int(rng.integers(BANK_PX - side + 1 if fits else BANK_PX)) for side in (height, width))
    if fits:
        noise = bank[top : top + height, left : left + width]
    else:
        rows, columns = ((first + np.arange(side)) % BANK_PX for first, side in ((top, height), (left, width)))
        noise = bank[rows[:, None], columns]
    amount = sigma / BANK_SIGMA
    return np.asarray(cv2.addWeighted(image_rgb, 1, noise, amount, -128 * amount), np.uint8)
