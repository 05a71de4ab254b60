"""The streams of a running server: admission, one owned task each, their newest frame and verdicts, their end."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import SecretStr

from unmask.models.engine import Engine
from unmask.models.errors import BusyError
from unmask.pipeline.errors import UnmaskError
from unmask.pipeline.ladder import LOWEST_HZ, Ladder
from unmask.pipeline.types import Frame, StreamState, Verdict
from unmask.stream.hub import Hub
from unmask.stream.metrics import VerdictMetrics
from unmask.stream.session import Judge, StreamSession, VerdictListener
from unmask.stream.source_base import Source, StateListener

log = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 5.0
TRACK_MEMORY_S = 3.0
FULL_LOAD = 0.8
"""No stream is admitted that would need more of the networks' time than this share, even at the lowest rate."""

SourceFactory = Callable[[StateListener], Source]
JudgeFactory = Callable[[str], Judge]


class NameTaken(UnmaskError):
    """Raised when a stream of this name is already running."""


class TooManyStreams(UnmaskError):
    """Raised when the server runs as many streams as it admits."""


class FrameTap:
    """The newest analysed frame of a stream; readers wait for a newer one and never hold the stream up."""

    def __init__(self) -> None:
        self.frame: Frame | None = None
        self.closed = False
        self._changed = asyncio.Event()

    def put(self, frame: Frame) -> None:
        """Replaces the newest frame and wakes every reader."""
        self.frame = frame
        self._wake()

    def close(self) -> None:
        """Ends every reader."""
        self.closed = True
        self._wake()

    async def newer(self, seq: int) -> Frame | None:
        """The newest frame once it is newer than number `seq`; None at the end of the stream."""
        while not self.closed:
            if self.frame is not None and self.frame.seq > seq:
                return self.frame
            await self._changed.wait()
        return None

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


