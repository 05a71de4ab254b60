"""A real server with synthetic cameras, and a websocket client in another process that receives its verdicts.

Every camera paints the time into its pictures. The detector's side notes which time stands in which picture it judges
(read from the pixels), and the client notes when the verdict on that picture arrives.
"""

import asyncio
import json
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from common import HERE, cpu_s, gpu_busy, rss_mb
from listener import Row
from timecode import Image, paint_time, read_time

from unmask.models.engine import Engine
from unmask.models.machine import cuda_devices
from unmask.pipeline.detector import Detector
from unmask.pipeline.errors import UnmaskError
from unmask.pipeline.types import Frame, Verdict
from unmask.stream.auth import open_tokens
from unmask.stream.serve import Server
from unmask.stream.server import create_app
from unmask.stream.service import Service
from unmask.stream.session import Judge
from unmask.stream.session_stats import SessionStats
from unmask.stream.settings import ServeSettings
from unmask.stream.sockets import BoundedWebSocket
from unmask.stream.source_base import Captured, StateListener, Unusable
from unmask.stream.source_demo import DemoScene
from unmask.stream.source_live import LiveSource, Supervision
from unmask.stream.streams import RunningStream

LOOP_FRAMES, LOOP_FPS = 75, 30
"""Pictures drawn beforehand and played to and fro, so that drawing costs nothing while time is measured."""
SAMPLE_S = 0.5


@dataclass(frozen=True, slots=True)
class Load:
    """What is put on the server; figures are taken after `warm_up_s`."""

    streams: int
    size_wh: tuple[int, int]
    fps: float
    seconds: float
    warm_up_s: float


@dataclass(frozen=True, slots=True)
class Judged:
    """A frame that was judged: the time painted in it (None: unreadable), and its age when it was taken."""

    stream: str
    seq: int
    painted_s: float | None
    age_ms: float
    verdicts: int


@dataclass(frozen=True, slots=True)
class Sample:
    """What the server's process uses at a moment."""

    at_s: float
    rss_mb: float
    cpu_s: float
    gpu: float | None


@dataclass
class Observed:
    """Everything noted during a run; times are seconds of `time.monotonic()`."""

    start_s: float = 0.0
    workers: int = 0
    refused: list[str] = field(default_factory=list)
    produced: dict[str, int] = field(default_factory=dict)
    judged: list[Judged] = field(default_factory=list)
    received: list[Row] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    stats: dict[str, SessionStats] = field(default_factory=dict)


class Camera:
    """Plays a loop at a pace with the time painted into each picture; counts its pictures."""

    def __init__(self, loop_rgb: list[Image], fps: float, start_s: float) -> None:
        self._there_and_back = loop_rgb + loop_rgb[-2:0:-1]
        self._fps = fps
        self._start_s = start_s
        self.produced = 0

    def capture(self, stop: threading.Event) -> Generator[Captured | Unusable, None, None]:
        """Pictures at the pace of `fps`; where painting is slower, pictures are left out and not counted."""
        begin_s, index = time.monotonic(), 0
        while not stop.wait(max(begin_s + index / self._fps - time.monotonic(), 0.0)):
            pts_s = index / self._fps
            image_rgb = self._there_and_back[int(pts_s * LOOP_FPS) % len(self._there_and_back)].copy()
            now_s = time.monotonic()
            paint_time(image_rgb, now_s - self._start_s)
            self.produced += 1
            yield Captured(image_rgb, pts_s, now_s)
            index = max(index + 1, int((time.monotonic() - begin_s) * self._fps))

    def source(self, name: str, on_state: StateListener) -> LiveSource:
        """The camera as a live source."""
        return LiveSource(name, self.capture, on_state, Supervision(reopen=False))


class Watch:
    """A stream's own judge, which notes besides what it is given."""

    def __init__(self, judge: Judge, stream: str, judged: list[Judged]) -> None:
        self._judge, self._stream, self._judged = judge, stream, judged

    def step(self, frame: Frame) -> list[Verdict]:
        """Notes the frame's age now and, afterwards, the time in its pixels."""
        age_ms = (time.monotonic() - frame.arrival_s) * 1e3
        verdicts = self._judge.step(frame)
        self._judged.append(Judged(self._stream, frame.seq, read_time(frame.image_rgb), age_ms, len(verdicts)))
        return verdicts

    def mri_map(self, track: int) -> Image | None:
        """The judge's own."""
        return self._judge.mri_map(track)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._judge, name)


