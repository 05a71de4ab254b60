"""Genuine clips and live-like swaps of them, as whole frames: scaled, re-timed and encoded as calls do it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.models.mtcnn import FaceFinder
from unmask.models.training.degrade import encode_h264
from unmask.models.training.forgery import Forgery, draw_forgery, forge_frame
from unmask.models.training.looks import draw_colour
from unmask.models.video import read_clip

CLIP_SECONDS = 4.5
MAX_SIDE_PX = 640
RATE_HZ = 25.0
CRF = (20, 38)
SWAP_FAMILIES = {"self_blend": 0.35, "reconstruct": 0.45, "organ": 0.1, "whole": 0.1}

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


def swap_clip(clip: Clip, rng: np.random.Generator) -> list[Image]:
    """A live swap of the clip's face: one recipe, with what real-time tools add in time.

    Per-frame tremble; landmarks found only every third frame and held between, as Deep-Live-Cam does; the mask a
    few frames late; the swap falling out for 1 to 5 frames.
    """
    forgery = draw_forgery(rng, str(rng.choice(list(SWAP_FAMILIES), p=list(SWAP_FAMILIES.values()))))
    tremble = float(rng.choice([0.0, 0.3, 1.0], p=[0.35, 0.4, 0.25]))
    held = int(rng.choice([1, 2, 3], p=[0.7, 0.15, 0.15]))
    lag = int(rng.choice([0, 1, 2], p=[0.8, 0.15, 0.05]))
    dropout = float(rng.choice([0.0, 0.01], p=[0.8, 0.2]))
    out: list[Image] = []
    missing = 0
    for i, image_rgb in enumerate(clip.frames_rgb):
        missing = missing - 1 if missing else int(rng.integers(1, 6)) * int(rng.random() < dropout)
        landmarks = clip.landmarks[max(0, i - i % held - lag)]
        if landmarks is None or missing:
            out.append(image_rgb)
            continue
        recipe: Forgery = forgery.jittered(rng, tremble) if tremble else forgery
        out.append(forge_frame(image_rgb, landmarks, recipe))
    return out


def transmit(frames_rgb: list[Image], times_s: list[float], rng: np.random.Generator) -> Iterator[tuple[float, Image]]:
    """What camera, network and codec do to either class: exposure, size, noise, lost and frozen frames, H.264."""
    colour = draw_colour(rng, 0.5)
    scale = float(rng.choice([1.0, 0.75, 0.6, 0.5], p=[0.4, 0.2, 0.2, 0.2]))
    noise = float(rng.uniform(1, 5)) if rng.random() < 0.3 else 0.0
    freeze = float(rng.choice([0.0, 0.04, 0.15], p=[0.5, 0.3, 0.2]))
    drop = float(rng.choice([0.0, 0.05, 0.2], p=[0.6, 0.25, 0.15]))
    sent: list[Image] = []
    times: list[float] = []
    for image_rgb, pts_s in zip(frames_rgb, times_s, strict=True):
        if rng.random() < drop and sent:
            continue
        if rng.random() < freeze and sent:
            sent.append(sent[-1])
        else:
            sent.append(_camera(image_rgb, colour.apply, scale, noise, rng))
        times.append(pts_s)
    if rng.random() < 0.85:
        sent = encode_h264(sent, int(rng.integers(*CRF)))
    yield from zip(times, sent, strict=True)


def _camera(image_rgb: Image, colour, scale: float, noise: float, rng: np.random.Generator) -> Image:  # type: ignore[no-untyped-def]
    height, width = (round(side * scale) // 2 * 2 for side in image_rgb.shape[:2])
    out = np.asarray(cv2.resize(colour(image_rgb), (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    if noise:
        out = np.clip(out + rng.normal(0, noise, out.shape).astype(np.float32), 0, 255).astype(np.uint8)
    return out


def _shrink(image_rgb: Image) -> Image:
    height, width = image_rgb.shape[:2]
    scale = min(1.0, MAX_SIDE_PX / max(height, width))
    size_wh = (round(width * scale) // 2 * 2, round(height * scale) // 2 * 2)
    return np.asarray(cv2.resize(image_rgb, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
