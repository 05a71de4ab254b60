"""The GPU's runtime of the per-frame branches: crops/s, idle share and overlap of the branches, sweep of streams.

Crops come from memory: decoding, finding and aligning faces are not part of this. Without a CUDA device it exits
with 4. No result of it is published yet: there was no GPU to run it on.
"""

import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from common import parser, percentiles, publish
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unmask.models.align import CROP_SIZE
from unmask.models.batcher import Batcher
from unmask.models.cuda_runtime import GRAPH_SIZES, CudaScorer
from unmask.models.errors import UnmaskError
from unmask.models.mri import MriNet
from unmask.models.per_frame import PerFrameNet
from unmask.models.scoring import CropScorer, Pending
from unmask.models.spatial import SpatialNet
from unmask.models.store import SHIPPED_DIR, load_into

NO_DEVICE = 4
BRANCHES = ("spatial", "mri", "both")
ANALYSED_HZ = 10.0
"""Crops of each stream per second in the sweep: one face, every third frame of a 30 fps camera."""
STREAMS = (1, 2, 5, 10, 20, 50, 100, 200)
BUDGET_MS = 500.0
IN_FLIGHT = 2
Span = tuple[float, float]


def network(branch: str) -> PerFrameNet:
    """A branch alone, or both, with the shipped weights."""
    spatial, mri = SpatialNet(), MriNet()
    if branch != "mri":
        load_into(spatial, "spatial", SHIPPED_DIR)
    if branch != "spatial":
        load_into(mri, "mri", SHIPPED_DIR)
    return PerFrameNet(spatial if branch != "mri" else None, mri if branch != "spatial" else None).eval()


def noise(count: int) -> NDArray[np.uint8]:
    """Crops (count, 256, 256, 3) of noise; the networks' time does not depend on what they see."""
    return np.random.default_rng(count).integers(0, 256, (count, CROP_SIZE, CROP_SIZE, 3), np.uint8)


def keep_busy(scorer: CropScorer, size: int, seconds: float) -> float:
    """Crops per second with two batches of this size always in flight."""
    crops, waiting = noise(size), deque[Pending]()
    scorer.submit(crops).result()
    done, start_s = 0, time.perf_counter()
    while time.perf_counter() - start_s < seconds or waiting:
        if len(waiting) == IN_FLIGHT or time.perf_counter() - start_s >= seconds:
            waiting.popleft().result()
            done += size
        else:
            waiting.append(scorer.submit(crops))
    return done / (time.perf_counter() - start_s)


def profile(scorer: CropScorer, size: int, seconds: float) -> dict[str, float | None]:
    """Share of the time without any kernel or copy, and with kernels at the same time, of a profile."""
    activities = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as seen:
        keep_busy(scorer, size, seconds)
    spans = [
        (event.time_range.start, event.time_range.end)
        for event in seen.events() or ()
        if event.device_type == torch.autograd.DeviceType.CUDA
    ]
    return shares(spans)


def shares(spans: Iterable[Span]) -> dict[str, float | None]:
    """Idle and overlapped share of the time from the first start to the last end; None where nothing ran."""
    edges = sorted(edge for start, end in spans if end > start for edge in ((start, 1), (end, -1)))
    if not edges:
        return {"idle_share": None, "overlap_share": None}
    idle = overlapped = 0.0
    running, before = 0, edges[0][0]
    for at, change in edges:
        idle += (at - before) * (running == 0)
        overlapped += (at - before) * (running > 1)
        running, before = running + change, at
    whole = edges[-1][0] - edges[0][0]
    return {"idle_share": round(idle / whole, 3), "overlap_share": round(overlapped / whole, 3)}


def sweep(scorer: CropScorer, streams: Sequence[int], seconds: float) -> Iterator[dict[str, Any]]:
    """Latency of one crop at a time from ever more streams, until the 95th percentile is over the budget."""
    batcher = Batcher(scorer)
    try:
        for count in streams:
            row = at_load(batcher, count, seconds)
            yield row
            if row["p95"] is None or row["p95"] > BUDGET_MS:
                return
    finally:
        batcher.close()


