"""What the branches see of a clip's main face, frame by frame: for training and calibration, not for verdicts."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmask.models.engine import Engine
from unmask.pipeline.detector import Detector
from unmask.pipeline.tracks import FaceTracker, TrackSettings
from unmask.pipeline.types import Frame

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ClipFeatures:
    """Readings of one face.

    Attributes:
        times_s: (m,) of the rows that the temporal window would take.
        rows: (m, 1290) those rows.
        logits: by branch, (n, 2) raw logit and reliability of each usable frame.
    """

    times_s: NDArray[np.float64]
    rows: Floats
    logits: dict[str, Floats]


def clip_features(frames: Iterable[Frame], engine: Engine, rate_hz: float = 10.0) -> ClipFeatures:
    """Read a clip's most present face at about `rate_hz`.

    The logits are uncalibrated only when the engine's calibration is the identity.
    """
    detector = Detector(engine, "training")
    tracker = FaceTracker(engine, TrackSettings(search_every_s=0.5, unsure_search_every_s=0.1))
    tracks: dict[int, list[tuple[float, Floats | None, float, dict[str, float]]]] = {}
    next_s = -np.inf
    for frame in frames:
        if frame.pts_s + 1e-3 < next_s:
            continue
        next_s = max(next_s + 1 / rate_hz, frame.pts_s + 0.5 / rate_hz)
        for reading in detector.read(frame, tracker.update(frame)):
            logits = {k: s.logit for k, s in reading.scores.items()}
            entry = (frame.pts_s, reading.features, reading.quality.reliability, logits)
            tracks.setdefault(reading.face.track, []).append(entry)
    entries = max(tracks.values(), key=len, default=[])
    kept = [(t, row) for t, row, _, _ in entries if row is not None]
    branches = sorted({name for _, _, _, logits in entries for name in logits})
    return ClipFeatures(
        np.array([t for t, _ in kept], np.float64),
        np.array([row for _, row in kept], np.float32),
        {
            b: np.array([(z[b], r) for _, _, r, z in entries if r > 0 and b in z], np.float32).reshape(-1, 2)
            for b in branches
        },
    )
