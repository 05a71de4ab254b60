"""Whether a prompt is being followed, seen from one sample against the baseline."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from unmask.pipeline.challenge_sample import FACE_CELLS, LEFT_EYE_CELLS, RIGHT_EYE_CELLS, Floats, Sample

TURN_YAW = 0.4
"""Change of the yaw measure that counts as a turned head, about 20 degrees."""
CLOSER = 1.3
"""Growth of the face's width that counts as having come closer."""
COVERED_SHARE = 0.25
"""Share of the face's cells that must have changed for a hand in front of it."""
CHANGED_LEVELS = 22.0
"""Grey levels by which a cell must have changed, beyond what it changed by itself in the baseline."""
DOUBTFUL = 0.9
"""A detector's confidence below this, where it was above before, is a sign of a covered face."""
EYE_LEVELS = 20.0
"""Grey levels by which the covered eye's cells must have changed more than the other one's."""


class Prompt(StrEnum):
    """What a person is asked to do; left and right are the person's own."""

    TURN_LEFT = "turn_left"
    TURN_RIGHT = "turn_right"
    HAND_ACROSS_FACE = "hand_across_face"
    COVER_ONE_EYE = "cover_one_eye"
    MOVE_CLOSER = "move_closer"


HOLD_S = {
    Prompt.TURN_LEFT: 0.25,
    Prompt.TURN_RIGHT: 0.25,
    Prompt.HAND_ACROSS_FACE: 0.15,
    Prompt.COVER_ONE_EYE: 0.4,
    Prompt.MOVE_CLOSER: 0.3,
}
"""How long, added up, a prompt must be seen followed."""


@dataclass(frozen=True, slots=True)
class Pose:
    """What a face looks like before the prompt: medians over the baseline, and the thumbnail's own unrest."""

    yaw: float
    face_px: float
    confidence: float
    thumb: Floats
    unrest: Floats


def pose_of(samples: Sequence[Sample]) -> Pose:
    """The pose of a baseline of at least one sample."""
    thumbs = np.stack([s.thumb for s in samples])
    middle = np.median(thumbs, axis=0).astype(np.float32)
    return Pose(
        yaw=float(np.median([s.yaw for s in samples])),
        face_px=float(np.median([s.face_px for s in samples])),
        confidence=float(np.median([s.confidence for s in samples])),
        thumb=middle,
        unrest=np.abs(thumbs - middle).mean(0).astype(np.float32),
    )


def extent(prompt: Prompt, pose: Pose, sample: Sample, mirrored: bool) -> float:
    """How far a prompt is followed: 0 not at all, 1 enough; negative where the head turns the other way."""
    match prompt:
        case Prompt.TURN_LEFT | Prompt.TURN_RIGHT:
            # A person's left is the right of a picture that is not mirrored, where the yaw measure grows.
            sign = 1.0 if (prompt is Prompt.TURN_LEFT) != mirrored else -1.0
            return sign * (sample.yaw - pose.yaw) / TURN_YAW
        case Prompt.MOVE_CLOSER:
            return (sample.face_px / max(pose.face_px, 1.0) - 1) / (CLOSER - 1)
        case Prompt.HAND_ACROSS_FACE:
            return _covered(pose, sample)
        case Prompt.COVER_ONE_EYE:
            return _eye_covered(pose, sample)


def _covered(pose: Pose, sample: Sample) -> float:
    if abs(sample.yaw - pose.yaw) > TURN_YAW and sample.confidence >= DOUBTFUL:
        return 0.0
    doubt = 1.0 if sample.confidence < DOUBTFUL <= pose.confidence else 0.0
    return max(doubt, float(_changed(pose, sample)[FACE_CELLS].mean()) / COVERED_SHARE)


def _eye_covered(pose: Pose, sample: Sample) -> float:
    levels = np.clip(_levels(pose, sample) - 2 * pose.unrest, 0, None)
    left, right = float(levels[LEFT_EYE_CELLS].mean()), float(levels[RIGHT_EYE_CELLS].mean())
    if abs(sample.yaw - pose.yaw) > TURN_YAW:
        return 0.0
    return abs(left - right) / EYE_LEVELS


def _changed(pose: Pose, sample: Sample) -> Floats:
    return np.asarray(_levels(pose, sample) > CHANGED_LEVELS + 2 * pose.unrest, np.float32)


def _levels(pose: Pose, sample: Sample) -> Floats:
    """Change of each cell; a change of the whole picture's brightness does not count."""
    change = sample.thumb - pose.thumb
    return np.asarray(np.abs(change - np.median(change)), np.float32)
