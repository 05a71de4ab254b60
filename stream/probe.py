"""Connection tests: a camera is opened for a few seconds, and what it sends, or why it does not, is told."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import cv2
import numpy as np

from unmask.pipeline.errors import SourceError, SourceLost, UnmaskError
from unmask.stream.report_pictures import jpeg_uri
from unmask.stream.source_base import Capture, Captured, Reader, Unusable

MOST_TESTS = 2
OPEN_S = 12.0
WATCH_S = 1.5
GONE_S = 1.0
PICTURE_PX = 480


class TooManyTests(UnmaskError):
    """Raised when as many connections are being tested as the server admits."""


@dataclass
class _Seen:
    """What a camera sent so far; filled by the reader's thread, which appends only."""

    first: Captured | None = None
    times: list[tuple[float | None, float]] = field(default_factory=list)
    unusable: int = 0

    def take(self, item: Captured | Unusable) -> None:
        if isinstance(item, Unusable):
            self.unusable += 1
            return
        if self.first is None:
            self.first = item
        self.times.append((item.pts_s, item.arrival_s))

    def fps(self) -> float | None:
        """Pictures per second of the source's own clock where it has one, of the arrivals otherwise."""
        given = [pts_s for pts_s, _ in self.times if pts_s is not None]
        clock = given if len(given) == len(self.times) else [arrival_s for _, arrival_s in self.times]
        span_s = clock[-1] - clock[0] if clock else 0.0
        return (len(clock) - 1) / span_s if span_s > 0 else None


class ConnectionTests:
    """Tests at most two cameras at a time; one that hangs counts until its thread is gone."""

    def __init__(self, open_s: float = OPEN_S, watch_s: float = WATCH_S) -> None:
        self._open_s = open_s
        self._watch_s = watch_s
        self._running = 0
        self._hanging: list[Reader] = []

    async def test(self, make_capture: Callable[[], Capture]) -> dict[str, object]:
        """Size, rate, codec, time to the first picture and that picture; or the code and sentence of the failure.

        Raises:
            TooManyTests: two are running.
            UnmaskError: what `make_capture` raises.
        """
        self._hanging = [reader for reader in self._hanging if reader.alive]
        if self._running + len(self._hanging) >= MOST_TESTS:
            raise TooManyTests("other cameras are being tested, try again in a moment")
        self._running += 1
        try:
            return await self._watch(await asyncio.to_thread(make_capture))
        finally:
            self._running -= 1

    async def _watch(self, capture: Capture) -> dict[str, object]:
        seen = _Seen()
        reader = Reader(capture, seen.take, "a connection test")
        started_s = time.monotonic()
        reader.start()
        try:
            await _until(lambda: reader.first_s is not None, reader, self._open_s)
            if reader.first_s is not None:
                await _until(lambda: False, reader, self._watch_s)
        finally:
            hung_up = reader.ended
            reader.abandon()
            self._hanging.append(reader)
        await reader.gone(GONE_S)
        if seen.first is None:
            return _failure(reader.error or self._silence(hung_up))
        return await asyncio.to_thread(_success, seen, seen.first, started_s)

    def _silence(self, hung_up: bool) -> SourceError:
        if hung_up:
            return SourceLost("the camera hung up before its first picture", "connection_failed")
        return SourceLost(f"no picture came within {self._open_s:g} s", "timeout")


async def _until(holds: Callable[[], bool], reader: Reader, limit_s: float) -> None:
    """Waits until something holds, the reader ends, or the time is up."""
    with suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            while not holds() and not reader.ended:
                reader.changed.clear()
                if holds() or reader.ended:
                    return
                await reader.changed.wait()


def _failure(error: SourceError) -> dict[str, object]:
    return {"ok": False, "error": error.code, "message": str(error)}


def _success(seen: _Seen, first: Captured, started_s: float) -> dict[str, object]:
    height, width = first.image_rgb.shape[:2]
    fps = seen.fps()
    scale = min(1.0, PICTURE_PX / width)
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(first.image_rgb, size_wh, interpolation=cv2.INTER_AREA)
    return {
        "ok": True,
        "size_wh": [width, height],
        "fps": None if fps is None else round(fps, 1),
        "codec": first.codec,
        "first_picture_ms": round((first.arrival_s - started_s) * 1e3),
        "unusable": seen.unusable,
        "picture": jpeg_uri(np.asarray(small, np.uint8)),
    }
