"""Builders with defaults for the nouns of the pipeline, and a real public-domain portrait."""

from functools import lru_cache

import numpy as np
import skimage.data
from numpy.typing import NDArray

from unmask.models.mtcnn import Detection
from unmask.models.store import Calibration
from unmask.pipeline.fusion import sigmoid
from unmask.pipeline.types import Face, Frame, Score

BRANCHES = ("spatial", "mri", "temporal")


@lru_cache(1)
def portrait() -> NDArray[np.uint8]:
    """(512, 512, 3) RGB photograph of an astronaut with one frontal face of about 90 px."""
    image = np.asarray(skimage.data.astronaut(), np.uint8)  # type: ignore[no-untyped-call]
    image.setflags(write=False)
    return image


PORTRAIT_LANDMARKS_XY = np.array(
    [[205.4, 101.5], [246.9, 103.1], [225.1, 129.2], [201.2, 139.6], [245.1, 141.1]], np.float32
)
PORTRAIT_BOX_XYXY = np.array([180.3, 60.7, 268.4, 172.2], np.float32)


def frame(image_rgb: NDArray[np.uint8] | None = None, pts_s: float = 0.0, seq: int = 0) -> Frame:
    """A frame of the portrait, or of any picture."""
    return Frame(portrait() if image_rgb is None else image_rgb, pts_s, 0.0, 0.0, "test", seq)


def face(track: int = 1, confidence: float = 0.99, width_px: float = 88.0) -> Face:
    """The portrait's face, scaled to a width."""
    centre = PORTRAIT_BOX_XYXY.reshape(2, 2).mean(0)
    scale = width_px / 88.0
    box = ((PORTRAIT_BOX_XYXY.reshape(2, 2) - centre) * scale + centre).reshape(4)
    return Face(track, box.astype(np.float32), PORTRAIT_LANDMARKS_XY, confidence)


def detection(x: float = 100.0, y: float = 100.0, size: float = 80.0, confidence: float = 0.99) -> Detection:
    """A square detection with landmarks inside."""
    box = np.array([x, y, x + size, y + size], np.float32)
    marks = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32) * size + (x, y)
    return Detection(box, marks.astype(np.float32), confidence)


def score(logit: float, pts_s: float = 0.0) -> Score:
    """A score with that log-odds."""
    p = sigmoid(logit)
    return Score(logit, p, abs(2 * p - 1), pts_s)


def calibration(**weight: float) -> Calibration:
    """Identity temperatures; equal fusion weights unless named."""
    return Calibration(
        dict.fromkeys(BRANCHES, 1.0),
        dict.fromkeys(BRANCHES, 0.0),
        {b: weight.get(b, 1 / 3) for b in BRANCHES},
        {"spatial": 4.0, "mri": 1.0, "temporal": 4.0},
        0.0,
    )
