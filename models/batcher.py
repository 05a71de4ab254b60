"""Gathers the crops of all streams into bounded batches and gives every stream its own scores back."""

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from unmask.models.errors import BusyError, CancelledWork, DeviceError
from unmask.models.scoring import CropScorer, CropScores

MAX_WAITING = 64
"""Requests that may wait; one more is refused."""
RESULT_TIMEOUT_S = 30.0
LOAD_S = 2.0
"""The load is measured over this long."""
RECENT_S = 0.2
"""A stream that asked within this long is expected to ask again soon."""


@dataclass(frozen=True, slots=True)
class BatcherStats:
    """What went through so far.

    Attributes:
        load: 0..1, share of the last seconds in which the lanes were at work.
        waiting: requests that wait now.
        refused, cancelled: requests that were never run.
        seconds_per_crop: running mean of a lane's time; None before the first batch.
        lanes: batches that may be in flight at a time.
    """

    batches: int
    crops: int
    refused: int
    cancelled: int
    waiting: int
    load: float
    seconds_per_crop: float | None
    lanes: int


@dataclass(eq=False)
class _Request:
    stream: Hashable
    crops_rgb: NDArray[np.uint8]
    with_mri: bool
    taken: int = 0
    missing: int = 0
    parts: dict[int, CropScores] = field(default_factory=dict)
    error: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.missing = len(self.crops_rgb)

    @property
    def left(self) -> int:
        return len(self.crops_rgb) - self.taken

    def fill(self, start: int, scores: CropScores, count: int) -> None:
        self.parts[start] = scores
        self.missing -= count
        if not self.missing:
            self.done.set()

    def fail(self, error: Exception) -> None:
        self.error = error
        self.done.set()


_Share = tuple[_Request, int, int]
"""A request and the range of its crops that a batch holds."""


