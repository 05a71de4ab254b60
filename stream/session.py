"""`StreamSession`: one stream from its source to its verdicts."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unmask.models.engine import Engine
from unmask.models.errors import BusyError
from unmask.pipeline.detector import Detector
from unmask.pipeline.errors import EndOfStream, SourceError
from unmask.pipeline.ladder import Ladder
from unmask.pipeline.types import Frame, StreamState, Verdict
from unmask.stream.mailbox import SUPERSEDED, Latest
from unmask.stream.picture_signal import StreamSignal
from unmask.stream.session_stats import Pace, SessionStats
from unmask.stream.source_base import Source, StateListener

STALE_S = 0.2
"""A frame of a live source that has waited longer is not looked at."""
TICK_S = 0.25

VerdictListener = Callable[[Frame, list[Verdict]], None]
"""Called with every frame that was judged and its verdicts; no verdict means no face."""


class Judge(Protocol):
    """What finds and judges the faces of one stream; blocking, used by one thread at a time."""

    def step(self, frame: Frame) -> list[Verdict]:
        """The verdicts on the faces of this frame."""

    def mri_map(self, track: int) -> NDArray[np.uint8] | None:
        """The newest map of this face, (n, n), 0 = untouched."""


class StreamSession:
    """Pulls a source's frames, judges the newest in a worker thread, and reports verdicts and states.

    One frame is in flight at a time. The frame is chosen when a worker is free, not when the work is queued: sessions
    that share an executor take turns, and none of them judges a picture that has aged in a queue.

    Attributes:
        detector: judges the frames; made from `engine`, `method` and `ladder` unless it is given.
        ladder: shared by the streams of an engine, says what is left out under overload.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        engine: Engine,
        *,
        on_verdicts: VerdictListener,
        on_state: StateListener,
        executor: Executor,
        method: str = "fusion",
        detector: Judge | None = None,
        ladder: Ladder | None = None,
    ) -> None:
        self.name = name
        self.source = source
        self.ladder = ladder or Ladder()
        self.detector: Judge = detector or Detector(engine, name, method, ladder=self.ladder)
        self._engine = engine
        self._on_verdicts = on_verdicts
        self._on_state = on_state
        self._executor = executor
        self._signal = StreamSignal()
        self._end_reason = ""
        self._waiting: Latest[Frame] = Latest()
        self._lock = threading.Lock()
        self._over = False
        self._analyzed = self._with_face = self._verdicts = self._in_flight = 0
        self._dropped: Counter[str] = Counter()
        self._pace = Pace()
        self._taken_s = 0.0
        self._skipped = 0
        source.on_state = self._source_said

    @property
    def stats(self) -> SessionStats:
        """A snapshot of the counts, which always add up."""
        with self._lock:
            analyzed, in_flight, dropped = self._analyzed, self._in_flight, self._dropped.copy()
        source = self.source.stats
        dropped += source.dropped + self._waiting.counts()[1]
        p50_ms, p95_ms = self._pace.latency_ms()
        return SessionStats(
            frames_in=source.frames_in,
            analyzed=analyzed,
            dropped=dropped,
            in_flight=in_flight,
            pending=source.frames_in - analyzed - in_flight - dropped.total(),
            with_face=self._with_face,
            verdicts=self._verdicts,
            reconnects=source.reconnects,
            state=self._signal.state,
            reason=self._signal.reason,
            p50_ms=p50_ms,
            p95_ms=p95_ms,
            analyzed_fps=self._pace.fps(time.monotonic()),
        )

    async def run(self) -> None:
        """Works until the source ends or the task is cancelled, then closes the source.

        Raises:
            SourceError: the source gave up.
        """
        self._on_state(self._signal.state, self._signal.reason)
        tasks: list[asyncio.Task[None]] = []
        ends: list[BaseException | None] = []
        try:
            await self.source.start()
            tasks += [asyncio.create_task(self._read()), asyncio.create_task(self._tick())]
            while await self._waiting.ready():
                await self._rest()
                await self._judge_newest()
        finally:
            self._stop_judging()
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            await self.source.close()
            self._signal.source_said(StreamState.ENDED, self._end_reason, time.monotonic())
            self._on_state(StreamState.ENDED, self._end_reason)
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _read(self) -> None:
        """Keeps the newest usable frame waiting."""
        try:
            while True:
                frame = await self.source.next_frame()
                if self._signal.picture(frame.thumb, time.monotonic()):
                    self._waiting.put(frame)
                else:
                    self._waiting.refuse("no_signal")
                self._tell_state()
        except EndOfStream:
            return
        except SourceError as error:
            self._end_reason = f"{error.code}: {error}"
            raise
        finally:
            self._waiting.close()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._tell_state()

    async def _judge_newest(self) -> None:
        judged = await asyncio.get_running_loop().run_in_executor(self._executor, self._step)
        if judged is None:
            return
        frame, verdicts, taken_s = judged
        now_s = time.monotonic()
        self._pace.judged(now_s, (now_s - frame.arrival_s) * 1e3 if verdicts else None)
        self._with_face += bool(verdicts)
        self._verdicts += len(verdicts)
        if self.source.live:
            self._tell_ladder(now_s, (now_s - frame.arrival_s) * 1e3)
        self._signal.faces(bool(verdicts), now_s)
        self._tell_state()
        self._on_verdicts(frame, [_with_times(verdict, frame, taken_s, now_s) for verdict in verdicts])

    async def _rest(self) -> None:
        """Waits where overload has lowered the rate; meanwhile newer frames replace the one that waits."""
        left_s = self._taken_s + self.ladder.shortest_period_s - time.monotonic()
        if self.source.live and left_s > 0:
            await asyncio.sleep(left_s)

    def _tell_ladder(self, now_s: float, total_ms: float) -> None:
        skipped = (self._waiting.counts()[1] + self.source.stats.dropped)[SUPERSEDED]
        self.ladder.judged(self.name, now_s, total_ms, skipped - self._skipped, self._load)
        self._skipped = skipped

    def _load(self) -> float:
        stats = self._engine.stats
        return stats.load if stats else 0.0

    def _step(self) -> tuple[Frame, list[Verdict], float] | None:
        """In the worker: takes the frame that is newest now and judges it; None where there is none worth it."""
        with self._lock:
            frame = None if self._over else self._waiting.take()
            if frame is None:
                return None
            self._taken_s = taken_s = time.monotonic()
            if self.source.live and taken_s - frame.arrival_s > STALE_S:
                self._dropped["stale"] += 1
                return None
            self._in_flight = 1
        outcome = "failed"
        try:
            verdicts = self.detector.step(frame)
            outcome = "analyzed"
        except BusyError:
            outcome = "busy"
            return None
        finally:
            self._settle(outcome)
        return frame, verdicts, taken_s

    def _settle(self, outcome: str) -> None:
        """Counts the frame in flight once; a session that has ended has counted it already."""
        with self._lock:
            if self._in_flight == 0:
                return
            self._in_flight = 0
            if outcome == "analyzed":
                self._analyzed += 1
            else:
                self._dropped[outcome] += 1

    def _stop_judging(self) -> None:
        """From here on no frame is taken; what is still in flight counts as cancelled."""
        with self._lock:
            self._over = True
        self._settle("cancelled")
        self._engine.forget(self.name)
        self.ladder.forget(self.name)
        self._waiting.close(discard=True)

    def _source_said(self, state: StreamState, reason: str) -> None:
        if state is StreamState.ENDED:
            self._end_reason = reason
        elif self._signal.source_said(state, reason, time.monotonic()):
            self._on_state(self._signal.state, self._signal.reason)

    def _tell_state(self) -> None:
        if self._signal.tick(time.monotonic()):
            self._on_state(self._signal.state, self._signal.reason)


def _with_times(verdict: Verdict, frame: Frame, taken_s: float, now_s: float) -> Verdict:
    """The verdict with the times that only the session knows, in ms."""
    times = {
        "decode": (frame.decoded_s - frame.arrival_s) * 1e3,
        "queue": (taken_s - frame.decoded_s) * 1e3,
        "total": (now_s - frame.arrival_s) * 1e3,
    }
    return replace(verdict, timing_ms={**verdict.timing_ms, **times})
