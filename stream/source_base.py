"""What every source is, and the thread in which one is read."""

import asyncio
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unmask.pipeline.errors import SourceError
from unmask.pipeline.picture import Picture, as_picture
from unmask.pipeline.types import Frame, StreamState

StateListener = Callable[[StreamState, str], None]
"""Told (state, reason); a reason is empty, or a code, or `code: sentence`."""


@dataclass
class SourceStats:
    """What a source has seen so far.

    Attributes:
        frames_in: frames that came, usable or not.
        dropped: how many of them were never handed on, by cause.
        reconnects: how often the source was opened again.
    """

    frames_in: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    reconnects: int = 0


class Source(Protocol):
    """Where frames come from.

    Attributes:
        name: of the stream.
        live: whether frames lose their worth with age.
        on_state: told of every change of state; a session puts itself here.
    """

    name: str
    live: bool
    on_state: StateListener

    @property
    def stats(self) -> SourceStats:
        """A snapshot of the counts."""

    async def start(self) -> None:
        """Begins to open the source, in the background; never waits for a network."""

    async def next_frame(self) -> Frame:
        """Waits for the newest frame.

        Raises:
            EndOfStream: the source has ended.
            SourceError: the source gave up.
        """

    async def close(self) -> None:
        """Frees threads and devices; closing again is harmless."""


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """A picture as a capture yields it.

    Attributes:
        image: (h, w, 3) uint8 RGB, upright, or a `Picture` that is converted when somebody looks.
        pts_s: None where the source gives no time.
        codec: None where the source has none.
    """

    image: NDArray[np.uint8] | Picture
    pts_s: float | None
    arrival_s: float
    codec: str | None = None

    @property
    def image_rgb(self) -> NDArray[np.uint8]:
        """(h, w, 3) uint8, upright."""
        return as_picture(self.image).rgb()


@dataclass(frozen=True, slots=True)
class Unusable:
    """A picture that came but cannot be used."""

    cause: str


Capture = Callable[[threading.Event], Generator[Captured | Unusable, None, None]]
"""Opens a source and yields its pictures, blocking; ends soon after the event is set; raises SourceError."""


POLL_S = 0.01


class SteadyClock:
    """Turns a source's times into seconds that never run backwards, also across restarts of the source.

    The source's own cadence is kept; a missing time, a step back or a jump of more than `jump_s` falls back to the
    time of arrival.
    """

    def __init__(self, jump_s: float = 2.0) -> None:
        self._jump_s = jump_s
        self._start_s: float | None = None
        self._offset_s: float | None = None
        self._last_s = -1.0

    def pts_s(self, raw_s: float | None, arrival_s: float) -> float:
        """Seconds since the first picture, always more than the one before."""
        if self._start_s is None:
            self._start_s = arrival_s
        since_s = max(arrival_s - self._start_s, self._last_s + 0.001, 0.0)
        if raw_s is None:
            self._last_s = since_s
            return since_s
        if self._offset_s is None:
            self._offset_s = since_s - raw_s
        pts_s = raw_s + self._offset_s
        if pts_s <= self._last_s or abs(pts_s - (arrival_s - self._start_s)) > self._jump_s:
            self._offset_s = since_s - raw_s
            pts_s = since_s
        self._last_s = pts_s
        return pts_s

    def restart(self) -> None:
        """Forgets the source's zero: the next picture is placed by its arrival."""
        self._offset_s = None


class Reader:
    """A capture running in a thread of its own, which can be abandoned: from then on what it reads is discarded.

    Attributes:
        changed: set when the first picture came and when the capture ended.
        error: why the capture ended, None where it ended by itself.
        first_s, last_s: `time.monotonic()` of the first and of the newest usable picture, None before the first.
        ended: whether the capture has ended, by itself or by an error.
    """

    def __init__(self, capture: Capture, deliver: Callable[[Captured | Unusable], None], name: str) -> None:
        self.changed = asyncio.Event()
        self.error: SourceError | None = None
        self.first_s: float | None = None
        self.last_s: float | None = None
        self.ended = False
        self._capture = capture
        self._deliver = deliver
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name=f"reader of {name}", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def abandon(self) -> None:
        """Asks the capture to end and discards whatever it still reads."""
        with self._lock:
            self._stop.set()

    @property
    def alive(self) -> bool:
        """Whether the thread still runs, abandoned or not."""
        return self._thread.is_alive()

    async def gone(self, timeout_s: float) -> bool:
        """Waits for the thread's end; False where it outlives the time-out."""
        for _ in range(math.ceil(timeout_s / POLL_S)):
            if not self._thread.is_alive():
                break
            await asyncio.sleep(POLL_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            with closing(self._capture(self._stop)) as items:
                for item in items:
                    if not self._hand_on(item):
                        return
        except SourceError as error:
            self.error = error
        finally:
            with self._lock:
                self.ended = True
                self._notify()

    def _hand_on(self, item: Captured | Unusable) -> bool:
        with self._lock:
            if self._stop.is_set():
                return False
            self._deliver(item)
            if isinstance(item, Captured):
                self.last_s = time.monotonic()
                if self.first_s is None:
                    self.first_s = self.last_s
                    self._notify()
            return True

    def _notify(self) -> None:
        if not self._stop.is_set() and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.changed.set)
