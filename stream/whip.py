"""WebRTC over HTTP: WHIP (RFC 9725) publishes a stream, WHEP shows one; every connection is owned and bounded."""

import asyncio
import contextlib
import hashlib
import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction

import cv2
import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError
from aiortc.mediastreams import MediaStreamError
from aiortc.sdp import SessionDescription
from av import VideoFrame
from numpy.typing import NDArray

from unmask.pipeline.errors import UnmaskError
from unmask.stream.source_webrtc import WebRtcSource, close_peer
from unmask.stream.streams import FrameTap, RunningStream, Streams

log = logging.getLogger(__name__)

NEGOTIATION_TIMEOUT_S = 8.0
CONNECT_TIMEOUT_S = 15.0
REPORT_EVERY_S = 2.0
SILENT_S = 10.0
MAX_SDP_BYTES = 65_536
MAX_SENT_WIDTH = 1280
VIDEO_CLOCK = 90_000
MARKS = 256
_SDP_ERRORS = (ValueError, KeyError, IndexError, AttributeError, TypeError, AssertionError)
_PEER_ERRORS = (*_SDP_ERRORS, InternalError, InvalidAccessError, InvalidStateError, OperationError)


class BadOffer(UnmaskError):
    """Raised when an SDP offer cannot be understood or carries no usable video."""


class TooManyViewers(UnmaskError):
    """Raised when the server shows streams to as many viewers as it admits."""


@dataclass(frozen=True)
class Answer:
    """What a WHIP or WHEP client gets: the resource's id, the SDP answer and its entity tag."""

    id: str
    sdp: str

    @property
    def etag(self) -> str:
        """Tag of this ICE session."""
        return f'"{hashlib.sha256(self.sdp.encode()).hexdigest()[:16]}"'


@dataclass
class _Viewer:
    id: str
    stream: RunningStream
    peer: RTCPeerConnection
    track: "FrameTrack"
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class FrameTrack(MediaStreamTrack):
    """The analysed frames of a stream as a WebRTC track: newest wins, nothing is queued.

    Its times are the frames' own (`pts_s`) and mark them (`marked_ticks`), so that a viewer can tell which verdict
    belongs to which picture.

    Attributes:
        sent_s: `time.monotonic()` of the newest frame handed over, at first of its own start.
    """

    kind = "video"

    def __init__(self, tap: FrameTap) -> None:
        super().__init__()
        self._tap = tap
        self._seq = -1
        self.sent_s = time.monotonic()
        self._first_s: float | None = None
        self._last_pts = -1

    async def recv(self) -> VideoFrame:
        """The next frame as soon as it was analysed.

        Raises:
            MediaStreamError: the stream has ended.
        """
        frame = await self._tap.newer(self._seq)
        if frame is None or self.readyState != "live":
            self.stop()
            raise MediaStreamError
        self._seq = frame.seq
        picture = await asyncio.to_thread(_to_picture, frame.image_rgb)
        self._first_s = frame.pts_s if self._first_s is None else self._first_s
        self._last_pts = max(self._last_pts + 1, marked_ticks(frame.pts_s - self._first_s, frame.seq))
        self.sent_s = time.monotonic()
        picture.pts, picture.time_base = self._last_pts, Fraction(1, VIDEO_CLOCK)
        return picture


def marked_ticks(time_s: float, seq: int) -> int:
    """A time in ticks of the 90 kHz clock whose lowest 8 bits are made of the frame's number, at most 2.9 ms off.

    A browser sees RTP times, which count from a random zero: pictures that come at an even pace could belong to the
    verdict before or after as well. The bits grow by another step from frame to frame, so only one match fits.
    """
    low = seq % MARKS
    return round(time_s * VIDEO_CLOCK / MARKS) * MARKS + (31 * low * low + 7 * low) % MARKS


