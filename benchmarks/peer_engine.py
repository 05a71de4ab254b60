"""The engine's side of `peer.py`, in a process of its own: the product's reader, detector, session and engine."""

import argparse
import asyncio
import json
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from common import cpu_s

from unmask.models.engine import Engine
from unmask.pipeline.detector import Detector
from unmask.pipeline.picture import Picture
from unmask.pipeline.types import Frame, Verdict
from unmask.stream.auth import open_tokens
from unmask.stream.service import Service
from unmask.stream.settings import ServeSettings
from unmask.stream.source_base import Captured, StateListener, Unusable
from unmask.stream.source_file import read_file
from unmask.stream.source_live import LiveSource, Supervision

FEED_FPS = 30.0


def pictures_of(clip: Path) -> Iterator[Picture]:
    """The clip's pictures, again and again."""
    while True:
        with read_file(clip, "clip") as frames:
            for _, picture in frames.pictures():
                yield picture


def as_fast_as_possible(engine: Engine, clip: Path, warm_up: int, count: int) -> dict[str, float]:
    """Judges `count` frames, every one of them, after some to warm up."""
    detector, pictures = Detector(engine, "clip"), pictures_of(clip)

    def judge(seq: int) -> int:
        picture, now_s = next(pictures), time.monotonic()
        return len(detector.step(Frame(picture, seq / FEED_FPS, now_s, now_s, "clip", seq)))

    for seq in range(warm_up):
        judge(seq)
    start_s, start_cpu_s = time.monotonic(), cpu_s()
    faces = sum(judge(warm_up + index) for index in range(count))
    return {"frames": count, "faces": faces, "wall_s": time.monotonic() - start_s, "cpu_s": cpu_s() - start_cpu_s}


async def fed(engine: Engine, clip: Path, seconds: float) -> dict[str, Any]:
    """A camera delivers 30 frames a second; latency is from the moment when a frame is due to its verdicts."""
    settings = ServeSettings(host="127.0.0.1", max_streams=1)
    service = Service(settings, engine, open_tokens(settings)[0])
    latencies_ms: list[float] = []
    faces = [0]

    def capture(stop: threading.Event) -> Generator[Captured | Unusable, None, None]:
        begin_s = time.monotonic()
        for index, picture in enumerate(pictures_of(clip)):
            due_s = begin_s + index / FEED_FPS
            if stop.wait(max(due_s - time.monotonic(), 0.0)):
                return
            picture.thumb()
            yield Captured(picture, index / FEED_FPS, due_s)

    def on_verdicts(frame: Frame, verdicts: list[Verdict]) -> None:
        latencies_ms.append((time.monotonic() - frame.arrival_s) * 1e3)
        faces[0] += len(verdicts)

    def source(told: StateListener) -> LiveSource:
        return LiveSource("clip", capture, told, Supervision(reopen=False))

    try:
        service.start()
        service.streams.listen(on_verdicts)
        start_s, start_cpu_s = time.monotonic(), cpu_s()
        stream = service.streams.add("clip", source, kind="camera")
        await asyncio.sleep(seconds)
        used_s, wall_s = cpu_s() - start_cpu_s, time.monotonic() - start_s
        if stream.task is not None and stream.task.done():
            stream.task.result()
    finally:
        await service.close()
    return {
        "frames": len(latencies_ms), "faces": faces[0], "wall_s": wall_s, "cpu_s": used_s,
        "latencies_ms": latencies_ms, "dropped": dict(stream.session.stats.dropped),
    }  # fmt: skip


def main() -> None:
    """Runs both measurements and prints one JSON object."""
    parser = argparse.ArgumentParser(description="The engine's side of benchmarks/peer.py.")
    parser.add_argument("clip", type=Path)
    parser.add_argument("--warm-up", type=int, default=40)
    parser.add_argument("--frames", type=int, default=90)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args()
    with Engine.open(asked.device) as engine:
        throughput = as_fast_as_possible(engine, asked.clip, asked.warm_up, asked.frames)
        newest = asyncio.run(fed(engine, asked.clip, asked.seconds))
        print(json.dumps({"device": engine.device, "throughput": throughput, "newest": newest}))


if __name__ == "__main__":
    main()
