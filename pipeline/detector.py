"""The whole flow in one method: `Detector.step`."""

import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from unmask.models.align import align_face, similarity_matrix, warp_scale
from unmask.models.engine import Engine
from unmask.models.scoring import CropScores
from unmask.models.texture import crop_scalars, luma_half
from unmask.pipeline.fusion import calibrate, fuse, rule_name
from unmask.pipeline.judge import Judge, JudgeSettings
from unmask.pipeline.ladder import EVERY, Ladder
from unmask.pipeline.quality import measure_quality
from unmask.pipeline.tracks import FaceTracker, TrackSettings
from unmask.pipeline.types import BranchResult, Face, Frame, Quality, Score, Verdict
from unmask.pipeline.window import FeatureWindow

TRACK_MEMORY_S = 5.0
"""What is known of a face that went away is forgotten after this long."""
MAX_AGE_S = 1.0
"""An older score of the MRI or the temporal branch drops out of the fusion."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One face in one frame with everything seen of it, before any averaging over time.

    Attributes:
        features: (1290,) what went into the temporal window, None when this frame was not needed for it.
    """

    face: Face
    crop_rgb: NDArray[np.uint8]
    quality: Quality
    scores: dict[str, Score]
    mri_map: NDArray[np.float32] | None
    features: NDArray[np.float32] | None


@dataclass
class _Memory:
    judge: Judge
    window: FeatureWindow = field(default_factory=FeatureWindow)
    luma: NDArray[np.float32] | None = None
    mri: Score | None = None
    temporal: Score | None = None
    windows: int = 0
    mri_map: NDArray[np.float32] | None = None
    seen_s: float = 0.0


