"""What every face and every stream was said to be, from when to when: a bounded memory with a small picture each.

A chapter begins when a face's state changes and ends when it changes again or the face is gone. A chapter keeps the
picture of the moment when its probability was highest. Nothing is written to a disk.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np

from unmask.pipeline.types import Frame, StreamState, Verdict, VerdictState

MOST_OF_A_STREAM = 200
MOST = 2000
GONE_S = 2.0
"""A face without a verdict for so long has left."""
PICTURE_PX = 160
PICTURE_EVERY_S = 1.0
CLEARER = 0.02
"""A later moment replaces the picture when its probability is higher by this."""
ALARMS = frozenset({VerdictState.SUSPICIOUS.value, VerdictState.MANIPULATED.value})


@dataclass
class Chapter:
    """One state of one face, or of the stream itself where `track` is None; times are `time.monotonic()` seconds."""

    id: int
    stream: str
    track: int | None
    state: str
    began: datetime
    began_s: float
    last_s: float
    reasons: tuple[str, ...] = ()
    over: bool = False
    p_highest: float | None = None
    branches: dict[str, float] = field(default_factory=dict)
    jpeg: bytes | None = None
    pictured_s: float = float("-inf")
    pictured_p: float = -1.0

    @property
    def alarm(self) -> bool:
        """Whether it says that a face may be synthetic."""
        return self.state in ALARMS

    def to_json(self, now_s: float) -> dict[str, object]:
        """The chapter as the API shows it; `until` is null while it lasts."""
        lasts = not self.over and (self.track is None or now_s - self.last_s <= GONE_S)
        duration_s = max(0.0, (now_s if lasts else self.last_s) - self.began_s)
        ended = self.began + timedelta(seconds=duration_s)
        return {
            "id": self.id,
            "kind": "stream" if self.track is None else "face",
            "stream": self.stream,
            "track": self.track,
            "state": self.state,
            "at": self.began.isoformat(timespec="milliseconds"),
            "until": None if lasts else ended.isoformat(timespec="milliseconds"),
            "duration_s": round(duration_s, 2),
            "p_highest": None if self.p_highest is None else round(self.p_highest, 4),
            "branches": {name: round(p, 4) for name, p in self.branches.items()},
            "reasons": list(self.reasons),
            "picture": self.jpeg is not None,
        }


class History:
    """The chapters of all streams: 200 of one stream, 2000 in all; the oldest that is no alarm goes first, counted.

    Attributes:
        dropped: chapters that were let go, by cause.
    """

    def __init__(self, *, pictures: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        self.dropped: Counter[str] = Counter()
        self._pictures = pictures
        self._clock = clock
        self._chapters: dict[int, Chapter] = {}
        self._open: dict[tuple[str, int | None], Chapter] = {}
        self._last_id = 0

    def verdicts(self, frame: Frame, verdicts: list[Verdict], *, picture: bool = True) -> None:
        """Takes the verdicts of a frame; `picture` says whether faces of this stream may be kept."""
        now_s = self._clock()
        for verdict in verdicts:
            if verdict.state is VerdictState.WARMING:
                continue
            chapter = self._chapter(verdict.stream, verdict.track, verdict.state.value, verdict.reasons, now_s)
            chapter.last_s = now_s
            if verdict.p_fake is not None and (chapter.p_highest is None or verdict.p_fake > chapter.p_highest):
                chapter.p_highest = verdict.p_fake
                chapter.branches = {name: result.p_fake for name, result in verdict.branches.items()}
            if picture and self._pictures:
                _keep_picture(chapter, frame, verdict, now_s)

    def state(self, stream: str, state: StreamState, reason: str) -> None:
        """Takes a change of a stream's state; whether there is a face makes no chapter of its own."""
        now_s = self._clock()
        told = StreamState.LIVE if state is StreamState.NO_FACE else state
        chapter = self._chapter(stream, None, told.value, (reason,) if reason else (), now_s)
        if state is StreamState.ENDED:
            chapter.last_s, chapter.over = now_s, True
            self._open.pop((stream, None), None)

    def forget(self, stream: str) -> None:
        """Lets go of all that is known of a stream."""
        for chapter in [chapter for chapter in self._chapters.values() if chapter.stream == stream]:
            self._drop(chapter, "stream_forgotten")

    def find(
        self,
        may_see: Callable[[str], bool],
        *,
        stream: str | None = None,
        states: Collection[str] = (),
        kind: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[dict[str, object]]:
        """The chapters that fit, newest first."""
        now_s = self._clock()
        found: list[dict[str, object]] = []
        for chapter in reversed(self._chapters.values()):
            fits = (stream is None or chapter.stream == stream) and (not states or chapter.state in states)
            fits = fits and (kind is None or (kind == "stream") == (chapter.track is None))
            if fits and (before is None or chapter.id < before) and may_see(chapter.stream):
                found.append(chapter.to_json(now_s))
            if len(found) >= limit:
                break
        return found

    def picture(self, chapter_id: int, may_see: Callable[[str], bool]) -> bytes | None:
        """The JPEG of a chapter, if there is one that the caller may see."""
        chapter = self._chapters.get(chapter_id)
        return chapter.jpeg if chapter is not None and may_see(chapter.stream) else None

    def _chapter(self, stream: str, track: int | None, state: str, reasons: tuple[str, ...], now_s: float) -> Chapter:
        """The chapter that this state belongs to: the open one of the same state, otherwise a new one."""
        key = (stream, track)
        known = self._open.get(key)
        gone = known is not None and track is not None and now_s - known.last_s > GONE_S
        if known is not None and known.state == state and not gone:
            known.reasons = reasons
            return known
        if known is not None:
            known.over = True
            known.last_s = known.last_s if gone else now_s
        self._last_id += 1
        chapter = Chapter(self._last_id, stream, track, state, datetime.now(UTC), now_s, now_s, reasons)
        self._open[key] = self._chapters[chapter.id] = chapter
        self._make_room(stream)
        return chapter

    def _make_room(self, stream: str) -> None:
        own = [chapter for chapter in self._chapters.values() if chapter.stream == stream]
        if len(own) > MOST_OF_A_STREAM:
            self._drop(_least(own), "stream_full")
        if len(self._chapters) > MOST:
            self._drop(_least(list(self._chapters.values())), "full")

    def _drop(self, chapter: Chapter, cause: str) -> None:
        del self._chapters[chapter.id]
        key = (chapter.stream, chapter.track)
        if self._open.get(key) is chapter:
            del self._open[key]
        self.dropped[cause] += 1


def _least(chapters: list[Chapter]) -> Chapter:
    """The oldest that is no alarm, or the oldest where all are alarms; never the newest, which was just added."""
    return next((chapter for chapter in chapters[:-1] if not chapter.alarm), chapters[0])


def _keep_picture(chapter: Chapter, frame: Frame, verdict: Verdict, now_s: float) -> None:
    p = verdict.p_fake if verdict.p_fake is not None else 0.0
    first = chapter.jpeg is None
    if not first and (p < chapter.pictured_p + CLEARER or now_s - chapter.pictured_s < PICTURE_EVERY_S):
        return
    jpeg = face_jpeg(frame, verdict.box_xyxy)
    if jpeg is not None:
        chapter.jpeg, chapter.pictured_p, chapter.pictured_s = jpeg, p, now_s


def face_jpeg(frame: Frame, box_xyxy: tuple[float, float, float, float]) -> bytes | None:
    """The face in a box (0..1 of the frame) with some margin, square, at most 160 px; None where nothing is left."""
    width, height = frame.size_wh
    centre_x, centre_y = (box_xyxy[0] + box_xyxy[2]) / 2 * width, (box_xyxy[1] + box_xyxy[3]) / 2 * height
    reach = 0.65 * max((box_xyxy[2] - box_xyxy[0]) * width, (box_xyxy[3] - box_xyxy[1]) * height)
    left, top = max(0, int(centre_x - reach)), max(0, int(centre_y - reach))
    crop = frame.image_rgb[top : max(0, int(centre_y + reach)), left : max(0, int(centre_x + reach))]
    if crop.size == 0:
        return None
    scale = min(1.0, PICTURE_PX / max(crop.shape[:2]))
    size_wh = (max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale)))
    small = cv2.resize(crop, size_wh, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(np.asarray(small, np.uint8), cv2.COLOR_RGB2BGR))
    return jpeg.tobytes()
