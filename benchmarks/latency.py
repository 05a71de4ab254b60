"""Glass to verdict: how long after a picture is drawn its verdict is there.

Each synthetic camera paints the time into its pictures; the listener of the verdicts reads it back from the picture
that was judged. Nothing of the way in between is left out: mailbox, session, worker, face finding, networks, judging.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from machine import RESULTS, describe, write_result
from numpy.typing import NDArray

from unmask.models.engine import Engine
from unmask.models.machine import cores
from unmask.pipeline.types import Frame, StreamState, Verdict
from unmask.stream.session import StreamSession
from unmask.stream.session_stats import SessionStats
from unmask.stream.source_demo import DemoScene, demo_capture
from unmask.stream.source_live import LiveSource, Supervision

Image = NDArray[np.uint8]

LOOP_FRAMES = 75
"""Pictures drawn beforehand and played to and fro, so that drawing costs nothing while time is measured."""
CODE_BITS, CODE_PX, TICK_S = 32, 6, 1e-4
WARM_UP_S = 3.0
PERCENTILES = (50, 95, 99)


@dataclass
class Measured:
    """What one stream's listener has read: (seconds since the start, ms from glass to verdict)."""

    samples: list[tuple[float, float]] = field(default_factory=list)
    oldest_ms: float = 0.0


def paint_time(image_rgb: Image, at_s: float) -> None:
    """Paints a time into the picture's top edge as a row of black and white blocks."""
    ticks = int(at_s / TICK_S) % 2**CODE_BITS
    for bit in range(CODE_BITS):
        left = bit * CODE_PX
        image_rgb[:CODE_PX, left : left + CODE_PX] = 255 * (ticks >> bit & 1)


def read_time(image_rgb: Image) -> float:
    """The time that is painted into the picture, in seconds."""
    middle = CODE_PX // 2
    row = image_rgb[middle, middle : CODE_BITS * CODE_PX : CODE_PX, 0] > 127
    return float(sum(1 << bit for bit, white in enumerate(row) if white)) * TICK_S


def camera(loop_rgb: list[Image], fps: float, start_s: float) -> Callable[[float], Image]:
    """Draws the stream's picture of any time, with the clock in it."""
    there_and_back = loop_rgb + loop_rgb[-2:0:-1]

    def picture_rgb(pts_s: float) -> Image:
        image_rgb = there_and_back[round(pts_s * fps) % len(there_and_back)].copy()
        paint_time(image_rgb, time.monotonic() - start_s)
        return image_rgb

    return picture_rgb


