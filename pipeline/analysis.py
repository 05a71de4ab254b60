"""One verdict about a whole file, from everything its faces showed from start to end."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmask.models.engine import Engine
from unmask.pipeline.detector import Detector, Reading
from unmask.pipeline.errors import UsageError
from unmask.pipeline.fusion import sigmoid
from unmask.pipeline.judge import MIN_MEAN_RELIABILITY, Judge, JudgeSettings
from unmask.pipeline.ladder import Ladder
from unmask.pipeline.tracks import FaceTracker, TrackSettings
from unmask.pipeline.types import BranchResult, Frame, Score, VerdictState

METHODS = ("fusion", "spatial", "mri", "temporal")
_ALIASES = {"plain_frames": "spatial", "plain-frames": "spatial"}
ANALYSIS_HZ = 10.0
"""Looked at so many times a second of video, from its start to its end."""
MIN_TRACK_SHARE = 0.15
"""A face must be there for this share of the frames with a face (or a second) to decide about the file."""
KEYFRAMES = 6
TRACKING = TrackSettings(search_every_s=0.5, unsure_search_every_s=0.1)


@dataclass(frozen=True, slots=True)
class TimelinePoint:
    """One face at one moment: rolling state and probability, and each branch's probability."""

    pts_s: float
    track: int
    state: VerdictState
    p_fake: float | None
    branches: dict[str, float]


@dataclass(frozen=True, slots=True)
class Keyframe:
    """A frame that weighed: aligned crop (256, 256, 3) RGB, its map (64, 64) uint8 or None, its fused probability."""

    pts_s: float
    track: int
    crop_rgb: NDArray[np.uint8]
    map: NDArray[np.uint8] | None
    p_fake: float


