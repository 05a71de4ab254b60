"""Natural head turns in clips: found, remembered, read."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.models.mtcnn import Detection, FaceFinder
from unmask.models.training.clips import Clip
from unmask.models.video import read_clip
from unmask.pipeline.challenge import Prompt
from unmask.pipeline.challenge_follow import TURN_YAW
from unmask.pipeline.quality import head_yaw

BASELINE_S, SEARCH_S, LONGEST_S = 1.0, 6.0, 60.0
"""Of a natural turn: frontal before it, at most how long before, and how much of a clip is searched."""
STEADY_YAW, FRONTAL_YAW = 0.35, 0.6
CLIP_HZ, SCAN_HZ = 25.0, 5.0
AFTER_S = 2.2
MAX_SIDE_PX = 640

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Turn:
    """A natural head turn: from the start of the frontal part to where the head is turned, in seconds of the clip."""

    start_s: float
    turned_s: float
    prompt: Prompt


def shrink(image_rgb: Image) -> Image:
    """At most 640 pixels on the longer side, with even sides."""
    height, width = image_rgb.shape[:2]
    scale = min(1.0, MAX_SIDE_PX / max(height, width))
    size_wh = (round(width * scale) // 2 * 2, round(height * scale) // 2 * 2)
    return np.asarray(cv2.resize(image_rgb, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


class Follower:
    """The largest face from picture to picture."""

    def __init__(self, finder: FaceFinder) -> None:
        self._finder = finder
        self._last: Detection | None = None
        self._count = 0

    def find(self, image_rgb: Image) -> Detection | None:
        """The face in this picture."""
        self._count += 1
        face = None
        if self._last is not None and self._count % 5:
            refined = self._finder.refine(image_rgb, self._last.box_xyxy[None])[0]
            face = refined if refined.confidence > 0.7 else None
        if face is None:
            found = [f for f in self._finder.find(image_rgb) if f.confidence > 0.9]
            face = max(found, key=lambda f: float(f.box_xyxy[2] - f.box_xyxy[0]), default=None)
        self._last = face
        return face


class Turns:
    """The natural head turns of clips, remembered in a file where one is given; `finder` finds the faces."""

    def __init__(self, finder: FaceFinder, memory: Path | None) -> None:
        self.finder = finder
        self._memory = memory
        self._known: dict[str, list[Any]] = {}
        if memory is not None and memory.exists():
            self._known = json.loads(memory.read_text(encoding="utf-8"))

    def of(self, path: Path) -> list[Turn]:
        """The turns of the first minute of a clip."""
        if path.name not in self._known:
            self._known[path.name] = [(t.start_s, t.turned_s, t.prompt) for t in find_turns(path, self.finder)]
            if self._memory is not None:
                self._memory.write_text(json.dumps(self._known), encoding="utf-8")
        return [Turn(start_s, turned_s, Prompt(prompt)) for start_s, turned_s, prompt in self._known[path.name]]


def find_turns(path: Path, finder: FaceFinder) -> list[Turn]:
    """The natural head turns of the first minute of a clip."""
    follower, rows = Follower(finder), []
    for pts_s, image_rgb in read_clip(path, 1 / SCAN_HZ):
        if pts_s > LONGEST_S:
            break
        face = follower.find(shrink(image_rgb))
        if face is not None:
            rows.append((pts_s, head_yaw(face.landmarks_xy)))
    return turns_in(rows)


def turns_in(rows: Sequence[tuple[float, float]]) -> list[Turn]:
    """Turns in a course of (seconds, yaw): the head is turned, and was frontal for a second shortly before."""
    if len(rows) < 3:
        return []
    times = np.array([t for t, _ in rows])
    yaw = np.convolve(np.pad([y for _, y in rows], 1, "edge"), [0.25, 0.5, 0.25], "valid")
    turns: list[Turn] = []
    free_s = -np.inf
    for turned, turned_s in enumerate(times):
        starts = times[(times >= max(free_s, turned_s - SEARCH_S)) & (times <= turned_s - BASELINE_S)]
        for start_s in starts[::-1]:
            middle = frontal(times, yaw, float(start_s))
            if middle is not None and abs(yaw[turned] - middle) >= TURN_YAW:
                side = Prompt.TURN_LEFT if yaw[turned] > middle else Prompt.TURN_RIGHT
                turns.append(Turn(float(start_s), float(turned_s), side))
                free_s = turned_s + 1.0
                break
    return turns


def frontal(times: NDArray[np.float64], yaw: NDArray[np.float64], start_s: float) -> float | None:
    """The yaw of a steady, frontal second from `start_s` on; None where it is not one."""
    there = (times >= start_s) & (times < start_s + BASELINE_S)
    if there.sum() < 0.7 * BASELINE_S * SCAN_HZ or np.ptp(yaw[there]) > STEADY_YAW:
        return None
    middle = float(np.median(yaw[there]))
    return middle if abs(middle) <= FRONTAL_YAW else None


def read_turn(path: Path, turn: Turn) -> list[tuple[float, Image]]:
    """(seconds, frame) around a turn at 25 Hz."""
    frames = []
    for pts_s, image_rgb in read_clip(path, 1 / CLIP_HZ):
        if pts_s > turn.turned_s + AFTER_S:
            break
        if pts_s >= turn.start_s - 0.2:
            frames.append((pts_s, shrink(image_rgb)))
    return frames


def followed(frames: Sequence[tuple[float, Image]], finder: FaceFinder) -> Clip:
    """The frames with the face followed."""
    follower = Follower(finder)
    faces = [follower.find(image_rgb) for _, image_rgb in frames]
    marks = [None if face is None else face.landmarks_xy for face in faces]
    return Clip([pts_s for pts_s, _ in frames], [image_rgb for _, image_rgb in frames], marks)
