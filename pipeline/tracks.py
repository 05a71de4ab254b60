"""Who is who from frame to frame: the detector's cascade now and then, its last network in between.

A track's number is never used twice, and a cut of the scene ends all tracks, so that evidence never moves from
one face to another.
"""

from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unmask.models.mtcnn import Detection
from unmask.pipeline.cadence import Cadence, Scenery
from unmask.pipeline.types import Face, Frame

Floats = NDArray[np.float32]

FOLLOW_IOU = 0.4
"""A followed box that moved away further than this from where it was expected is not the same face."""
DOUBLE_IOU = 0.6
"""Two tracks that overlap so much follow one face."""
SURE_IOU = 0.6
"""A search that finds a followed face further away than this shows that following it is not steady."""
YOUNG_S = 0.5
"""A track that exists for less than this is watched closely."""
FAST_WIDTHS_PER_S = 1.5
"""A face that moves or grows by more of its widths in a second is watched closely."""


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """When to search, when to believe, when to let go. Times in seconds of the stream's clock.

    Attributes:
        search_every_s: the longest wait between two searches of the whole frame, when tracking has long been steady.
        moved_search_every_s: the wait when something moved outside the known faces.
        unsure_search_every_s: the wait while tracking is not steady.
        min_face_px: narrower faces are not looked for.
        new_confidence, keep_confidence: the detector's confidence that starts a track, and that continues it.
        lost_after_s: a track ends when it was not seen for this long.
        match_iou: overlap that makes a found face the continuation of a track.
        cut_grey_levels: mean change of a thumbnail that counts as a cut of the scene.
        max_faces: the largest so many are followed.
    """

    search_every_s: float = 1.0
    moved_search_every_s: float = 0.4
    unsure_search_every_s: float = 0.2
    long_side: int = 640
    min_face_px: int = 40
    new_confidence: float = 0.92
    keep_confidence: float = 0.6
    lost_after_s: float = 1.0
    match_iou: float = 0.3
    cut_grey_levels: float = 40.0
    max_faces: int = 16


class Finder(Protocol):
    """What tracking needs of the engine."""

    def find_faces(self, image_rgb: NDArray[np.uint8], long_side: int, min_face_px: int) -> list[Detection]: ...

    def refine_faces(self, image_rgb: NDArray[np.uint8], boxes_xyxy: Floats) -> list[Detection]: ...


@dataclass
class _Track:
    number: int
    box: Floats
    landmarks: Floats
    confidence: float
    seen_s: float
    born_s: float
    velocity: Floats = field(default_factory=lambda: np.zeros(4, np.float32))

    def predicted(self, pts_s: float) -> Floats:
        step_s = min(max(pts_s - self.seen_s, 0.0), 0.2)
        return self.box + self.velocity * np.float32(step_s)

    def is_fast(self) -> bool:
        return float(np.abs(self.velocity).max()) > FAST_WIDTHS_PER_S * max(float(self.box[2] - self.box[0]), 1.0)

    def see(self, found: Detection, pts_s: float) -> None:
        step_s = pts_s - self.seen_s
        if 0 < step_s < 0.5:
            speed = (found.box_xyxy - self.box) / np.float32(step_s)
            self.velocity = (0.5 * self.velocity + 0.5 * speed).astype(np.float32)
        face_px = float(found.box_xyxy[2] - found.box_xyxy[0])
        self.landmarks = smooth_landmarks(self.landmarks, found.landmarks_xy, face_px)
        self.box, self.confidence, self.seen_s = found.box_xyxy, found.confidence, pts_s


