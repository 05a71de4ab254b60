"""How much a face crop can carry, measured before it is believed."""

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.pipeline.types import Face, Quality

MIN_FACE_PX = 48.0
"""Below this width nothing is concluded; `FULL_FACE_PX` carries full weight."""
FULL_FACE_PX = 110.0
MIN_SHARPNESS, FULL_SHARPNESS = 2.0, 6.0
DARK, BRIGHT = 30.0, 235.0
"""Mean luma outside of which a crop carries little, and half of whose distance to black or white nothing."""
TURNED_YAW, MAX_YAW = 0.75, 1.6
"""A face turned further than the first carries little; the second is a profile, which carries nothing."""
YAW_LIMIT = 2.0
LITTLE = 0.1
MIN_CONFIDENCE = 0.7


def measure_quality(crop_rgb: NDArray[np.uint8], face: Face) -> Quality:
    """Size, sharpness, exposure and pose of an aligned crop (256, 256, 3), and the reliability they give."""
    face_px = float(face.box_xyxy[2] - face.box_xyxy[0])
    centre = cv2.cvtColor(np.ascontiguousarray(crop_rgb[48:224, 48:208]), cv2.COLOR_RGB2GRAY)
    sharpness = float(cv2.Laplacian(centre, cv2.CV_32F).std())
    brightness = float(centre.mean())
    yaw = head_yaw(face.landmarks_xy)
    shortcomings = {
        "face_too_small": (face_px < MIN_FACE_PX, True),
        "blurred": (sharpness < MIN_SHARPNESS, True),
        "too_dark": (brightness < DARK, brightness < DARK / 2),
        "too_bright": (brightness > BRIGHT, brightness > (BRIGHT + 255) / 2),
        "turned_away": (abs(yaw) > TURNED_YAW, abs(yaw) > MAX_YAW),
        "not_a_face": (face.confidence < MIN_CONFIDENCE, True),
    }
    reasons = tuple(name for name, (short, _) in shortcomings.items() if short)
    reliability = 0.0
    if not any(short and useless for short, useless in shortcomings.values()):
        size = np.clip((face_px - MIN_FACE_PX) / (FULL_FACE_PX - MIN_FACE_PX), 0.2, 1)
        sharp = np.clip((sharpness - MIN_SHARPNESS) / (FULL_SHARPNESS - MIN_SHARPNESS), 0.2, 1)
        pose = np.clip((TURNED_YAW - abs(yaw)) / (TURNED_YAW - 0.4), 0.3, 1)
        reliability = LITTLE if reasons else float(max(LITTLE, size * sharp * pose))
    return Quality(face_px, sharpness, brightness, yaw, reliability, reasons)


def head_yaw(landmarks_xy: NDArray[np.float32]) -> float:
    """-2..2: where the nose stands between the eyes, 0 in the middle, 1 in front of one eye, beyond that outside."""
    left, right, nose = landmarks_xy[0], landmarks_xy[1], landmarks_xy[2]
    axis = right - left
    length = float(np.dot(axis, axis))
    if length < 1e-6:
        return YAW_LIMIT
    return float(np.clip(2 * (np.dot(nose - left, axis) / length) - 1, -YAW_LIMIT, YAW_LIMIT))
