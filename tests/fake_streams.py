"""Scripted sources, captures and detectors for the tests of live streams."""

import asyncio
import threading
import time
from collections.abc import Callable, Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from unmask.pipeline.errors import SourceError
from unmask.pipeline.types import Frame, Quality, StreamState, Verdict, VerdictState
from unmask.stream.mailbox import Latest
from unmask.stream.source_base import Capture, Captured, SourceStats, Unusable

LIMIT_S = 20.0
"""Nothing in these tests takes so long unless it hangs."""
States = list[tuple[StreamState, str]]


def noise_rgb(seed: int, size_wh: tuple[int, int] = (64, 48)) -> NDArray[np.uint8]:
    """A picture unlike any other."""
    return np.random.default_rng(seed).integers(0, 256, (size_wh[1], size_wh[0], 3), np.uint8)


def captured(seed: int, pts_s: float | None = None) -> Captured:
    """A picture that has just arrived."""
    return Captured(noise_rgb(seed), pts_s, time.monotonic())


def frame(seq: int, age_s: float = 0.0, image_rgb: NDArray[np.uint8] | None = None) -> Frame:
    """A frame that arrived `age_s` ago."""
    arrival_s = time.monotonic() - age_s
    return Frame(noise_rgb(seq) if image_rgb is None else image_rgb, seq / 25, arrival_s, arrival_s, "test", seq)


def verdict(seq: int = 0, track: int = 1) -> Verdict:
    """A verdict on a genuine face."""
    quality = Quality(120.0, 9.0, 128.0, 0.0, 1.0)
    box = (0.25, 0.25, 0.5, 0.75)
    return Verdict(
        "test", track, seq, seq / 25, box, VerdictState.AUTHENTIC, 0.1, {}, quality, timing_ms={"infer": 1.0}
    )


def script(*attempts: Sequence[Captured | Unusable | SourceError | Callable[[threading.Event], None]]) -> Capture:
    """A capture that does the next list of things each time it is opened, and the last one from then on."""
    remaining = list(attempts)

    def capture(stop: threading.Event) -> Generator[Captured | Unusable, None, None]:
        steps = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        for step in steps:
            if isinstance(step, SourceError):
                raise step
            if isinstance(step, Captured | Unusable):
                yield step
            else:
                step(stop)

    return capture


def until_stopped(stop: threading.Event) -> None:
    """A camera that stays connected and sends nothing."""
    stop.wait(LIMIT_S)


async def eventually(condition: Callable[[], bool]) -> None:
    """Waits until the condition holds."""
    for _ in range(int(LIMIT_S / 0.005)):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise TimeoutError("what the test waits for did not happen")


class HandFedSource:
    """A source whose frames the test puts in."""

    def __init__(self, live: bool = True) -> None:
        self.name = "test"
        self.live = live
        self.on_state: Callable[[StreamState, str], None] = lambda state, reason: None
        self.closed = 0
        self.mailbox: Latest[Frame] = Latest()

    @property
    def stats(self) -> SourceStats:
        return SourceStats(*self.mailbox.counts())

    async def start(self) -> None:
        self.on_state(StreamState.CONNECTING, "")

    async def next_frame(self) -> Frame:
        return await self.mailbox.get()

    async def close(self) -> None:
        self.closed += 1
        self.mailbox.close(discard=True)


class ScriptedDetector:
    """Says of each frame what `answer` says, and remembers the frames."""

    def __init__(self, answer: Callable[[Frame], list[Verdict]] = lambda frame: [verdict(frame.seq)]) -> None:
        self.seen: list[int] = []
        self._answer = answer

    def step(self, frame: Frame) -> list[Verdict]:
        self.seen.append(frame.seq)
        return self._answer(frame)

    def mri_map(self, track: int) -> NDArray[np.uint8] | None:
        return None
