"""Ten plain statistics of an aligned crop that forged faces shift: texture inside against around, and change in time.

A swapped face passes through a low-resolution core and is drawn anew in each frame; its surroundings are not.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.models.align import CROP_SIZE

_YY, _XX = np.mgrid[0:CROP_SIZE:2, 0:CROP_SIZE:2].astype(np.float32)
_RADIUS = np.hypot((_XX - 128) / 62, (_YY - 150) / 80)
_INSIDE = _RADIUS < 0.85
_AROUND = (_RADIUS > 1.25) & (_RADIUS < 1.75)
_FLOOR = 0.05


def luma_half(crop_rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(128, 128) luma of a (256, 256, 3) crop, averaged down: what the next call compares with."""
    grey = cv2.cvtColor(crop_rgb, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (CROP_SIZE // 2, CROP_SIZE // 2), interpolation=cv2.INTER_AREA).astype(np.float32)


def crop_scalars(crop_rgb: NDArray[np.uint8], scale: float, before: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """The ten scalars of one crop, each of order 1.

    Args:
        crop_rgb: (256, 256, 3).
        scale: crop pixels per frame pixel (`align.warp_scale`).
        before: `luma_half` of the face's crop one step earlier, None at the start.
    """
    small = cv2.resize(crop_rgb, (CROP_SIZE // 2, CROP_SIZE // 2), interpolation=cv2.INTER_AREA)
    ycc = cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    luma = ycc[..., 0]
    fine = np.abs(luma - cv2.GaussianBlur(luma, (0, 0), 1.0))
    coarse = np.abs(cv2.GaussianBlur(luma, (0, 0), 1.0) - cv2.GaussianBlur(luma, (0, 0), 3.0))
    chroma = np.abs(ycc[..., 1:] - cv2.GaussianBlur(ycc[..., 1:], (0, 0), 1.0)).mean(2)
    full = cv2.cvtColor(crop_rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    finest = np.abs(full - cv2.GaussianBlur(full, (0, 0), 1.0))[::2, ::2]
    now = luma_half(crop_rgb)
    change = np.zeros_like(now) if before is None else np.abs(now - before)
    return np.array(
        [
            _log_ratio(fine),
            _log_ratio(finest),
            _log_ratio(chroma),
            float(np.median(fine[_INSIDE])) / (float(fine[_INSIDE].mean()) + _FLOOR),
            np.log(fine[_INSIDE].mean() + _FLOOR),
            np.log((finest[_INSIDE].mean() + _FLOOR) / (coarse[_INSIDE].mean() + _FLOOR)),
            0.0 if before is None else _log_ratio(change),
            0.0 if before is None else np.log(change[_INSIDE].mean() + _FLOOR),
            0.0 if before is None else float((change[_INSIDE] < 1).mean() - (change[_AROUND] < 1).mean()),
            np.log(max(scale, 1e-3)),
        ],
        np.float32,
    )


def _log_ratio(energy: NDArray[np.float32]) -> float:
    return float(np.log((energy[_INSIDE].mean() + _FLOOR) / (energy[_AROUND].mean() + _FLOOR)))
