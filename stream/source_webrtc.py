"""`WebRtcSource`: the newest frame of a WebRTC publisher; it owns the peer connection and notices when media stop."""

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass

from aiortc import MediaStreamTrack, RTCPeerConnection
from aiortc.contrib.media import MediaBlackhole
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame

from unmask.models.video import DecodedPicture
from unmask.pipeline.types import Frame, StreamState
from unmask.stream.mailbox import Latest
from unmask.stream.source_base import SourceStats, StateListener, SteadyClock

log = logging.getLogger(__name__)

NO_MEDIA_S = 3.0
GIVE_UP_S = 10.0
CLOSE_TIMEOUT_S = 5.0
MAX_LATE_S = 1.0
MAX_PIXELS = 4096 * 2304
NO_MEDIA = "no_media: the publisher is connected but sends no picture"
NEVER_CONNECTED = "connecting: waiting for the publisher's first picture"


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A decoded picture in its native format, as cheap to hold as it came."""

    picture: VideoFrame
    pts_s: float
    arrival_s: float
    seq: int


class Lateness:
    """How far pictures are behind the promptest one so far, judged by their own times.

    A picture that waited in the decoder's queue says so by itself: its own clock has fallen behind ours. The reference
    creeps, so that a camera's clock may drift.
    """

    CREEP = 0.0005
    RESTART_S = 10.0

    def __init__(self) -> None:
        self._promptest_s: float | None = None
        self._last_s = 0.0

    def seconds(self, raw_s: float, now_s: float) -> float:
        """Seconds that this picture is late; a jump of the camera's clock starts anew."""
        offset_s = now_s - raw_s
        if self._promptest_s is not None:
            self._promptest_s += self.CREEP * (now_s - self._last_s)
        self._last_s = now_s
        if self._promptest_s is None or offset_s < self._promptest_s or offset_s > self._promptest_s + self.RESTART_S:
            self._promptest_s = offset_s
        return offset_s - self._promptest_s


class WebRtcSource:
    """Frames of one publishing peer, newest wins; ends when the peer is gone or silent for `give_up_s`.

    Attributes:
        peer: the connection; negotiating it is the business of whoever made it.
        no_media_s: seconds without a frame after which the stream has no signal.
        give_up_s: seconds without a frame after which the source ends.
    """

    live = True

    def __init__(
        self,
        name: str,
        peer: RTCPeerConnection,
        on_state: StateListener,
        *,
        no_media_s: float = NO_MEDIA_S,
        give_up_s: float = GIVE_UP_S,
    ) -> None:
        self.name = name
        self.peer = peer
        self.on_state = on_state
        self.no_media_s = no_media_s
        self.give_up_s = give_up_s
        self._mailbox: Latest[_Arrived] = Latest()
        self._blackhole = MediaBlackhole()
        self._clock = SteadyClock()
        self._lateness = Lateness()
        self._tasks: list[asyncio.Task[None]] = []
        self._last_s = time.monotonic()
        self._signal: bool | None = None
        self._seq = 0
        self._drained = False
        self._closed = False
        peer.on("track", self._on_track)
        peer.on("connectionstatechange", self._on_connection)

    @property
    def stats(self) -> SourceStats:
        """A snapshot of the counts."""
        frames_in, dropped = self._mailbox.counts()
        return SourceStats(frames_in=frames_in, dropped=dropped)

    async def start(self) -> None:
        """Begins to watch for silence; media come as soon as the peer has connected."""
        self._last_s = time.monotonic()
        self.on_state(StreamState.CONNECTING, "")
        self._tasks.append(asyncio.create_task(self._watch(), name=f"watch of {self.name}"))

    async def next_frame(self) -> Frame:
        """The newest frame, not converted yet.

        Raises:
            EndOfStream: the peer is gone or was silent for too long.
        """
        arrived = await self._mailbox.get()
        return Frame(
            image_rgb=DecodedPicture(arrived.picture),
            pts_s=arrived.pts_s,
            arrival_s=arrived.arrival_s,
            decoded_s=time.monotonic(),
            stream=self.name,
            seq=arrived.seq,
        )

    def end(self) -> None:
        """Lets the reader see the end of the stream."""
        self._mailbox.close()

    async def close(self) -> None:
        """Ends its tasks and closes the peer connection."""
        self._mailbox.close(discard=True)
        if self._closed:
            return
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self._blackhole.stop()
        await close_peer(self.peer)

    def _on_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "video" and not self._drained and not self._closed:
            self._drained = True
            self._tasks.append(asyncio.create_task(self._drain(track), name=f"drain of {self.name}"))
        elif not self._closed:
            self._blackhole.addTrack(track)
            self._tasks.append(asyncio.create_task(self._blackhole.start()))

    async def _on_connection(self) -> None:
        if self.peer.connectionState in ("failed", "closed"):
            self.end()

    async def _drain(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                picture = await track.recv()
                if isinstance(picture, VideoFrame):
                    self._arrived(picture)
        self.end()

    def _arrived(self, picture: VideoFrame) -> None:
        now = time.monotonic()
        self._last_s = now
        seq, self._seq = self._seq, self._seq + 1
        if not 0 < picture.width * picture.height <= MAX_PIXELS:
            self._mailbox.refuse("unusable_size")
            return
        raw_s = None if picture.pts is None or picture.time_base is None else float(picture.pts * picture.time_base)
        if raw_s is not None and self._lateness.seconds(raw_s, now) > MAX_LATE_S:
            self._mailbox.refuse("late")
            return
        self._mailbox.put(_Arrived(picture, self._clock.pts_s(raw_s, now), now, seq))
        if self._signal is not True:
            self._signal = True
            self.on_state(StreamState.LIVE, "")

    async def _watch(self) -> None:
        """Tells of silence, and ends the source when it lasts."""
        while True:
            silent_s = time.monotonic() - self._last_s
            if silent_s >= self.give_up_s:
                self.end()
                return
            if silent_s >= self.no_media_s and self._signal is not False:
                reason = NEVER_CONNECTED if self._signal is None else NO_MEDIA
                self._signal = False
                self.on_state(StreamState.NO_SIGNAL, reason)
            limit_s = self.give_up_s if self._signal is False else self.no_media_s
            await asyncio.sleep(max(limit_s - silent_s, 0.02))


async def close_peer(peer: RTCPeerConnection) -> None:
    """Closes a connection, waiting at most five seconds."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await peer.close()
    except TimeoutError:
        log.error("a peer connection did not close within %.0f s", CLOSE_TIMEOUT_S)