class FaceTracker:
    """Follows the faces of one stream; call `update` with its frames in order."""

    def __init__(self, finder: Finder, settings: TrackSettings | None = None) -> None:
        self._finder = finder
        self._settings = settings or TrackSettings()
        self._numbers = count(1)
        self._tracks: list[_Track] = []
        self._updated_s = -np.inf
        limits = self._settings
        self._cadence = Cadence(limits.unsure_search_every_s, limits.moved_search_every_s, limits.search_every_s)
        self._scenery = Scenery(limits.cut_grey_levels)

    def update(self, frame: Frame) -> list[Face]:
        """The faces seen in this frame, largest first. A frame without known faces that is not searched is not even
        converted to RGB."""
        now = frame.pts_s
        if self._scenery.is_cut(frame.thumb) or now < self._updated_s:
            self._tracks = []
            self._cadence.restart()
        moved = self._scenery.moved([t.box for t in self._tracks], frame.size_wh)
        if self._cadence.due(now, self._in_doubt(now), moved):
            self._cadence.searched(now, self._search(frame))
            self._scenery.searched()
        else:
            self._follow(frame)
        self._updated_s = now
        self._tracks = [t for t in self._tracks if now - t.seen_s <= self._settings.lost_after_s]
        seen = [t for t in self._tracks if t.seen_s == now]
        seen.sort(key=lambda t: float(t.box[0] - t.box[2]))
        return [Face(t.number, t.box, t.landmarks, t.confidence) for t in seen]

    def _in_doubt(self, now: float) -> bool:
        """Whether a track is weak, was not seen in the last frame, is new or moves fast."""
        return any(
            t.confidence < self._settings.new_confidence
            or t.seen_s < self._updated_s
            or now - t.born_s < YOUNG_S
            or t.is_fast()
            for t in self._tracks
        )

    def _search(self, frame: Frame) -> bool:
        """Search the whole frame; whether that found the known faces where they were expected, and no other."""
        found = self._finder.find_faces(frame.image_rgb, self._long_side(frame), self._settings.min_face_px)
        found = sorted(found, key=lambda f: float(f.box_xyxy[0] - f.box_xyxy[2]))[: self._settings.max_faces]
        predicted = np.array([t.predicted(frame.pts_s) for t in self._tracks], np.float32).reshape(-1, 4)
        boxes = np.array([f.box_xyxy for f in found], np.float32).reshape(-1, 4)
        matches = match_boxes(predicted, boxes, self._settings.match_iou)
        overlaps = iou_matrix(predicted, boxes)
        steady = len(matches) == len(self._tracks) and all(overlaps[pair] > SURE_IOU for pair in matches.items())
        for track_index, found_index in matches.items():
            self._tracks[track_index].see(found[found_index], frame.pts_s)
        for i, detection in enumerate(found):
            if i not in matches.values() and detection.confidence >= self._settings.new_confidence:
                self._tracks.append(_born(next(self._numbers), detection, frame.pts_s))
                steady = False
        return steady

    def _follow(self, frame: Frame) -> None:
        recent = [t for t in self._tracks if frame.pts_s - t.seen_s < 0.5]
        if not recent:
            return
        boxes = np.array([t.predicted(frame.pts_s) for t in recent], np.float32).reshape(-1, 4)
        for track, old, found in zip(recent, boxes, self._finder.refine_faces(frame.image_rgb, boxes), strict=True):
            overlap = float(iou_matrix(old[None], found.box_xyxy[None])[0, 0])
            if found.confidence >= self._settings.keep_confidence and overlap > FOLLOW_IOU:
                track.see(found, frame.pts_s)
            else:
                track.confidence = min(track.confidence, found.confidence)
        self._drop_doubles(frame.pts_s)

    def _drop_doubles(self, pts_s: float) -> None:
        """Two tracks that slid onto one face: the older stays."""
        kept: list[_Track] = []
        for track in sorted(self._tracks, key=lambda t: t.number):
            overlaps = iou_matrix(track.box[None], np.array([t.box for t in kept], np.float32).reshape(-1, 4))
            if not (overlaps > DOUBLE_IOU).any():
                kept.append(track)
        self._tracks = kept

    def _long_side(self, frame: Frame) -> int:
        """Large frames are searched at half size at least, so that small faces are not lost."""
        return max(self._settings.long_side, max(frame.size_wh) // 2)


def _born(number: int, found: Detection, pts_s: float) -> _Track:
    return _Track(number, found.box_xyxy, found.landmarks_xy, found.confidence, pts_s, pts_s)


def smooth_landmarks(before_xy: Floats, now_xy: Floats, face_px: float) -> Floats:
    """Follow large moves at once and average small ones, which are the detector's tremble."""
    moved = float(np.abs(now_xy - before_xy).mean()) / max(face_px, 1.0)
    share = np.float32(np.clip(0.4 + 15 * moved, 0.4, 1.0))
    return before_xy + share * (now_xy - before_xy)


def iou_matrix(a_xyxy: Floats, b_xyxy: Floats) -> Floats:
    """Intersection over union of every pair: (n, 4) and (m, 4) to (n, m)."""
    low = np.maximum(a_xyxy[:, None, :2], b_xyxy[None, :, :2])
    high = np.minimum(a_xyxy[:, None, 2:], b_xyxy[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(2)
    area_a = np.clip(a_xyxy[:, 2:] - a_xyxy[:, :2], 0, None).prod(1)
    area_b = np.clip(b_xyxy[:, 2:] - b_xyxy[:, :2], 0, None).prod(1)
    return np.asarray(shared / np.maximum(area_a[:, None] + area_b[None] - shared, 1e-6), np.float32)


def match_boxes(a_xyxy: Floats, b_xyxy: Floats, min_iou: float) -> dict[int, int]:
    """Best pairs first: index in `a` to index in `b`, each at most once."""
    overlaps = iou_matrix(a_xyxy, b_xyxy)
    matches: dict[int, int] = {}
    for flat in np.argsort(-overlaps, axis=None):
        i, j = (int(k) for k in np.unravel_index(flat, overlaps.shape))
        if overlaps[i, j] < min_iou:
            break
        if i not in matches and j not in matches.values():
            matches[i] = j
    return matches
