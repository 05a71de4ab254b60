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
MAX_YAW = 0.75
MIN_CONFIDENCE = 0.7


def measure_quality(crop_rgb: NDArray[np.uint8], face: Face) -> Quality:
    """Size, sharpness, exposure and pose of an aligned crop (256, 256, 3), and the reliability they give."""
    face_px = float(face.box_xyxy[2] - face.box_xyxy[0])
    centre = cv2.cvtColor(np.ascontiguousarray(crop_rgb[48:224, 48:208]), cv2.COLOR_RGB2GRAY)
    sharpness = float(cv2.Laplacian(centre, cv2.CV_32F).std())
    brightness = float(centre.mean())
    yaw = head_yaw(face.landmarks_xy)
    reasons = []
    if face_px < MIN_FACE_PX:
        reasons.append("face_too_small")
    if sharpness < MIN_SHARPNESS:
        reasons.append("blurred")
    if brightness < DARK:
        reasons.append("too_dark")
    if brightness > BRIGHT:
        reasons.append("too_bright")
    if abs(yaw) > MAX_YAW:
        reasons.append("turned_away")
    if face.confidence < MIN_CONFIDENCE:
        reasons.append("not_a_face")
    reliability = 0.0
    if not reasons:
        size = np.clip((face_px - MIN_FACE_PX) / (FULL_FACE_PX - MIN_FACE_PX), 0.2, 1)
        sharp = np.clip((sharpness - MIN_SHARPNESS) / (FULL_SHARPNESS - MIN_SHARPNESS), 0.2, 1)
        pose = np.clip((MAX_YAW - abs(yaw)) / (MAX_YAW - 0.4), 0.3, 1)
        reliability = float(size * sharp * pose)
    return Quality(face_px, sharpness, brightness, yaw, reliability, tuple(reasons))


def head_yaw(landmarks_xy: NDArray[np.float32]) -> float:
    """-1..1: where the nose stands between the eyes, 0 in the middle, beyond 1 outside them (cut to 1)."""
    left, right, nose = landmarks_xy[0], landmarks_xy[1], landmarks_xy[2]
    axis = right - left
    length = float(np.dot(axis, axis))
    if length < 1e-6:
        return 1.0
    return float(np.clip(2 * (np.dot(nose - left, axis) / length) - 1, -1, 1))
