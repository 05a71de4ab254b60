"""The challenges of a running server: one at a time per face, fed by its stream, each with an end."""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from unmask.pipeline.challenge import Challenge, Phase, Prompt
from unmask.pipeline.challenge_sample import Sample, take_sample
from unmask.pipeline.detector import Detector
from unmask.pipeline.errors import UnmaskError
from unmask.pipeline.types import Frame, Verdict
from unmask.stream.challenge_wire import challenge_state
from unmask.stream.hub import Hub
from unmask.stream.streams import RunningStream, Streams

MOST_AT_A_TIME = 16
KEPT_RESULTS = 64
TICK_S = 0.5
NO_FRAMES_S = 4.0
"""A challenge whose stream gives no analysed frame for this long ends."""
LIMIT_S = 30.0
"""No challenge takes longer, whatever the stream's clock says."""
SAY_EVERY_S = 0.2


class CannotChallenge(UnmaskError):
    """Raised when a challenge cannot be started; `code` is the wire's error code."""

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = retryable


class Sampler(Protocol):
    """Gives the samples of the frame that a stream has just judged; None where its judge cannot."""

    def __call__(self, stream: RunningStream, frame: Frame) -> Sequence[Sample] | None: ...


@dataclass
class Running:
    """A challenge with where it belongs and when it was last heard of (monotonic seconds)."""

    id: str
    stream: str
    first_track: int
    challenge: Challenge
    started_s: float = field(default_factory=time.monotonic)
    frame_s: float = field(default_factory=time.monotonic)
    said_s: float = 0.0
    said: tuple[Phase, bool] | None = None

    def message(self) -> dict[str, object]:
        """How it stands."""
        return challenge_state(self.id, self.stream, self.first_track, self.challenge)


def detector_samples(stream: RunningStream, frame: Frame) -> Sequence[Sample] | None:
    """The samples of a stream's own detector."""
    detector = stream.session.detector
    if not isinstance(detector, Detector):
        return None
    samples = []
    for reading in detector.readings:
        fused = detector.fuse(reading.scores)
        samples.append(take_sample(frame.pts_s, reading, None if fused is None else fused[0]))
    return samples


class Challenges:
    """All challenges of a server; every call belongs on its event loop.

    Attributes:
        sampler: gives the samples of a judged frame.
    """

    def __init__(self, streams: Streams, hub: Hub, sampler: Sampler = detector_samples) -> None:
        self._streams = streams
        self._hub = hub
        self.sampler = sampler
        self._running: list[Running] = []
        self._over: deque[dict[str, object]] = deque(maxlen=KEPT_RESULTS)
        self._timer: asyncio.TimerHandle | None = None
        streams.listen(self._frame)

    def start(self, stream: str, track: int, prompt: Prompt | None = None, *, mirrored: bool = False) -> Running:
        """Begins a challenge of a face that is in the picture now.

        Raises:
            CannotChallenge: `no_such_stream`, `no_such_face`, `challenge_running` or `too_many_challenges`.
        """
        known = self._streams.get(stream)
        if known is None or not known.running:
            raise CannotChallenge("no_such_stream", "there is no running stream of this name")
        if track not in {verdict.track for verdict in known.newest()}:
            raise CannotChallenge("no_such_face", "this face is not in the picture now", retryable=True)
        if self.find(stream, track) is not None:
            raise CannotChallenge("challenge_running", "a challenge of this face is already running", retryable=True)
        if len(self._running) >= MOST_AT_A_TIME:
            message = f"this server runs at most {MOST_AT_A_TIME} challenges at a time"
            raise CannotChallenge("too_many_challenges", message, retryable=True)
        asked = prompt or secrets.choice(list(Prompt))
        running = Running(secrets.token_hex(8), stream, track, Challenge(asked, track, mirrored))
        self._running.append(running)
        self._say(running)
        self._wind()
        return running

    def stop(self, stream: str, track: int | None = None) -> int:
        """Ends the challenges of a face, or of a whole stream; how many there were."""
        found = [r for r in self._of(stream) if track is None or track in (r.first_track, r.challenge.track)]
        for running in found:
            self._end(running, "stopped")
        return len(found)

    def find(self, stream: str, track: int) -> Running | None:
        """The running challenge of a face, if there is one."""
        return next((r for r in self._of(stream) if r.challenge.track == track), None)

    def messages(self, stream: str) -> list[dict[str, object]]:
        """How the running challenges of a stream stand, and the kept ends of earlier ones, newest first."""
        over = [message for message in reversed(self._over) if message["stream"] == stream]
        return [running.message() for running in self._of(stream)] + over

    def close(self) -> None:
        """Ends all challenges."""
        for running in list(self._running):
            self._end(running, "stopped")
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _of(self, stream: str) -> Iterator[Running]:
        return (running for running in list(self._running) if running.stream == stream)

    def _frame(self, frame: Frame, _: list[Verdict]) -> None:
        mine = list(self._of(frame.stream))
        stream = self._streams.get(frame.stream) if mine else None
        if stream is None:
            return
        samples = self.sampler(stream, frame)
        now_s = time.monotonic()
        for running in mine:
            running.frame_s = now_s
            if samples is None:
                self._end(running, "no_samples")
                continue
            running.challenge.update(frame.pts_s, samples)
            changed = running.said != (running.challenge.phase, running.challenge.followed)
            if changed or now_s - running.said_s >= SAY_EVERY_S:
                self._say(running)

    def _tick(self) -> None:
        self._timer = None
        now_s = time.monotonic()
        for running in list(self._running):
            stream = self._streams.get(running.stream)
            if stream is None or not stream.running:
                self._end(running, "stream_ended")
            elif now_s - running.frame_s > NO_FRAMES_S:
                self._end(running, "no_frames")
            elif now_s - running.started_s > LIMIT_S:
                self._end(running, "no_answer")
        self._wind()

    def _wind(self) -> None:
        if self._running and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _end(self, running: Running, reason: str) -> None:
        running.challenge.stop(reason)
        self._say(running)

    def _say(self, running: Running) -> None:
        running.said, running.said_s = (running.challenge.phase, running.challenge.followed), time.monotonic()
        message = running.message()
        if running.challenge.phase is Phase.DONE and running in self._running:
            self._running.remove(running)
            self._over.append(message)
        self._hub.publish_challenge(running.stream, running.id, message)
