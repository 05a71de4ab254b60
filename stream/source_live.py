"""`LiveSource`: keeps a capture running, says how it goes, and opens it again when it fails."""

import asyncio
import logging
import random
import time
from contextlib import suppress
from dataclasses import dataclass

from unmask.pipeline.errors import SourceError, SourceLost, SourceRefused
from unmask.pipeline.types import Frame, StreamState
from unmask.stream.mailbox import Latest
from unmask.stream.source_base import Capture, Captured, Reader, SourceStats, StateListener, SteadyClock, Unusable

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Supervision:
    """How patiently a source is kept going.

    Attributes:
        live: whether its frames lose their worth with age.
        reopen: whether a failure or an end is followed by another attempt; without it both are final.
        refusal_is_final: whether a refusal before the first picture ends the source.
        open_s: seconds until the first picture.
        stall_s: seconds between pictures.
        gone_s: seconds that closing waits for the thread.
    """

    live: bool = True
    reopen: bool = True
    refusal_is_final: bool = False
    open_s: float = 15.0
    stall_s: float = 3.0
    gone_s: float = 1.0


class Backoff:
    """How long to wait before the next attempt: exponential with jitter, and a slow lane after a refusal."""

    FIRST_S, MOST_S = 0.5, 10.0
    REFUSED_S = (30.0, 60.0)
    HEALTHY_S = 30.0

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._failures = 0

    def delay_s(self, error: SourceError, healthy_s: float) -> float:
        """Seconds to wait after this error that ended `healthy_s` seconds of pictures."""
        if healthy_s >= self.HEALTHY_S:
            self._failures = 0
        if isinstance(error, SourceRefused):
            return self._rng.uniform(*self.REFUSED_S)
        most_s = min(self.MOST_S, self.FIRST_S * 2.0 ** min(self._failures, 10))
        self._failures += 1
        return self._rng.uniform(0.0, most_s)


class LiveSource:
    """A source read in a thread; a thread that hangs is abandoned and replaced.

    States: connecting -> live -> (failure, stall, end) -> reconnecting -> live ... -> ended.
    """

    MOST_ABANDONED = 4

    def __init__(
        self,
        name: str,
        capture: Capture,
        on_state: StateListener,
        supervision: Supervision | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.name = name
        self.on_state = on_state
        self._capture = capture
        self._supervision = supervision or Supervision()
        self.live = self._supervision.live
        self._backoff = backoff or Backoff(random.Random())
        self._clock = SteadyClock()
        self._frames: Latest[Frame] = Latest()
        self._seq = 0
        self._reconnects = 0
        self._abandoned: list[Reader] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def stats(self) -> SourceStats:
        """A snapshot of the counts."""
        frames_in, dropped = self._frames.counts()
        return SourceStats(frames_in, dropped, self._reconnects)

    async def start(self) -> None:
        """Begins to open the source in the background."""
        if self._task is None:
            self._task = asyncio.create_task(self._supervise(), name=f"supervisor of {self.name}")

    async def next_frame(self) -> Frame:
        """Waits for the newest frame; raises EndOfStream after the last, SourceError where the source gave up."""
        return await self._frames.get()

    async def close(self) -> None:
        """Ends supervisor and thread; a thread that hangs is left behind with its frames discarded."""
        supervisor, self._task = self._task, None
        if supervisor is not None:
            supervisor.cancel()
            await asyncio.wait([supervisor], timeout=self._supervision.gone_s)
        self._frames.close(discard=True)
        for reader in self._abandoned:
            if not await reader.gone(self._supervision.gone_s):
                _log.warning("stream %s: its reader hangs and is left behind", self.name)
        self._abandoned.clear()
        if supervisor is not None and supervisor.done() and not supervisor.cancelled():
            supervisor.result()

    async def _supervise(self) -> None:
        self.on_state(StreamState.CONNECTING, "")
        try:
            await self._keep_going()
        finally:
            self._frames.close()

    async def _keep_going(self) -> None:
        while True:
            healthy_s, error = await self._read_once()
            if error is None and not self._supervision.reopen:
                self._end(None)
                return
            error = error or SourceLost(f"stream {self.name} ended", "connection_failed")
            if self._is_final(error):
                self._end(error)
                return
            delay_s = self._backoff.delay_s(error, healthy_s)
            _log.info("stream %s: %s; next attempt in %.1f s", self.name, error, delay_s)
            self.on_state(StreamState.RECONNECTING, f"{error.code}: {error}")
            await asyncio.sleep(delay_s)
            await self._wait_for_abandoned()
            self._reconnects += 1

    def _is_final(self, error: SourceError) -> bool:
        if not self._supervision.reopen:
            return True
        refused = isinstance(error, SourceRefused) and self._supervision.refusal_is_final
        return refused and self._frames.counts()[0] == 0

    def _end(self, error: SourceError | None) -> None:
        self._frames.close(error)
        self.on_state(StreamState.ENDED, f"{error.code}: {error}" if error else "")

    async def _read_once(self) -> tuple[float, SourceError | None]:
        """Reads until the capture ends, fails or hangs: seconds of pictures, and what went wrong."""
        self._clock.restart()
        reader = Reader(self._capture, self._deliver, self.name)
        self._abandoned = [old for old in self._abandoned if old.alive] + [reader]
        reader.start()
        try:
            error = await self._watch(reader)
        finally:
            reader.abandon()
        first_s = reader.first_s
        return (time.monotonic() - first_s if first_s is not None else 0.0), error

    async def _watch(self, reader: Reader) -> SourceError | None:
        started_s, told_live, ended = time.monotonic(), False, False
        while not ended:
            reader.changed.clear()
            ended = reader.ended
            if reader.last_s is not None and not told_live:
                told_live = True
                self.on_state(StreamState.LIVE, "")
            limit_s = self._supervision.open_s if reader.last_s is None else self._supervision.stall_s
            left_s = (reader.last_s or started_s) + limit_s - time.monotonic()
            if left_s <= 0 and not ended:
                return self._too_late(reader, limit_s)
            if not ended:
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(left_s, 0.5)):
                        await reader.changed.wait()
        return reader.error

    def _too_late(self, reader: Reader, limit_s: float) -> SourceLost:
        if reader.last_s is None:
            return SourceLost(f"stream {self.name} sent no picture within {limit_s:g} s", "timeout")
        return SourceLost(f"stream {self.name} has sent no picture for {limit_s:g} s", "stalled")

    async def _wait_for_abandoned(self) -> None:
        """Never lets threads that hang pile up."""
        hanging = [reader for reader in self._abandoned if reader.alive]
        while len(hanging) >= self.MOST_ABANDONED:
            await hanging[0].gone(1.0)
            hanging = [reader for reader in hanging if reader.alive]

    def _deliver(self, item: Captured | Unusable) -> None:
        seq, self._seq = self._seq, self._seq + 1
        if isinstance(item, Unusable):
            self._frames.refuse(item.cause)
            return
        pts_s = self._clock.pts_s(item.pts_s, item.arrival_s)
        self._frames.put(Frame(item.image, pts_s, item.arrival_s, time.monotonic(), self.name, seq))