@dataclass
class RunningStream:
    """One stream with everything that belongs to it; `url` is already free of credentials, `address` is not."""

    name: str
    kind: str
    url: str
    source: Source
    session: StreamSession
    ephemeral: bool
    tap: FrameTap = field(default_factory=FrameTap)
    metrics: VerdictMetrics = field(default_factory=VerdictMetrics)
    state: StreamState = StreamState.CONNECTING
    reason: str = ""
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    task: asyncio.Task[None] | None = None
    address: SecretStr | None = None
    verdicts: dict[int, tuple[float, Verdict]] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether its task is at work."""
        return self.task is not None and not self.task.done()

    def newest(self) -> list[Verdict]:
        """The newest verdict of every face seen in the last three seconds."""
        limit = time.monotonic() - TRACK_MEMORY_S
        return [verdict for at, verdict in self.verdicts.values() if at >= limit]

    def remember(self, verdicts: list[Verdict]) -> None:
        """Keeps the newest verdict per track and forgets tracks that are gone."""
        now = time.monotonic()
        self.verdicts = {track: seen for track, seen in self.verdicts.items() if seen[0] >= now - TRACK_MEMORY_S}
        self.verdicts.update({verdict.track: (now, verdict) for verdict in verdicts})


class Streams:
    """All streams of a server; every call belongs on its event loop."""

    def __init__(
        self,
        engine: Engine,
        hub: Hub,
        executor: Executor,
        *,
        max_streams: int,
        method: str = "fusion",
        make_judge: JudgeFactory | None = None,
    ) -> None:
        self._engine = engine
        self._method = method
        self._make_judge = make_judge
        self._hub = hub
        self._executor = executor
        self._max_streams = max_streams
        self.ladder = Ladder()
        self._streams: dict[str, RunningStream] = {}
        self._listeners: list[VerdictListener] = []
        self._state_listeners: list[Callable[[RunningStream], None]] = []

    def __len__(self) -> int:
        return sum(stream.running for stream in self._streams.values())

    def listen(self, listener: VerdictListener) -> None:
        """Calls `listener` with every analysed frame and its verdicts."""
        self._listeners.append(listener)

    def listen_states(self, listener: Callable[["RunningStream"], None]) -> None:
        """Calls `listener` with a stream whenever its state has changed."""
        self._state_listeners.append(listener)

    def all(self) -> list[RunningStream]:
        """Every stream by name, ended ones included until they are removed."""
        return sorted(self._streams.values(), key=lambda stream: stream.name)

    def get(self, name: str) -> RunningStream | None:
        """The stream of this name, if there is one."""
        return self._streams.get(name)

    def admit(self, name: str, *, replacing: bool = False) -> None:
        """Checks that a stream of this name may be added; one that takes another's place adds no load.

        Raises:
            NameTaken: it is running already.
            TooManyStreams: the server is full.
            BusyError: the machine could not keep up with one more.
        """
        known = self._streams.get(name)
        if known is not None and known.running:
            raise NameTaken(f"a stream named {name} is already running")
        if len(self) >= self._max_streams:
            raise TooManyStreams(f"this server runs at most {self._max_streams} streams at a time")
        if not replacing and len(self) and (self.ladder.exhausted or self._needed_load(len(self) + 1) > FULL_LOAD):
            number = f"{len(self)} stream{'s' * (len(self) > 1)}"
            raise BusyError(f"this server is at its limit with {number}; try again later or end one of them")

    def _needed_load(self, streams: int) -> float:
        """The share of the networks' time that so many streams of one face need at the lowest rate."""
        stats = self._engine.stats
        return streams * LOWEST_HZ * stats.seconds_per_crop / stats.lanes if stats and stats.seconds_per_crop else 0.0

    def add(
        self,
        name: str,
        make_source: SourceFactory,
        *,
        kind: str,
        url: str = "",
        ephemeral: bool = False,
        replacing: bool = False,
    ) -> RunningStream:
        """Starts a stream; an ephemeral one vanishes from the list when it ends.

        Raises:
            NameTaken, TooManyStreams, BusyError: see `admit`.
            UnmaskError: what `make_source` raises.
        """
        self.admit(name, replacing=replacing)
        self._forget_ended(name)
        for ended in [other.name for other in self._streams.values() if not other.running][: -self._max_streams]:
            self._forget_ended(ended)
        holder: list[RunningStream] = []
        loop = asyncio.get_running_loop()

        def on_state(state: StreamState, reason: str) -> None:
            loop.call_soon_threadsafe(self._states, holder, state, reason)

        def on_verdicts(frame: Frame, verdicts: list[Verdict]) -> None:
            for stream in holder:
                self._verdicts(stream, frame, verdicts)

        source = make_source(on_state)
        session = StreamSession(
            name,
            source,
            self._engine,
            on_verdicts=on_verdicts,
            on_state=on_state,
            executor=self._executor,
            method=self._method,
            detector=self._make_judge(name) if self._make_judge is not None else None,
            ladder=self.ladder,
        )
        stream = RunningStream(name, kind, url, source, session, ephemeral)
        holder.append(stream)
        self._streams[name] = stream
        self._hub.publish_state(name, stream.state, "")
        stream.task = asyncio.create_task(session.run(), name=f"stream {name}")
        stream.task.add_done_callback(lambda task: self._ended(stream, task))
        return stream

    async def remove(self, name: str) -> bool:
        """Ends a stream and waits until its source is closed; False when there is none of this name."""
        stream = self._streams.get(name)
        if stream is None:
            return False
        if stream.task is not None:
            stream.task.cancel()
            _, pending = await asyncio.wait([stream.task], timeout=CLOSE_TIMEOUT_S)
            if pending:
                log.error("stream %s did not end within %.0f s", name, CLOSE_TIMEOUT_S)
        await stream.source.close()
        if self._streams.get(name) is stream:
            self._forget_ended(name)
        return True

    async def close(self) -> None:
        """Ends every stream, all at the same time."""
        await asyncio.gather(*(self.remove(name) for name in list(self._streams)))

    def _states(self, holder: list[RunningStream], state: StreamState, reason: str) -> None:
        for stream in holder:
            self._state(stream, state, reason)

    def _state(self, stream: RunningStream, state: StreamState, reason: str) -> None:
        over = stream.state is StreamState.ENDED and state is not StreamState.ENDED
        if over or self._streams.get(stream.name) is not stream:
            return
        stream.state, stream.reason, stream.since = state, reason, datetime.now(UTC)
        self._hub.publish_state(stream.name, state, reason)
        for listener in self._state_listeners:
            listener(stream)

    def _verdicts(self, stream: RunningStream, frame: Frame, verdicts: list[Verdict]) -> None:
        if self._streams.get(stream.name) is not stream:
            return
        stream.tap.put(frame)
        stream.remember(verdicts)
        stream.metrics.observe(verdicts)
        self._hub.publish_verdicts(verdicts)
        for listener in self._listeners:
            listener(frame, verdicts)

    def _ended(self, stream: RunningStream, task: asyncio.Task[None]) -> None:
        reason = stream.reason if stream.state is StreamState.ENDED else ""
        error = None if task.cancelled() else task.exception()
        if isinstance(error, UnmaskError):
            reason = reason or str(error)
        elif error is not None:
            log.error("stream %s stopped on an unexpected error", stream.name, exc_info=error)
            reason = "stopped on an internal error, see the server's log"
        stream.tap.close()
        self._state(stream, StreamState.ENDED, reason)
        if stream.ephemeral and self._streams.get(stream.name) is stream:
            self._forget_ended(stream.name)

    def _forget_ended(self, name: str) -> None:
        if self._streams.pop(name, None) is not None:
            self._hub.forget(name)
