"""What is left out when a machine cannot keep up: one step after the other, each visible in every verdict."""

import threading
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np

from unmask.pipeline.errors import UsageError

RUNGS = ((), ("mri_rate",), ("mri_rate", "temporal_rate"), ("mri_rate", "temporal_rate", "spatial_rate"))
"""What is left out on each rung: the map is drawn for every third frame only, the window over time is judged at every
third of its steps only, a stream is looked at four times a second at most."""
EVERY = 3
"""One of so many is still done where a rate is lowered."""
LOWEST_HZ = 4.0
"""How often a stream is looked at on the last rung."""
LOOK_EVERY_S = 0.2
"""So seldom it is looked at how the streams keep up, whatever the number of frames."""
SILENT_S = 10.0
"""A stream without a judged frame for this long no longer counts."""


@dataclass(frozen=True, slots=True)
class LadderSettings:
    """When to go up, which leaves work out, and when to come down again.

    Attributes:
        late_ms: arrival to verdict, 90th percentile over all streams: above this the machine is overloaded.
        slow_hz: a stream that is looked at less often, although it sends more, is overloaded too.
        calm_ms, calm_load: below both of these nothing needs to be left out.
        window_s: over which is measured.
        up_s: between two steps up.
        down_s: calm that leads one step down; doubled, up to `most_down_s`, each time that turned out too early.
    """

    late_ms: float = 250.0
    slow_hz: float = 6.0
    calm_ms: float = 150.0
    calm_load: float = 0.6
    window_s: float = 2.0
    up_s: float = 1.5
    down_s: float = 6.0
    most_down_s: float = 30.0


_Judged = tuple[float, float, int]
"""When a frame was judged, how late, and how many were skipped since the one before."""


class Ladder:
    """Watches how all streams of one engine keep up, and says what to leave out. Thread-safe.

    Args:
        fixed: stay on this rung, to measure it.
    """

    def __init__(self, settings: LadderSettings | None = None, fixed: int | None = None) -> None:
        if fixed is not None and not 0 <= fixed < len(RUNGS):
            raise UsageError(f"there is no rung {fixed}; rungs are 0 to {len(RUNGS) - 1}")
        self._settings = settings or LadderSettings()
        self._fixed = fixed
        self._rung = fixed or 0
        self._streams: dict[Hashable, deque[_Judged]] = {}
        self._lock = threading.Lock()
        self._looked_s = -np.inf
        self._moved_s: float | None = None
        self._calm_since_s: float | None = None
        self._down_s = self._settings.down_s
        self._came_down_s: float | None = None

    @property
    def rung(self) -> int:
        """0 = nothing is left out."""
        return self._rung

    @property
    def degraded(self) -> tuple[str, ...]:
        """What is left out now, of `mri_rate`, `temporal_rate`, `spatial_rate`."""
        return RUNGS[self._rung]

    @property
    def exhausted(self) -> bool:
        """Whether nothing more can be left out."""
        return self._rung == len(RUNGS) - 1

    @property
    def shortest_period_s(self) -> float:
        """A stream is looked at again after this long at the earliest."""
        return 1 / LOWEST_HZ if "spatial_rate" in self.degraded else 0.0

    def judged(self, stream: Hashable, now_s: float, total_ms: float, skipped: int, load: Callable[[], float]) -> None:
        """Tell of a frame that was judged.

        Args:
            now_s: monotonic time.
            total_ms: from the frame's arrival to its verdict.
            skipped: frames of this stream that newer ones have replaced since the last judged one.
            load: gives 0..1, how busy the engine is; asked a few times a second.
        """
        if self._fixed is not None:
            return
        with self._lock:
            self._streams.setdefault(stream, deque()).append((now_s, total_ms, skipped))
            if now_s - self._looked_s < LOOK_EVERY_S:
                return
            self._looked_s = now_s
            self._forget_old(now_s)
            self._move(now_s, load())

    def forget(self, stream: Hashable) -> None:
        """A stream has ended; after the last one nothing is left out any more."""
        with self._lock:
            self._streams.pop(stream, None)
            if not self._streams and self._fixed is None:
                self._rung, self._moved_s, self._calm_since_s = 0, None, None

    def _forget_old(self, now_s: float) -> None:
        """Keep what is within the window, and two frames at least: their distance shows how slow a stream is."""
        for name, judged in list(self._streams.items()):
            while len(judged) > 2 and judged[0][0] < now_s - self._settings.window_s:
                judged.popleft()
            if judged[-1][0] < now_s - SILENT_S:
                del self._streams[name]

    def _move(self, now_s: float, load: float) -> None:
        settings = self._settings
        self._moved_s = now_s if self._moved_s is None else self._moved_s
        late_ms = float(np.percentile([ms for judged in self._streams.values() for _, ms, _ in judged], 90))
        if self._is_overloaded(late_ms):
            self._calm_since_s = None
            if now_s - self._moved_s >= settings.up_s and not self.exhausted:
                early = self._came_down_s is not None and now_s - self._came_down_s < 2 * self._down_s
                self._down_s = min(settings.most_down_s, 2 * self._down_s) if early else settings.down_s
                self._rung, self._moved_s = self._rung + 1, now_s
        elif late_ms < settings.calm_ms and load < settings.calm_load and self._rung:
            self._calm_since_s = now_s if self._calm_since_s is None else self._calm_since_s
            if now_s - self._calm_since_s >= self._down_s:
                self._rung, self._moved_s, self._calm_since_s = self._rung - 1, now_s, None
                self._came_down_s = now_s
        else:
            self._calm_since_s = None

    def _is_overloaded(self, late_ms: float) -> bool:
        slow_hz = LOWEST_HZ / 2 if self.exhausted else self._settings.slow_hz
        return late_ms > self._settings.late_ms or any(_is_slow(j, slow_hz) for j in self._streams.values())


def _is_slow(judged: deque[_Judged], slow_hz: float) -> bool:
    """Whether a stream is looked at less often than that, although it sends more."""
    looks = len(judged) - 1
    skipped = sum(skipped for _, _, skipped in judged) - judged[0][2]
    return looks > 0 and looks < slow_hz * (judged[-1][0] - judged[0][0]) and skipped > looks
