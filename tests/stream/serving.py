"""A real server inside the test's event loop, with a judge that needs no networks, and WebRTC clients for it."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import httpx
import numpy as np
import uvicorn
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from av import VideoFrame

from unmask.models.engine import Engine
from unmask.pipeline.errors import UnreadableFile
from unmask.pipeline.types import BranchResult, Frame, Quality, StreamState, Verdict, VerdictState
from unmask.stream.auth import open_tokens
from unmask.stream.findings import Finding
from unmask.stream.serve import Server
from unmask.stream.server import create_app
from unmask.stream.service import Service
from unmask.stream.settings import ServeSettings
from unmask.stream.sockets import BoundedWebSocket

SIZE_WH = (320, 240)


def make_verdict(
    stream: str = "door",
    track: int = 1,
    seq: int = 0,
    state: VerdictState = VerdictState.AUTHENTIC,
    p_fake: float | None = 0.1,
) -> Verdict:
    """A verdict with every field filled."""
    return Verdict(
        stream=stream,
        track=track,
        seq=seq,
        pts_s=seq / 25,
        box_xyxy=(0.25, 0.25, 0.5, 0.75),
        state=state,
        p_fake=p_fake,
        branches={"spatial": BranchResult(0.2, 0.6, 0.7), "mri": BranchResult(0.1, 0.8, 0.3)},
        quality=Quality(88.0, 21.5, 120.0, -0.1, 0.9, ()),
        reasons=("inconclusive",),
        degraded=("mri",),
        timing_ms={"decode": 1.0, "detect": 10.0, "infer": 12.0, "queue": 0.5, "total": 25.0},
    )


class FakeJudge:
    """Says of every frame that one face is authentic."""

    def __init__(self, stream: str) -> None:
        self.stream = stream

    def step(self, frame: Frame) -> list[Verdict]:
        """One verdict with the frame's number."""
        return [make_verdict(self.stream, seq=frame.seq)]


class FakeEngine:
    """What the server shows of an engine."""

    device = "test"
    weights_sha256 = {"spatial": "00"}
    stats = None

    def forget(self, stream: str) -> None:
        """Nothing waits here."""


def fake_analyze(path: Path, name: str, method: str, engine: Engine, progress: Callable[[float], None]) -> Finding:
    """Reads the file and gives its size; refuses one that holds the word `broken`."""
    progress(0.5)
    content = path.read_bytes()
    if b"broken" in content:
        raise UnreadableFile(f"{name} is not a video or image")
    result: dict[str, object] = {"file": name, "method": method, "bytes": len(content)}
    return Finding(result, {"timeline": []}, f"<h1>{name}</h1>")


@dataclass
class Running:
    """A server that runs: its service, its address and a client for it."""

    service: Service
    port: int
    client: httpx.AsyncClient
    token: str | None = None
    closing: list[Callable[[], Any]] = field(default_factory=list)

    async def until(self, holds: Callable[[], bool], seconds: float = 15.0) -> None:
        """Waits until something holds; fails after `seconds`."""
        deadline_s = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline_s, "it does not hold in time"
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def serving(analyze: Any = fake_analyze, judge: Any = FakeJudge, **settings: Any) -> AsyncIterator[Running]:
    """A server on a free port of this machine."""
    configured = ServeSettings.load(port=0, **settings)
    tokens, generated = open_tokens(configured)
    service = Service(configured, cast(Engine, FakeEngine()), tokens, make_judge=judge, analyze=analyze)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config = uvicorn.Config(
        create_app(service), ws=BoundedWebSocket, lifespan="off", log_level="error", timeout_graceful_shutdown=3
    )
    server = Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        service.start()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False) as client:
            yield Running(service, port, client, generated)
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, 15)
        await asyncio.wait_for(service.close(), 15)
        listener.close()


class NoiseTrack(MediaStreamTrack):
    """A camera of 20 pictures a second, each one different; they come while `flowing` is set."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.flowing = asyncio.Event()
        self.flowing.set()
        self._rng = np.random.default_rng(1)
        self._start_s = time.monotonic()

    async def recv(self) -> VideoFrame:
        """The next picture."""
        await asyncio.sleep(0.05)
        await self.flowing.wait()
        blocks = self._rng.integers(60, 200, (SIZE_WH[1] // 16, SIZE_WH[0] // 16, 3), np.uint8)
        picture = VideoFrame.from_ndarray(blocks.repeat(16, 0).repeat(16, 1), format="rgb24")
        picture.pts = int((time.monotonic() - self._start_s) * 90_000)
        picture.time_base = Fraction(1, 90_000)
        return picture


@dataclass
class Publisher:
    """A WHIP client."""

    peer: RTCPeerConnection
    track: NoiseTrack
    response: httpx.Response

    @property
    def location(self) -> str:
        """The session's address."""
        return self.response.headers["location"]


async def offer_of(peer: RTCPeerConnection) -> str:
    """The SDP offer of a peer with all candidates."""
    await peer.setLocalDescription(await peer.createOffer())
    return str(peer.localDescription.sdp)


async def post_sdp(client: httpx.AsyncClient, path: str, sdp: str) -> httpx.Response:
    """Posts an offer."""
    return await client.post(path, content=sdp, headers={"Content-Type": "application/sdp"})


@contextlib.asynccontextmanager
async def publishing(running: Running, name: str) -> AsyncIterator[Publisher]:
    """Publishes a stream; the peer is closed at the end, without DELETE."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    track = NoiseTrack()
    peer.addTransceiver(track, "sendonly")
    try:
        response = await post_sdp(running.client, f"/whip/{name}", await offer_of(peer))
        if response.status_code == 201:
            await peer.setRemoteDescription(RTCSessionDescription(response.text, "answer"))
        yield Publisher(peer, track, response)
    finally:
        await peer.close()
        track.stop()


def live(running: Running, name: str) -> bool:
    """Whether a stream is live and has been judged."""
    stream = running.service.streams.get(name)
    return stream is not None and stream.state is StreamState.LIVE and bool(stream.newest())