def at_load(batcher: Batcher, streams: int, seconds: float) -> dict[str, Any]:
    """Milliseconds from asking to answer, and answers per second, of this many streams of 10 crops a second."""
    took_ms: list[float] = []
    failed: list[str] = []
    start_s = time.monotonic()

    def ask(number: int) -> None:
        due_s = start_s + number / streams / ANALYSED_HZ
        while max(due_s, time.monotonic()) < start_s + seconds:
            time.sleep(max(due_s - time.monotonic(), 0.0))
            try:
                batcher.score(crop, number)
            except UnmaskError as error:
                failed.append(str(error))
            else:
                took_ms.append((time.monotonic() - due_s) * 1e3)
            due_s += 1 / ANALYSED_HZ

    crop = noise(1)
    threads = [threading.Thread(target=ask, args=(number,), daemon=True) for number in range(streams)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = round(len(took_ms) / (time.monotonic() - start_s), 1)
    return {"streams": streams, "crops_per_second": rate, "failed": len(failed), **percentiles(took_ms)}


def measure(seconds: float, sizes: Sequence[int], streams: Sequence[int], device: str = "cuda") -> dict[str, Any]:
    """Everything, one runtime after the other."""
    rows: list[dict[str, Any]] = []
    swept: list[dict[str, Any]] = []
    for branch in BRANCHES:
        scorer = CudaScorer(network(branch), device=device)
        try:
            rates = {size: keep_busy(scorer, size, seconds) for size in sizes}
            seen = profile(scorer, max(sizes), min(seconds, 1.0)) if device == "cuda" else shares(())
            rows += [{"branch": branch, "batch": size, "crops_per_second": round(r, 1)} for size, r in rates.items()]
            rows[-1] |= seen
            if branch == "both":
                swept = list(sweep(scorer, streams, max(seconds, 2.0)))
        finally:
            scorer.close()
    within = [row["streams"] for row in swept if row["p95"] is not None and row["p95"] <= BUDGET_MS]
    return {"rows": rows, "sweep": swept, "streams_within_budget": max(within, default=0), "budget_ms": BUDGET_MS}


def draw(result: dict[str, Any], figure: Figure) -> None:
    """Crops/s over the batch size, and latency over the number of streams."""
    left, right = figure.subplots(1, 2)
    for branch in BRANCHES:
        mine = [row for row in result["rows"] if row["branch"] == branch]
        left.plot([row["batch"] for row in mine], [row["crops_per_second"] for row in mine], "o-", label=branch)
    left.set(xlabel="crops in a batch", ylabel="crops per second", xscale="log")
    left.legend()
    right.plot([row["streams"] for row in result["sweep"]], [row["p95"] for row in result["sweep"]], "o-")
    right.axhline(result["budget_ms"], linestyle=":")
    right.set(xlabel="streams, 10 crops a second each", ylabel="p95, ms", xscale="log")


def main() -> None:
    """Measures, prints and writes the result and its plot."""
    asked = parser("The GPU's runtime of the per-frame branches.", "gpu").parse_args()
    if not torch.cuda.is_available():
        print("error: this machine has no CUDA device; there is nothing to measure", file=sys.stderr)
        raise SystemExit(NO_DEVICE)
    seconds = 0.5 if asked.quick else 4.0
    result = measure(seconds, GRAPH_SIZES, STREAMS[:4] if asked.quick else STREAMS)
    lines = [
        f"{row['branch']:8} batch {row['batch']:2}: {row['crops_per_second']:8.1f} crops/s"
        + (f", idle {row['idle_share']}, overlapped {row['overlap_share']}" if "idle_share" in row else "")
        for row in result["rows"]
    ]
    lines += [f"{row['streams']:3} streams: p95 {row['p95']} ms, {row['failed']} failed" for row in result["sweep"]]
    publish(asked, result, lines, draw)


if __name__ == "__main__":
    main()