class Peers:
    """The publishers and viewers of a server."""

    def __init__(self, streams: Streams, *, max_viewers: int, ice_servers: Sequence[str] = ()) -> None:
        self._streams = streams
        self._max_viewers = max_viewers
        self._ice_servers = [RTCIceServer(urls=url) for url in ice_servers]
        self._publishers: dict[str, RunningStream] = {}
        self._viewers: dict[str, _Viewer] = {}

    @property
    def counts(self) -> tuple[int, int]:
        """How many publishers and how many viewers there are."""
        return len(self._publishers), len(self._viewers)

    def viewers_of(self, name: str) -> int:
        """How many viewers watch the stream of this name."""
        return sum(viewer.stream.name == name for viewer in self._viewers.values())

    async def publish(self, name: str, offer: str) -> Answer:
        """Starts a stream from a WHIP offer.

        Raises:
            BadOffer: the offer makes no sense or brings no video.
            NameTaken, TooManyStreams: see `Streams.admit`.
        """
        self._check(offer, "sendonly", "sendrecv")
        peer = self._peer()
        try:
            stream = self._streams.add(
                name, lambda on_state: WebRtcSource(name, peer, on_state), kind="webrtc", ephemeral=True
            )
        except UnmaskError:
            await close_peer(peer)
            raise
        key = secrets.token_urlsafe(16)
        self._publishers[key] = stream
        if stream.task is not None:
            stream.task.add_done_callback(lambda _: self._publishers.pop(key, None))
        try:
            return Answer(key, await _negotiate(peer, offer))
        except BadOffer:
            await self._streams.remove(name)
            raise

    async def watch(self, stream: RunningStream, offer: str) -> Answer:
        """Shows a stream to a WHEP viewer.

        Raises:
            BadOffer: the offer makes no sense or takes no video.
            TooManyViewers: the server is full.
        """
        self._check(offer, "recvonly", "sendrecv")
        if len(self._viewers) >= self._max_viewers:
            raise TooManyViewers(f"this server shows streams to at most {self._max_viewers} viewers at a time")
        viewer = _Viewer(secrets.token_urlsafe(16), stream, self._peer(), FrameTrack(stream.tap))
        self._viewers[viewer.id] = viewer
        viewer.peer.on("connectionstatechange", lambda: _follow(viewer))
        viewer.track.on("ended", viewer.finished.set)
        viewer.peer.addTrack(viewer.track)
        viewer.task = asyncio.create_task(self._attend(viewer), name=f"viewer of {stream.name}")
        try:
            return Answer(viewer.id, await _negotiate(viewer.peer, offer))
        except BadOffer:
            await self._dismiss(viewer)
            raise

    async def close(self, name: str, key: str) -> bool:
        """Ends a publisher or a viewer of this stream; False when there is none."""
        stream = self._publishers.get(key)
        if stream is not None and stream.name == name:
            return await self._streams.remove(name)
        viewer = self._viewers.get(key)
        if viewer is not None and viewer.stream.name == name:
            await self._dismiss(viewer)
            return True
        return False

    def stream_of(self, key: str) -> str | None:
        """The name of the stream that a publisher or viewer belongs to."""
        if key in self._publishers:
            return self._publishers[key].name
        return self._viewers[key].stream.name if key in self._viewers else None

    async def close_all(self) -> None:
        """Ends every viewer and every publisher."""
        await asyncio.gather(*(self._dismiss(viewer) for viewer in list(self._viewers.values())))
        await asyncio.gather(*(self._streams.remove(stream.name) for stream in list(self._publishers.values())))

    def _peer(self) -> RTCPeerConnection:
        return RTCPeerConnection(RTCConfiguration(iceServers=list(self._ice_servers)))

    def _check(self, offer: str, *directions: str) -> None:
        """Refuses an offer without exactly one video section of a fitting direction."""
        try:
            media = SessionDescription.parse(offer).media
        except _SDP_ERRORS:
            raise BadOffer("the body is not an SDP offer") from None
        videos = [section for section in media if section.kind == "video"]
        if len(videos) != 1 or (videos[0].direction or "sendrecv") not in directions:
            raise BadOffer(f"the offer must hold one video section that is {' or '.join(directions)}")

    async def _attend(self, viewer: _Viewer) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await viewer.connected.wait()
            while not viewer.finished.is_set() and await _watches(viewer):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(REPORT_EVERY_S):
                        await viewer.finished.wait()
        except TimeoutError:
            log.info("a viewer of %s did not connect within %.0f s", viewer.stream.name, CONNECT_TIMEOUT_S)
        finally:
            self._viewers.pop(viewer.id, None)
            await close_peer(viewer.peer)

    async def _dismiss(self, viewer: _Viewer) -> None:
        """Ends a viewer, also one whose task has not begun yet."""
        self._viewers.pop(viewer.id, None)
        if viewer.task is not None:
            viewer.task.cancel()
            await asyncio.gather(viewer.task, return_exceptions=True)
        await close_peer(viewer.peer)


def _follow(viewer: _Viewer) -> None:
    state = viewer.peer.connectionState
    if state == "connected":
        viewer.connected.set()
    elif state in ("failed", "closed"):
        viewer.connected.set()
        viewer.finished.set()


async def _watches(viewer: _Viewer) -> bool:
    """Whether the viewer acknowledges what is sent; one that is gone falls silent."""
    if time.monotonic() - viewer.track.sent_s > REPORT_EVERY_S:
        return True
    heard = [row.timestamp for row in (await viewer.peer.getStats()).values() if row.type == "remote-inbound-rtp"]
    return not heard or (datetime.now(UTC) - max(heard)).total_seconds() < SILENT_S


async def _negotiate(peer: RTCPeerConnection, offer: str) -> str:
    """Answers an offer with all candidates gathered.

    Raises:
        BadOffer: the offer does not fit, or gathering took too long.
    """
    try:
        async with asyncio.timeout(NEGOTIATION_TIMEOUT_S):
            await peer.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
            await peer.setLocalDescription(await peer.createAnswer())
    except TimeoutError:
        raise BadOffer("the connection could not be prepared in time") from None
    except _PEER_ERRORS as error:
        log.info("an SDP offer was refused: %s", error)
        raise BadOffer("the offer cannot be answered: it fits no codec or transport of this server") from None
    return str(peer.localDescription.sdp)


def _to_picture(image_rgb: NDArray[np.uint8]) -> VideoFrame:
    height, width = image_rgb.shape[:2]
    scale = min(1.0, MAX_SENT_WIDTH / width)
    size_wh = (max(2, round(width * scale) // 2 * 2), max(2, round(height * scale) // 2 * 2))
    if size_wh != (width, height):
        image_rgb = np.asarray(cv2.resize(image_rgb, size_wh, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return VideoFrame.from_ndarray(np.ascontiguousarray(image_rgb), format="rgb24")
