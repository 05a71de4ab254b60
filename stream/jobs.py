"""Analyses that are asked after: each has an address of its own, can be cancelled, and keeps its result for a while."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from unmask.pipeline.errors import UnmaskError
from unmask.stream.findings import Finding
from unmask.stream.upload import Job

MOST_KEPT = 8
KEEP_S = 900.0
UNWATCHED_S = 150.0
"""A tab in the background may ask only once a minute; one that does not ask for longer has been closed."""
SWEEP_S = 5.0


@dataclass(eq=False)
class HeldJob:
    """One job under its address; times are `time.monotonic()` seconds."""

    job: Job
    name: str
    method: str
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    asked_s: float = 0.0
    done_s: float | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.job.task is None or self.job.task.done()

    @property
    def finding(self) -> Finding | None:
        """The finding, once there is one."""
        task = self.job.task
        if task is None or not task.done() or task.cancelled() or task.exception() is not None:
            return None
        return task.result()

    @property
    def error(self) -> UnmaskError | None:
        """Why there is none and will be none, where that can be told to the user."""
        task = self.job.task
        error = task.exception() if task is not None and task.done() and not task.cancelled() else None
        if error is None or isinstance(error, UnmaskError):
            return error
        return UnmaskError("the analysis stopped on an internal error, see the server's log")

    @property
    def state(self) -> str:
        """`waiting`, `running`, `done`, `failed` or `cancelled`."""
        if not self.over:
            return "running" if self.job.started else "waiting"
        if self.finding is not None:
            return "done"
        return "failed" if self.error is not None else "cancelled"


class Jobs:
    """At most eight finished jobs for at most 15 minutes; a job that nobody asks after is cancelled.

    Attributes:
        dropped: jobs that were let go before they were asked to, by cause.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.dropped: Counter[str] = Counter()
        self._clock = clock
        self._held: dict[str, HeldJob] = {}
        self._sweeper: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._held)

    def start(self) -> None:
        """Begins to let go of what nobody wants."""
        self._sweeper = asyncio.create_task(self._sweep_for_ever(), name="sweeper of jobs")

    async def close(self) -> None:
        """Cancels every job and ends the sweeping."""
        sweeper, self._sweeper = self._sweeper, None
        if sweeper is not None:
            sweeper.cancel()
            await asyncio.wait([sweeper])
        for held in list(self._held.values()):
            self._let_go(held)

    def hold(self, job: Job, name: str, method: str) -> HeldJob:
        """Gives a job an address."""
        held = HeldJob(job, name, method, asked_s=self._clock())
        self._held[held.id] = held
        self.sweep()
        return held

    def get(self, job_id: str) -> HeldJob | None:
        """The job at this address; asking keeps it alive."""
        self.sweep()
        held = self._held.get(job_id)
        if held is not None:
            held.asked_s = self._clock()
        return held

    async def remove(self, job_id: str) -> bool:
        """Cancels a job and forgets it; returns when its work has stopped. False where there is none."""
        held = self._held.get(job_id)
        if held is None:
            return False
        self._let_go(held)
        if held.job.task is not None:
            await asyncio.wait([held.job.task])
        return True

    def sweep(self) -> None:
        """Lets go of what is too old, too many, or not asked after."""
        now_s = self._clock()
        for held, cause in list(self._unwanted(now_s)):
            self._let_go(held)
            self.dropped[cause] += 1

    def _unwanted(self, now_s: float) -> Iterator[tuple[HeldJob, str]]:
        finished = [held for held in self._held.values() if held.over]
        for held in finished:
            held.done_s = held.done_s if held.done_s is not None else now_s
        for index, held in enumerate(sorted(finished, key=lambda held: held.done_s or 0.0)):
            if index < len(finished) - MOST_KEPT:
                yield held, "too_many"
            elif now_s - (held.done_s or 0.0) > KEEP_S:
                yield held, "too_old"
        for held in self._held.values():
            if not held.over and now_s - held.asked_s > UNWATCHED_S:
                yield held, "unwatched"

    def _let_go(self, held: HeldJob) -> None:
        with suppress(KeyError):
            del self._held[held.id]
        held.job.stop.set()
        if held.job.task is not None:
            held.job.task.cancel()

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self.sweep()