@dataclass(frozen=True, slots=True)
class TrackResult:
    """One face over its whole presence.

    Attributes:
        logits: by branch, the mean calibrated log-odds that were fused.
        reliability: mean of its usable frames, 0..1; 0 when there was none.
    """

    track: int
    verdict: VerdictState
    p_fake: float | None
    first_s: float
    last_s: float
    frames: int
    branches: dict[str, BranchResult]
    reasons: tuple[str, ...]
    logits: dict[str, float] = field(default_factory=dict)
    reliability: float = 0.0


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is said of a file; `to_json` gives the published form.

    Attributes:
        p_fake: of the face that decided, None when no face could be judged.
        decoded, analyzed, with_face: numbers of frames.
        video_s, wall_s: length of the video and time taken, seconds.
        decisive: the face that decided, None when there was none.
    """

    file: str
    method: str
    verdict: VerdictState
    reasons: tuple[str, ...]
    p_fake: float | None
    branches: dict[str, BranchResult]
    tracks: list[TrackResult]
    timeline: list[TimelinePoint]
    keyframes: list[Keyframe]
    decoded: int
    analyzed: int
    with_face: int
    video_s: float
    wall_s: float
    weights_sha256: dict[str, str]
    decisive: TrackResult | None = None

    def to_json(self) -> dict[str, object]:
        """The object that `unmask analyze --json` prints."""
        return {
            "schema": 1,
            "file": self.file,
            "verdict": str(self.verdict),
            "reasons": list(self.reasons),
            "p_fake": _rounded(self.p_fake),
            "method": self.method,
            "branches": {
                name: {k: _rounded(getattr(b, k)) for k in ("p_fake", "confidence", "weight")}
                for name, b in self.branches.items()
            },
            "tracks": [
                {
                    "track": t.track,
                    "verdict": str(t.verdict),
                    "p_fake": _rounded(t.p_fake),
                    "first_s": round(t.first_s, 3),
                    "last_s": round(t.last_s, 3),
                    "frames": t.frames,
                    "reasons": list(t.reasons),
                }
                for t in self.tracks
            ],
            "frames": {"decoded": self.decoded, "analyzed": self.analyzed, "with_face": self.with_face},
            "seconds": {"video": round(self.video_s, 3), "wall": round(self.wall_s, 3)},
            "weights": dict(self.weights_sha256),
        }


def method_name(name: str) -> str:
    """The canonical name of a method: case does not matter, `plain_frames` is `spatial`.

    Raises:
        UsageError: there is no such method.
    """
    lowered = name.lower()
    found = _ALIASES.get(lowered, lowered)
    if found not in METHODS:
        raise UsageError(f"unknown method {name!r}; known are {', '.join(METHODS)}")
    return found


@dataclass
class _Face:
    """What one track showed so far."""

    judge: Judge = field(default_factory=Judge)
    times: list[float] = field(default_factory=list)
    usable: list[tuple[float, dict[str, Score]]] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)
    alarmed: bool = False


class _Collector:
    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.faces: dict[int, _Face] = {}
        self.timeline: list[TimelinePoint] = []
        self.keyframes: list[Keyframe] = []

    def take(self, pts_s: float, reading: Reading) -> None:
        face = self.faces.setdefault(reading.face.track, _Face())
        face.times.append(pts_s)
        fused = self.detector.fuse(reading.scores)
        quality = reading.quality
        for reason in quality.reasons:
            face.reasons[reason] = face.reasons.get(reason, 0) + 1
        if quality.reliability > 0:
            face.usable.append((quality.reliability, reading.scores))
        judgement = face.judge.update(pts_s, fused[0] if fused else None, quality.reliability, quality.reasons)
        face.alarmed |= judgement.state is VerdictState.MANIPULATED
        branches = {k: s.p_fake for k, s in reading.scores.items()}
        self.timeline.append(TimelinePoint(pts_s, reading.face.track, judgement.state, judgement.p_fake, branches))
        if fused and quality.reliability > 0:
            self._keep(
                Keyframe(pts_s, reading.face.track, reading.crop_rgb, _bytes(reading.mri_map), sigmoid(fused[0]))
            )

    def _keep(self, keyframe: Keyframe) -> None:
        """The most forged-looking frames, at least half a second apart."""
        near = [k for k in self.keyframes if k.track == keyframe.track and abs(k.pts_s - keyframe.pts_s) < 0.5]
        if any(k.p_fake >= keyframe.p_fake for k in near):
            return
        kept = [k for k in self.keyframes if k not in near] if near else self.keyframes
        self.keyframes = sorted([*kept, keyframe], key=lambda k: -k.p_fake)[:KEYFRAMES]


def analyze(
    frames: Iterable[Frame],
    engine: Engine,
    *,
    file: str,
    method: str = "fusion",
    fusion: str = "default",
    progress: Callable[[float], None] | None = None,
    rung: int = 0,
) -> Analysis:
    """Judge a whole file.

    Args:
        frames: all frames of the file, in order.
        file: its name, for the result.
        method: one of `METHODS`.
        fusion: a rule of `unmask.pipeline.fusion`, or `default`.
        progress: called with the seconds of video done.
        rung: leave out what a live stream would on this rung of overload, to measure what that costs.
    """
    started_s = time.monotonic()
    ladder = Ladder(fixed=rung)
    period_s = max(1 / ANALYSIS_HZ, ladder.shortest_period_s)
    detector = Detector(engine, Path(file).name, method_name(method), fusion, ladder=ladder)
    tracker = FaceTracker(engine, TRACKING)
    collector = _Collector(detector)
    decoded = analyzed = with_face = 0
    video_s, next_s = 0.0, -np.inf
    for frame in frames:
        decoded += 1
        video_s = max(video_s, frame.pts_s)
        if progress and decoded % 10 == 0:
            progress(frame.pts_s)
        if frame.pts_s + 1e-3 < next_s:
            continue
        next_s = max(next_s + period_s, frame.pts_s + 0.5 * period_s)
        analyzed += 1
        readings = detector.read(frame, tracker.update(frame))
        with_face += bool(readings)
        for reading in readings:
            collector.take(frame.pts_s, reading)
    tracks = [_conclude(number, face, detector) for number, face in collector.faces.items()]
    decisive = _decisive(tracks, with_face)
    verdict, reasons = _verdict_of_file(decisive, tracks, decoded)
    return Analysis(
        file=file,
        method=method_name(method),
        verdict=verdict,
        reasons=reasons,
        p_fake=decisive.p_fake if decisive else None,
        branches=decisive.branches if decisive else {},
        tracks=tracks,
        timeline=collector.timeline,
        keyframes=collector.keyframes,
        decoded=decoded,
        analyzed=analyzed,
        with_face=with_face,
        video_s=video_s,
        wall_s=time.monotonic() - started_s,
        weights_sha256=engine.weights_sha256,
        decisive=decisive,
    )


def _conclude(number: int, face: _Face, detector: Detector) -> TrackResult:
    """Average each branch's log-odds over the usable frames, weighted by reliability, then fuse."""
    averaged = _average(face.usable)
    fused = detector.fuse(averaged)
    reliability = float(np.mean([r for r, _ in face.usable])) if face.usable else 0.0
    reasons: list[str] = []
    verdict, p_fake = VerdictState.UNCERTAIN, None
    quality_reasons = sorted(face.reasons, key=lambda r: -face.reasons[r])
    if fused:
        p_fake = sigmoid(fused[0])
        verdict = verdict_of(p_fake)
        if reliability < MIN_MEAN_RELIABILITY:
            verdict = VerdictState.UNCERTAIN
            reasons += quality_reasons
        if face.alarmed and verdict in (VerdictState.AUTHENTIC, VerdictState.UNCERTAIN):
            verdict = VerdictState.SUSPICIOUS
            reasons.append("part_of_the_time")
        if verdict is VerdictState.UNCERTAIN and not reasons:
            reasons.append("inconclusive")
    else:
        reasons += quality_reasons or ["too_short"]
    return TrackResult(
        number,
        verdict,
        p_fake,
        face.times[0],
        face.times[-1],
        len(face.times),
        fused[1] if fused else {},
        tuple(reasons),
        {name: averaged[name].logit for name in (fused[1] if fused else {})},
        reliability,
    )


