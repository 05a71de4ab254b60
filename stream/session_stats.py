"""What a session counts and how fast it is."""

from collections import Counter, deque
from dataclasses import dataclass, field

import numpy as np

from unmask.pipeline.types import StreamState

WINDOW = 512
"""Newest frames with a verdict over which latencies are told."""
PACE_S = 5.0
"""Seconds over which the rate is told."""
MOST_FPS = 200


@dataclass(frozen=True, slots=True)
class SessionStats:
    """A snapshot of a session's counts.

    Attributes:
        frames_in: frames that the source has seen.
        analyzed: frames that were judged.
        dropped: frames that never will be, by cause.
        in_flight: frames being judged: 0 or 1.
        pending: frames waiting to be judged; frames_in == analyzed + sum of dropped + in_flight + pending.
        with_face: judged frames that had a face.
        verdicts: verdicts given.
        reconnects: how often the source was opened again.
        state, reason: of the stream.
        p50_ms, p95_ms: arrival to verdict over the newest frames with a face; None before the first.
        analyzed_fps: judged frames per second over the last seconds.
    """

    frames_in: int = 0
    analyzed: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    pending: int = 0
    with_face: int = 0
    verdicts: int = 0
    reconnects: int = 0
    state: StreamState = StreamState.CONNECTING
    reason: str = ""
    p50_ms: float | None = None
    p95_ms: float | None = None
    analyzed_fps: float = 0.0


class Pace:
    """Latency and rate over a bounded window."""

    def __init__(self) -> None:
        self._totals_ms: deque[float] = deque(maxlen=WINDOW)
        self._judged_s: deque[float] = deque(maxlen=int(PACE_S * MOST_FPS))
        self._first_s: float | None = None

    def judged(self, now_s: float, total_ms: float | None) -> None:
        """A frame was judged; `total_ms` from arrival to verdict, None where it had no face."""
        self._first_s = now_s if self._first_s is None else self._first_s
        self._judged_s.append(now_s)
        if total_ms is not None:
            self._totals_ms.append(total_ms)

    def latency_ms(self) -> tuple[float | None, float | None]:
        """Median and 95th percentile."""
        if not self._totals_ms:
            return None, None
        p50_ms, p95_ms = np.percentile(self._totals_ms, (50, 95))
        return float(p50_ms), float(p95_ms)

    def fps(self, now_s: float) -> float:
        """Judged frames per second over the last five seconds, or since the first frame."""
        if self._first_s is None:
            return 0.0
        recent = sum(now_s - judged_s <= PACE_S for judged_s in self._judged_s)
        return recent / max(min(PACE_S, now_s - self._first_s), 1.0)
