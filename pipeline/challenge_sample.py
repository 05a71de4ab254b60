"""What a liveness challenge needs of one face in one frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.models.align import CROP_SIZE, TEMPLATE_XY, similarity_matrix
from unmask.pipeline.detector import Reading

THUMB_SIZE = 16
STRONGEST_SHARE = 0.1
"""The mean of this share of a map's pixels, the strongest ones, is the map's strength."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sample:
    """One face in one frame.

    Attributes:
        pts_s: presentation time in seconds.
        track: the face's track.
        box_xyxy: (4,) frame pixels.
        shape_xy: (5, 2) landmarks moved, turned and scaled onto the aligned crop, in crop pixels: what is left is
            pose, expression and error.
        confidence: the face detector's, 0..1.
        yaw: see `Quality`.
        reliability: 0..1, see `Quality`.
        logits: calibrated log-odds by branch; a branch without an answer is absent.
        fused: log-odds of all branches together, None when none answered.
        map_strength: 0..1, None when there is no map.
        thumb: (16, 16) luma of the aligned crop, grey levels.
    """

    pts_s: float
    track: int
    box_xyxy: Floats
    shape_xy: Floats
    confidence: float
    yaw: float
    reliability: float
    logits: Mapping[str, float]
    fused: float | None
    map_strength: float | None
    thumb: Floats

    @property
    def face_px(self) -> float:
        """Width of the face in frame pixels."""
        return float(self.box_xyxy[2] - self.box_xyxy[0])


def take_sample(pts_s: float, reading: Reading, fused: float | None) -> Sample:
    """The sample of a reading whose fused log-odds are given."""
    face, quality = reading.face, reading.quality
    return Sample(
        pts_s=pts_s,
        track=face.track,
        box_xyxy=face.box_xyxy,
        shape_xy=aligned_shape(face.landmarks_xy),
        confidence=face.confidence,
        yaw=quality.yaw,
        reliability=quality.reliability,
        logits={name: score.logit for name, score in reading.scores.items()},
        fused=fused,
        map_strength=None if reading.mri_map is None else strength(reading.mri_map),
        thumb=thumbnail(reading.crop_rgb),
    )


def aligned_shape(landmarks_xy: Floats) -> Floats:
    """Landmarks (5, 2) in pixels of the aligned crop."""
    matrix = similarity_matrix(landmarks_xy)
    return np.asarray(landmarks_xy @ matrix[:, :2].T + matrix[:, 2], np.float32)


def strength(mri_map: Floats) -> float:
    """Mean of the strongest tenth of a map, 0..1."""
    flat = np.sort(mri_map, axis=None)
    return float(flat[-max(1, round(flat.size * STRONGEST_SHARE)) :].mean())


def thumbnail(crop_rgb: NDArray[np.uint8]) -> Floats:
    """Luma of an aligned crop in 16 x 16 cells."""
    luma = cv2.cvtColor(crop_rgb, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(luma, (THUMB_SIZE, THUMB_SIZE), interpolation=cv2.INTER_AREA), np.float32)


def overlap(a_xyxy: Floats, b_xyxy: Floats) -> float:
    """Intersection over union of two boxes."""
    low, high = np.maximum(a_xyxy[:2], b_xyxy[:2]), np.minimum(a_xyxy[2:], b_xyxy[2:])
    shared = float(np.clip(high - low, 0, None).prod())
    areas = sum(float(np.clip(box[2:] - box[:2], 0, None).prod()) for box in (a_xyxy, b_xyxy))
    return shared / max(areas - shared, 1e-6)


def cells(points_xy: Sequence[tuple[float, float]], radius_px: float) -> NDArray[np.bool_]:
    """(16, 16) mask of the thumbnail's cells within `radius_px` crop pixels of one of the points."""
    centres = (np.arange(THUMB_SIZE) + 0.5) * CROP_SIZE / THUMB_SIZE
    mask = np.zeros((THUMB_SIZE, THUMB_SIZE), bool)
    for x, y in points_xy:
        mask |= np.hypot(centres[None, :] - x, centres[:, None] - y) <= radius_px
    return mask


def _face_cells() -> NDArray[np.bool_]:
    centres = (np.arange(THUMB_SIZE) + 0.5) * CROP_SIZE / THUMB_SIZE
    across, down = (centres[None, :] - 128) / 62, (centres[:, None] - 148) / 80
    return np.asarray(across**2 + down**2 <= 1)


FACE_CELLS = _face_cells()
LEFT_EYE_CELLS = cells([(float(TEMPLATE_XY[0, 0]), float(TEMPLATE_XY[0, 1]))], 26.0)
RIGHT_EYE_CELLS = cells([(float(TEMPLATE_XY[1, 0]), float(TEMPLATE_XY[1, 1]))], 26.0)
"""Left and right in the picture, not of the person."""