class Batcher:
    """Feeds a `CropScorer` from any number of threads.

    Each lane is a thread that takes what waits, at most `max_batch` crops, in turns over the streams: a stream with
    sixteen faces does not hold up one with a single face. A lane never waits for more crops than there are, unless
    the scorer gains from larger batches (`max_wait_s`) and another stream is expected to ask at once.
    """

    def __init__(self, scorer: CropScorer) -> None:
        self._scorer = scorer
        self._waiting: OrderedDict[Hashable, deque[_Request]] = OrderedDict()
        self._changed = threading.Condition()
        self._submitting = threading.Lock()
        self._closed = False
        self._asked_s: dict[Hashable, float] = {}
        self._counts: Counter[str] = Counter()
        self._busy: deque[tuple[float, float]] = deque()
        self._seconds_per_crop: float | None = None
        self._lanes = [
            threading.Thread(target=self._run, name=f"inference {i}", daemon=True) for i in range(scorer.lanes)
        ]
        for lane in self._lanes:
            lane.start()

    @property
    def stats(self) -> BatcherStats:
        """A snapshot."""
        with self._changed:
            now_s = time.monotonic()
            busy_s = sum(min(LOAD_S, end - max(begin, now_s - LOAD_S)) for begin, end in self._recent(now_s))
            return BatcherStats(
                self._counts["batches"],
                self._counts["crops"],
                self._counts["refused"],
                self._counts["cancelled"],
                sum(map(len, self._waiting.values())),
                min(1.0, busy_s / (LOAD_S * len(self._lanes))),
                self._seconds_per_crop,
                len(self._lanes),
            )

    def score(self, crops_rgb: NDArray[np.uint8], stream: Hashable = "", with_mri: bool = True) -> CropScores:
        """Scores of crops (n, 256, 256, 3), n >= 1; blocks until they are there.

        Args:
            stream: whose turn this is.
            with_mri: whether the MRI branch is wanted too.

        Raises:
            BusyError: too many requests wait.
            CancelledWork: the stream's work was cancelled.
            DeviceError: the device failed or did not answer.
        """
        request = _Request(stream, crops_rgb, with_mri)
        with self._changed:
            if self._closed:
                raise CancelledWork("the engine is closed")
            if sum(map(len, self._waiting.values())) >= MAX_WAITING:
                self._counts["refused"] += 1
                raise BusyError(f"{MAX_WAITING} requests wait for the networks already")
            self._asked_s[stream] = time.monotonic()
            self._waiting.setdefault(stream, deque()).append(request)
            self._changed.notify()
        if not request.done.wait(RESULT_TIMEOUT_S):
            self._withdraw(request)
            raise DeviceError(f"the networks gave no answer within {RESULT_TIMEOUT_S:g} s")
        if request.error is not None:
            raise request.error
        return CropScores.joined([request.parts[start] for start in sorted(request.parts)])

    def cancel(self, stream: Hashable) -> None:
        """Drops what waits for a stream that has gone; what a lane has taken already is finished."""
        with self._changed:
            self._asked_s.pop(stream, None)
            for request in self._waiting.pop(stream, ()):
                self._counts["cancelled"] += 1
                request.fail(CancelledWork("the stream has gone"))

    def close(self) -> None:
        """Finishes what the lanes have taken, drops the rest, and ends the lanes."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for stream in list(self._waiting):
            self.cancel(stream)
        for lane in self._lanes:
            lane.join(RESULT_TIMEOUT_S)

    def _run(self) -> None:
        while (batch := self._gather()) is not None:
            begin_s = time.monotonic()
            try:
                self._deliver(batch, self._scored(batch))
            except Exception as error:  # noqa: BLE001 - a lane outlives whatever a device throws
                self._fail(batch, error)
            finally:
                self._account(batch, begin_s, time.monotonic())

    def _gather(self) -> list[_Share] | None:
        """The next batch; None when the batcher is closed."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            self._linger()
            if self._closed:
                return None
            return self._take()

    def _linger(self) -> None:
        """Waits a moment for streams that are about to ask."""
        until_s = time.monotonic() + self._scorer.max_wait_s
        while self._scorer.max_wait_s and not self._closed:
            now_s = time.monotonic()
            expected = sum(now_s - asked_s < RECENT_S for asked_s in self._asked_s.values())
            crops = sum(r.left for requests in self._waiting.values() for r in requests)
            if now_s >= until_s or crops >= self._scorer.max_batch or len(self._waiting) >= expected:
                return
            self._changed.wait(until_s - now_s)

    def _take(self) -> list[_Share]:
        """In turns over the streams, an equal share each, until the batch is full or nothing of its kind waits."""
        if not self._waiting:
            return []
        with_mri = next(iter(self._waiting.values()))[0].with_mri
        batch: list[_Share] = []
        room = self._scorer.max_batch
        while room:
            matching = [s for s, requests in self._waiting.items() if requests[0].with_mri == with_mri]
            if not matching:
                break
            share = max(1, room // len(matching))
            for stream in matching:
                taken = self._take_from(stream, min(share, room))
                batch.append(taken)
                room -= taken[2] - taken[1]
                if not room:
                    break
        return _merged(batch)

    def _take_from(self, stream: Hashable, most: int) -> _Share:
        requests = self._waiting[stream]
        request = requests[0]
        start, stop = request.taken, request.taken + min(most, request.left)
        request.taken = stop
        if not request.left:
            requests.popleft()
        if requests:
            self._waiting.move_to_end(stream)
        else:
            del self._waiting[stream]
        return request, start, stop

    def _scored(self, batch: list[_Share]) -> CropScores:
        if not batch:
            return CropScores(None, None, None, None)
        parts = [request.crops_rgb[start:stop] for request, start, stop in batch]
        crops = parts[0] if len(parts) == 1 else np.concatenate(parts)
        with self._submitting:
            pending = self._scorer.submit(crops, with_mri=batch[0][0].with_mri)
        return pending.result()

    def _deliver(self, batch: list[_Share], scores: CropScores) -> None:
        position = 0
        with self._changed:
            for request, start, stop in batch:
                count = stop - start
                request.fill(start, scores.part(position, position + count), count)
                position += count

    def _fail(self, batch: list[_Share], error: Exception) -> None:
        failure = error if isinstance(error, DeviceError) else DeviceError(f"the networks failed: {error}")
        failure.__cause__ = error if failure is not error else error.__cause__
        with self._changed:
            for request, _, _ in batch:
                self._remove(request)
                request.fail(failure)

    def _withdraw(self, request: _Request) -> None:
        with self._changed:
            self._remove(request)

    def _remove(self, request: _Request) -> None:
        requests = self._waiting.get(request.stream)
        if requests is not None and request in requests:
            requests.remove(request)
            if not requests:
                del self._waiting[request.stream]

    def _account(self, batch: list[_Share], begin_s: float, end_s: float) -> None:
        count = sum(stop - start for _, start, stop in batch)
        if not count:
            return
        with self._changed:
            self._counts["batches"] += 1
            self._counts["crops"] += count
            self._busy.append((begin_s, end_s))
            self._recent(end_s)
            cost = (end_s - begin_s) / count
            known = self._seconds_per_crop
            self._seconds_per_crop = cost if known is None else known + 0.05 * (cost - known)

    def _recent(self, now_s: float) -> deque[tuple[float, float]]:
        while self._busy and self._busy[0][1] < now_s - LOAD_S:
            self._busy.popleft()
        return self._busy


def _merged(batch: list[_Share]) -> list[_Share]:
    """Neighbouring ranges of one request as one, so that each is copied once."""
    merged: dict[int, _Share] = {}
    for request, start, stop in batch:
        before = merged.get(id(request))
        merged[id(request)] = (request, before[1] if before else start, stop)
    return list(merged.values())