def _average(usable: list[tuple[float, dict[str, Score]]]) -> dict[str, Score]:
    averaged: dict[str, Score] = {}
    for name in METHODS[1:]:
        present = [(r, s[name]) for r, s in usable if name in s]
        if present:
            logit = sum(r * s.logit for r, s in present) / sum(r for r, _ in present)
            p = sigmoid(logit)
            averaged[name] = Score(logit, p, abs(2 * p - 1), present[-1][1].pts_s)
    return averaged


def verdict_of(p_fake: float) -> VerdictState:
    """The word for a file's probability; the thresholds are those of the rolling verdict."""
    settings = JudgeSettings()
    if p_fake >= settings.manipulated_at:
        return VerdictState.MANIPULATED
    if p_fake >= settings.suspicious_at:
        return VerdictState.SUSPICIOUS
    return VerdictState.AUTHENTIC if p_fake < settings.authentic_below else VerdictState.UNCERTAIN


def _decisive(tracks: list[TrackResult], with_face: int) -> TrackResult | None:
    """The most forged-looking face of those that are there long enough; else the longest that was judged."""
    judged = [t for t in tracks if t.p_fake is not None]
    lasting = [t for t in judged if t.frames >= min(MIN_TRACK_SHARE * with_face, ANALYSIS_HZ)]
    if lasting:
        return max(lasting, key=lambda t: t.p_fake or 0.0)
    return max(judged, key=lambda t: t.frames, default=None)


def _verdict_of_file(
    decisive: TrackResult | None, tracks: list[TrackResult], decoded: int
) -> tuple[VerdictState, tuple[str, ...]]:
    if decisive is not None:
        return decisive.verdict, decisive.reasons
    if not decoded:
        return VerdictState.UNCERTAIN, ("no_frames",)
    if not tracks:
        return VerdictState.UNCERTAIN, ("no_face",)
    return VerdictState.UNCERTAIN, max(tracks, key=lambda t: t.frames).reasons


def _bytes(mri_map: NDArray[np.float32] | None) -> NDArray[np.uint8] | None:
    return None if mri_map is None else np.clip(mri_map * 255 + 0.5, 0, 255).astype(np.uint8)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