async def measure(engine: Engine, streams: int, seconds: float, size_wh: tuple[int, int], fps: float) -> dict[str, Any]:
    """Runs the streams for a time and sums up."""
    scene = DemoScene(size_wh)
    loop_rgb = [scene.picture_rgb(index / fps) for index in range(LOOP_FRAMES)]
    workers = min(streams, max(2, cores()))
    start_s = time.monotonic()
    all_measured = [Measured() for _ in range(streams)]
    with ThreadPoolExecutor(workers) as executor:
        sessions = [
            open_session(f"s{i}", engine, executor, camera(loop_rgb, fps, start_s), fps, all_measured[i], start_s)
            for i in range(streams)
        ]
        running = [asyncio.create_task(session.run()) for session in sessions]
        done, _ = await asyncio.wait(running, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for task in done:
            task.result()
    return {"workers": workers, **sum_up([session.stats for session in sessions], all_measured, seconds)}


def open_session(
    name: str,
    engine: Engine,
    executor: ThreadPoolExecutor,
    picture_rgb: Callable[[float], Image],
    fps: float,
    measured: Measured,
    start_s: float,
) -> StreamSession:
    """A session on a synthetic camera whose listener reads the clock in the pictures."""

    def on_verdicts(frame: Frame, verdicts: list[Verdict]) -> None:
        now_s = time.monotonic() - start_s
        if now_s >= WARM_UP_S and verdicts:
            measured.samples.append((now_s, (now_s - read_time(frame.image_rgb)) * 1e3))
            waited_ms = max(verdict.timing_ms["decode"] + verdict.timing_ms["queue"] for verdict in verdicts)
            measured.oldest_ms = max(measured.oldest_ms, waited_ms)

    source = LiveSource(name, demo_capture(picture_rgb, fps), quiet, Supervision(reopen=False))
    return StreamSession(name, source, engine, on_verdicts=on_verdicts, on_state=quiet, executor=executor)


def quiet(state: StreamState, reason: str) -> None:
    """Hears nothing."""


def sum_up(all_stats: list[SessionStats], all_measured: list[Measured], seconds: float) -> dict[str, Any]:
    """The figures of the benchmark."""
    samples = sorted(sample for measured in all_measured for sample in measured.samples)
    latencies_ms = [latency_ms for _, latency_ms in samples]
    judged = [len(measured.samples) / max(seconds - WARM_UP_S, 1e-9) for measured in all_measured]
    dropped: Counter[str] = Counter()
    for stats in all_stats:
        dropped += stats.dropped
    settled = all(
        stats.pending == stats.in_flight == 0 and stats.frames_in == stats.analyzed + stats.dropped.total()
        for stats in all_stats
    )
    return {
        "glass_to_verdict_ms": percentiles(latencies_ms),
        "analyzed_fps": round(sum(judged) / len(judged), 2),
        "analyzed_fps_per_stream": [round(fps, 2) for fps in judged],
        "fairness": round(min(judged) / max(judged), 3) if max(judged) else None,
        "frames_in": sum(stats.frames_in for stats in all_stats),
        "analyzed": sum(stats.analyzed for stats in all_stats),
        "dropped": dict(dropped),
        "conservation_ok": settled,
        "oldest_analyzed_ms": round(max(measured.oldest_ms for measured in all_measured), 1),
        "delay_growth": delay_growth(latencies_ms),
        "histogram_ms": histogram(latencies_ms),
    }


def percentiles(latencies_ms: list[float]) -> dict[str, float | None]:
    """p50, p95 and p99 in ms."""
    if not latencies_ms:
        return {f"p{rank}": None for rank in PERCENTILES}
    values = np.percentile(latencies_ms, PERCENTILES)
    return {f"p{rank}": round(float(value), 1) for rank, value in zip(PERCENTILES, values, strict=True)}


def delay_growth(latencies_ms: list[float]) -> dict[str, float] | None:
    """Median latency of the first and of the last quarter of the run: equal where nothing piles up."""
    quarter = len(latencies_ms) // 4
    if quarter == 0:
        return None
    first, last = float(np.median(latencies_ms[:quarter])), float(np.median(latencies_ms[-quarter:]))
    return {"first_ms": round(first, 1), "last_ms": round(last, 1), "ratio": round(last / first, 3)}


def histogram(latencies_ms: list[float]) -> dict[str, list[float]]:
    """Counts between edges that grow by a fifth each."""
    edges = np.unique(np.round(np.geomspace(5, 5000, 39), 0))
    counts, _ = np.histogram(np.clip(latencies_ms, edges[0], edges[-1]), edges)
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def plot(result: dict[str, Any], path: Path) -> None:
    """Draws the histogram."""
    from matplotlib.figure import Figure

    bars = result["histogram_ms"]
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.add_subplot()
    axes.stairs(bars["counts"], bars["edges"], fill=True)
    axes.set(xscale="log", xlabel="glass to verdict, ms", ylabel="verdicts")
    for name, value in result["glass_to_verdict_ms"].items():
        if value is not None:
            axes.axvline(value, color="black", linewidth=0.8)
            axes.annotate(f"{name} {value:.0f}", (value, axes.get_ylim()[1]), rotation=90, va="top", ha="right")
    axes.set_title(
        f"{result['streams']} stream(s), {result['size']} at {result['fps']:g}/s, {result['machine']['cpu']}"
    )
    figure.savefig(path, dpi=120)


def options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description="Measure the time from glass to verdict.")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.add_argument("--seconds", type=float, default=20.0, help=f"at least {2 * WARM_UP_S:g}")
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--size", default="640x480", help="WIDTHxHEIGHT, at least 256x192")
    parser.add_argument("--fps", type=float, default=25.0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--name", default="latency", help="of the files in benchmarks/results")
    asked = parser.parse_args()
    width, _, height = asked.size.partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) >= 256 and int(height) >= 192):
        parser.error("--size is WIDTHxHEIGHT, at least 256x192")
    if asked.seconds < 2 * WARM_UP_S or asked.streams < 1 or not 1 <= asked.fps <= 240:
        parser.error(f"--seconds is at least {2 * WARM_UP_S:g}, --streams at least 1, --fps from 1 to 240")
    asked.size_wh = int(width), int(height)
    return asked


def main() -> None:
    """Measures, prints and writes the result and its plot."""
    asked = options()
    with Engine.open(asked.device) as engine:
        measured = asyncio.run(measure(engine, asked.streams, asked.seconds, asked.size_wh, asked.fps))
        result = {
            "benchmark": "latency",
            "streams": asked.streams,
            "seconds": asked.seconds,
            "size": asked.size,
            "fps": asked.fps,
            "device": engine.device,
            "branches": list(engine.branches),
            **measured,
            "machine": describe(),
        }
    path = write_result(asked.name, result)
    plot(result, RESULTS / f"{asked.name}.png")
    if asked.json:
        print(json.dumps(result))
        return
    figures = result["glass_to_verdict_ms"]
    print(f"glass to verdict: p50 {figures['p50']} ms, p95 {figures['p95']} ms, p99 {figures['p99']} ms")
    print(f"analysed: {result['analyzed_fps']} frames/s and stream; dropped: {result['dropped']}; written: {path}")


if __name__ == "__main__":
    main()