def warm_up(engine: Engine, pictures_rgb: list[Image], steps: int = 5) -> None:
    """Has the engine judge a few pictures, so that what it does only once, such as compiling, is over."""
    for thread in threading.enumerate():
        if thread.name == "compiler":
            thread.join(120)
    detector = Detector(engine, "warm-up")
    for seq, image_rgb in enumerate(pictures_rgb[:steps]):
        now_s = time.monotonic()
        detector.step(Frame(image_rgb, seq / 10, now_s, now_s, "warm-up", seq))


async def run_load(engine: Engine, load: Load) -> Observed:
    """Puts the load on a server of its own and notes what happens."""
    scene = DemoScene(load.size_wh)
    loop_rgb = [scene.picture_rgb(index / LOOP_FPS) for index in range(LOOP_FRAMES)]
    warm_up(engine, loop_rgb)
    observed = Observed(start_s=time.monotonic())
    settings = ServeSettings(host="127.0.0.1", port=0, max_streams=load.streams)
    tokens, _ = open_tokens(settings)
    service = Service(settings, engine, tokens)
    observed.workers = getattr(service.executor, "_max_workers", 0)
    try:
        service.start()
        async with _serving(service) as url, _client(url, observed.received):
            observed.start_s = time.monotonic()
            await _stream(service, load, loop_rgb, observed)
    finally:
        await service.close()
    return observed


async def _stream(service: Service, load: Load, loop_rgb: list[Image], observed: Observed) -> None:
    """Runs all cameras for the time of the load, then ends them and keeps their last counts."""
    cameras, streams = {}, list[RunningStream]()
    for index in range(load.streams):
        name = f"s{index}"
        camera = Camera(loop_rgb, load.fps, observed.start_s)
        try:
            stream = service.streams.add(name, lambda told, n=name, c=camera: c.source(n, told), kind="camera")
        except UnmaskError as error:
            observed.refused.append(str(error))
            continue
        stream.session.detector = Watch(stream.session.detector, name, observed.judged)
        streams.append(stream)
        cameras[name] = camera
    gpus = bool(cuda_devices())
    while (left_s := observed.start_s + load.seconds - time.monotonic()) > 0:
        await asyncio.sleep(min(SAMPLE_S, left_s))
        gpu = await asyncio.to_thread(gpu_busy) if gpus else None
        observed.samples.append(Sample(time.monotonic() - observed.start_s, rss_mb(), cpu_s(), gpu))
    for stream in streams:
        if stream.task is not None and stream.task.done():
            stream.task.result()
    await service.streams.close()
    observed.produced = {name: camera.produced for name, camera in cameras.items()}
    observed.stats = {stream.name: stream.session.stats for stream in streams}


@asynccontextmanager
async def _serving(service: Service) -> AsyncIterator[str]:
    """The server as `unmask serve` runs it; the address of its websocket."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        create_app(service), http="h11", ws=BoundedWebSocket, ws_per_message_deflate=False, lifespan="off",
        log_level="error", access_log=False, timeout_graceful_shutdown=2,
    )  # fmt: skip
    server = Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/ws"
    finally:
        server.should_exit = True
        await task
        listener.close()


@asynccontextmanager
async def _client(url: str, received: list[Row]) -> AsyncIterator[None]:
    """A subscribed client process; what it received is there once the block has ended."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(HERE / "listener.py"), url, stdin=pipe, stdout=pipe, limit=2**20
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            line = await process.stdout.readline()
        if line != b"ready\n":
            raise SystemExit("error: the websocket client could not subscribe")
        yield
        async with asyncio.timeout(30):
            output, _ = await process.communicate(b"")
        received.extend(tuple(row) for row in json.loads(output))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def totals(stats: dict[str, SessionStats]) -> tuple[int, int, Counter[str]]:
    """Frames in, frames analysed and drops by cause of all streams."""
    dropped: Counter[str] = Counter()
    for one in stats.values():
        dropped += one.dropped
    return sum(one.frames_in for one in stats.values()), sum(one.analyzed for one in stats.values()), dropped


def conserved(observed: Observed) -> bool:
    """Whether every frame is accounted for, by the session's counts and by those of camera and detector."""
    steps = Counter(judged.stream for judged in observed.judged)
    return all(
        stats.pending == stats.in_flight == 0
        and stats.frames_in == stats.analyzed + stats.dropped.total()
        and 0 <= observed.produced[name] - stats.frames_in <= 1
        and 0 <= steps[name] - stats.analyzed <= stats.dropped["cancelled"]
        for name, stats in observed.stats.items()
    )