class Detector:
    """Frames of one stream in, verdicts out. Blocking and not thread-safe: one per stream, called in order.

    Attributes:
        readings: of the newest frame, one for each of its verdicts.
    """

    def __init__(
        self,
        engine: Engine,
        stream: str,
        method: str = "fusion",
        fusion: str = "default",
        tracking: TrackSettings | None = None,
        judging: JudgeSettings | None = None,
        ladder: Ladder | None = None,
    ) -> None:
        self.stream = stream
        self._engine = engine
        self._method = method
        self._rule = rule_name(fusion)
        self._judging = judging
        self._tracker = FaceTracker(engine, tracking)
        self._memory: dict[int, _Memory] = {}
        self._ladder = ladder or Ladder(fixed=0)
        self._reads = 0
        self.readings: list[Reading] = []

    def step(self, frame: Frame) -> list[Verdict]:
        """The verdicts of all faces of a frame, largest face first; empty when there is no face."""
        started_s = time.monotonic()
        faces = self._tracker.update(frame)
        found_s = time.monotonic()
        self.readings = self.read(frame, faces)
        return [self._judge(frame, reading, started_s, found_s) for reading in self.readings]

    def read(self, frame: Frame, faces: list[Face]) -> list[Reading]:
        """Crop and score the faces of a frame with every branch."""
        self._forget(frame.pts_s)
        if not faces:
            return []
        crops = np.stack([align_face(frame.image_rgb, face.landmarks_xy) for face in faces])
        with_mri = "mri_rate" not in self._ladder.degraded or self._reads % EVERY == 0
        self._reads += 1
        scored = self._engine.score_crops(crops, self.stream, with_mri)
        return [self._reading(frame, face, crops[i], scored, i) for i, face in enumerate(faces)]

    def mri_map(self, track: int) -> NDArray[np.uint8] | None:
        """The newest MRI map of a track, (64, 64), 0 where the face is untouched; None when there is none."""
        memory = self._memory.get(track)
        if memory is None or memory.mri_map is None:
            return None
        return np.asarray(np.clip(memory.mri_map * 255 + 0.5, 0, 255), np.uint8)

    def _reading(self, frame: Frame, face: Face, crop_rgb: NDArray[np.uint8], scored: CropScores, i: int) -> Reading:
        memory = self._memory.setdefault(face.track, _Memory(Judge(self._judging)))
        memory.seen_s = frame.pts_s
        calibration = self._engine.calibration
        scores: dict[str, Score] = {}
        if scored.spatial is not None:
            scores["spatial"] = calibrate("spatial", float(scored.spatial[i]), frame.pts_s, calibration)
        if scored.mri is not None and scored.maps is not None:
            memory.mri = calibrate("mri", float(scored.mri[i]), frame.pts_s, calibration)
            memory.mri_map = scored.maps[i]
        quality = measure_quality(crop_rgb, face)
        features = None
        if scored.embeddings is not None and quality.reliability > 0 and memory.window.wants(frame.pts_s):
            features = self._watch(memory, frame.pts_s, face, crop_rgb, scored.embeddings[i])
        for name, held in (("mri", memory.mri), ("temporal", memory.temporal)):
            if held is not None and frame.pts_s - held.pts_s <= MAX_AGE_S:
                scores[name] = held
        return Reading(face, crop_rgb, quality, scores, memory.mri_map, features)

    def _watch(
        self,
        memory: _Memory,
        pts_s: float,
        face: Face,
        crop_rgb: NDArray[np.uint8],
        embedding: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Add a frame to the window and judge the window; returns the frame's features."""
        before = memory.luma if memory.window.continues(pts_s) else None
        scalars = crop_scalars(crop_rgb, warp_scale(similarity_matrix(face.landmarks_xy)), before)
        memory.luma = luma_half(crop_rgb)
        features = np.concatenate([embedding, scalars])
        memory.window.push(pts_s, features)
        memory.windows += 1
        if "temporal_rate" in self._ladder.degraded and memory.windows % EVERY:
            return features
        memory.temporal = None
        window = memory.window.resampled()
        if window is not None:
            logits = self._engine.score_windows(window[0][None], window[1][None])
            if logits is not None:
                memory.temporal = calibrate("temporal", float(logits[0]), pts_s, self._engine.calibration)
        return features

    def _judge(self, frame: Frame, reading: Reading, started_s: float, found_s: float) -> Verdict:
        fused = self.fuse(reading.scores)
        quality = reading.quality
        judgement = self._memory[reading.face.track].judge.update(
            frame.pts_s, fused[0] if fused else None, quality.reliability, quality.reasons
        )
        width, height = frame.size_wh
        x0, y0, x1, y1 = np.clip(reading.face.box_xyxy / (width, height, width, height), 0, 1)
        now_s = time.monotonic()
        return Verdict(
            stream=self.stream,
            track=reading.face.track,
            seq=frame.seq,
            pts_s=frame.pts_s,
            box_xyxy=(float(x0), float(y0), float(x1), float(y1)),
            state=judgement.state,
            p_fake=judgement.p_fake,
            branches=fused[1] if fused else {},
            quality=quality,
            reasons=judgement.reasons,
            degraded=self._ladder.degraded,
            timing_ms={
                "decode": 1e3 * (frame.decoded_s - frame.arrival_s),
                "queue": 1e3 * (started_s - frame.decoded_s),
                "detect": 1e3 * (found_s - started_s),
                "infer": 1e3 * (now_s - found_s),
                "total": 1e3 * (now_s - frame.arrival_s),
            },
        )

    def fuse(self, scores: dict[str, Score]) -> tuple[float, dict[str, BranchResult]] | None:
        """Fuse the branches that answered, or the one that `method` names."""
        if self._method != "fusion":
            scores = {k: s for k, s in scores.items() if k == self._method}
            return fuse(scores, self._engine.calibration, "mean")
        return fuse(scores, self._engine.calibration, self._rule)

    def _forget(self, pts_s: float) -> None:
        self._memory = {k: m for k, m in self._memory.items() if abs(pts_s - m.seen_s) <= TRACK_MEMORY_S}
