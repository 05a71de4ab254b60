"""Genuine clips with the face followed in them, and live swaps of them, as whole frames."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.models.mtcnn import FaceFinder
from unmask.models.training.swaps import Redraw, draw_swap
from unmask.models.training.transmission import transmit as transmit
from unmask.models.video import read_clip

CLIP_SECONDS = 4.5
MAX_SIDE_PX = 640
RATE_HZ = 25.0

Image = NDArray[np.uint8]
Landmarks = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Clip:
    """Upright RGB frames with their times, and the landmarks (5, 2) of one face in each, None where it is lost."""

    times_s: list[float]
    frames_rgb: list[Image]
    landmarks: list[Landmarks | None]


def load_clip(path: Path, finder: FaceFinder) -> Clip:
    """The first seconds of a clip at up to 25 frames a second, shrunk to 640 px, with the largest face followed."""
    clip = Clip([], [], [])
    last = None
    for index, (pts_s, image_rgb) in enumerate(read_clip(path, 1 / RATE_HZ)):
        if clip.times_s and pts_s - clip.times_s[0] > CLIP_SECONDS:
            break
        small = _shrink(image_rgb)
        face = None
        if last is not None and index % 6:
            refined = finder.refine(small, last.box_xyxy[None])[0]
            face = refined if refined.confidence > 0.7 else None
        if face is None:
            found = [f for f in finder.find(small) if f.confidence > 0.9]
            face = max(found, key=lambda f: float(f.box_xyxy[2] - f.box_xyxy[0]), default=None)
        last = face
        clip.times_s.append(pts_s)
        clip.frames_rgb.append(small)
        clip.landmarks.append(None if face is None else face.landmarks_xy)
    return clip


def half_rate(clip: Clip) -> Clip:
    """Every other frame."""
    return Clip(clip.times_s[::2], clip.frames_rgb[::2], clip.landmarks[::2])


def swap_clip(clip: Clip, rng: np.random.Generator, redraw: Redraw | None = None) -> list[Image]:
    """A live swap of the clip's face; the frames without one stay as they are.

    Args:
        clip: as many frames come back.
        rng: draws the recipe and what happens in time (`unmask.models.training.swaps`).
        redraw: an autoencoder that draws a (256, 256, 3) aligned face anew, for the recipes that ask for it.
    """
    return draw_swap(rng, redraw is not None).play(clip.frames_rgb, clip.landmarks, rng, redraw)


def _shrink(image_rgb: Image) -> Image:
    height, width = image_rgb.shape[:2]
    scale = min(1.0, MAX_SIDE_PX / max(height, width))
    size_wh = (round(width * scale) // 2 * 2, round(height * scale) // 2 * 2)
    return np.asarray(cv2.resize(image_rgb, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
