"""Glass to verdict: how long after a picture is taken its verdict is at a websocket client.

Nothing of the way in between is left out but camera, encoder and network: mailbox, session, engine, face finding,
networks, judging, wire, websocket.
"""

import asyncio
from collections import Counter, defaultdict
from typing import Any

import numpy as np
from common import Result, parser, percentiles, publish, size_wh
from live import Load, Observed, conserved, run_load, totals
from matplotlib.figure import Figure

from unmask.models.engine import Engine

WARM_UP_S = 3.0


def sum_up(observed: Observed, load: Load) -> Result:
    """The figures of a run, of frames painted after the warm-up."""
    painted = {(judged.stream, judged.seq): judged.painted_s for judged in observed.judged}
    arrived: dict[tuple[str, int], tuple[float, float]] = {}
    rungs: Counter[str] = Counter()
    for stream, seq, received_s, total_ms, degraded in observed.received:
        arrived[stream, seq] = received_s - observed.start_s, total_ms
        rungs.update(degraded)
    samples: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for key, (received_s, total_ms) in arrived.items():
        painted_s = painted.get(key)
        if painted_s is not None and painted_s >= load.warm_up_s:
            samples[key[0]].append((painted_s, (received_s - painted_s) * 1e3, total_ms))
    latencies_ms = [ms for _, ms, _ in sorted(sample for own in samples.values() for sample in own)]
    rates = [len(samples[name]) / (load.seconds - load.warm_up_s) for name in observed.stats]
    frames_in, analyzed, dropped = totals(observed.stats)
    sent = sum(judged.verdicts > 0 for judged in observed.judged) - dropped["cancelled"]
    return {
        "workers": observed.workers,
        "glass_to_verdict_ms": percentiles(latencies_ms),
        "arrival_to_verdict_ms": percentiles(total for own in samples.values() for _, _, total in own),
        "analyzed_fps": round(sum(rates) / len(rates), 2) if rates else 0.0,
        "analyzed_fps_per_stream": [round(rate, 2) for rate in rates],
        "fairness": round(min(rates) / max(rates), 3) if rates and max(rates) else None,
        "offered_fps": round(frames_in / load.seconds, 2),
        "frames_in": frames_in,
        "analyzed": analyzed,
        "dropped": dict(dropped),
        "conservation_ok": bool(observed.stats) and conserved(observed),
        "refused": observed.refused,
        "codes_unreadable": sum(judged.painted_s is None for judged in observed.judged),
        "verdicts_not_received": max(0, sent - len(arrived)),
        "oldest_analyzed_ms": round(max((judged.age_ms for judged in observed.judged), default=0.0), 1),
        "degraded": dict(rungs),
        **usage(observed, load),
        "delay_growth": delay_growth(latencies_ms),
        "histogram_ms": histogram(latencies_ms),
    }


def usage(observed: Observed, load: Load) -> Result:
    """What the server's process used after the warm-up: memory, its growth, processor and GPU."""
    late = [sample for sample in observed.samples if sample.at_s >= load.warm_up_s]
    if len(late) < 2:
        return {"rss_mb": None, "rss_slope_mb_per_min": None, "cpu_cores_used": None, "gpu_busy": None}
    at_s, rss = np.array([sample.at_s for sample in late]), np.array([sample.rss_mb for sample in late])
    gpu = [sample.gpu for sample in late if sample.gpu is not None]
    return {
        "rss_mb": round(float(rss.max()), 1),
        "rss_slope_mb_per_min": round(float(np.polyfit(at_s, rss, 1)[0]) * 60, 2),
        "cpu_cores_used": round((late[-1].cpu_s - late[0].cpu_s) / (at_s[-1] - at_s[0]), 2),
        "gpu_busy": round(float(np.mean(gpu)), 2) if gpu else None,
    }


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


def draw(result: Result, figure: Figure) -> None:
    """The histogram with its percentiles."""
    axes = figure.add_subplot()
    axes.stairs(result["histogram_ms"]["counts"], result["histogram_ms"]["edges"], fill=True)
    axes.set(xscale="log", xlabel="glass to verdict, ms", ylabel="verdicts")
    for name, value in result["glass_to_verdict_ms"].items():
        if value is not None:
            axes.axvline(value, color="black", linewidth=0.8)
            axes.annotate(f"{name} {value:.0f}", (value, axes.get_ylim()[1]), rotation=90, va="top", ha="right")
    size = f"{result['size']} at {result['fps']:g}/s"
    axes.set_title(f"{result['streams']} stream(s), {size}, {result['machine']['cpu']}", fontsize=10)


def options() -> Any:
    """What was asked for."""
    made = parser("Measure the time from glass to verdict.", "latency")
    made.add_argument("--seconds", type=float, help=f"at least {2 * WARM_UP_S:g}; 20 without it")
    made.add_argument("--streams", type=int, default=1)
    made.add_argument("--size", type=size_wh, default=(640, 480), metavar="WxH", help="at least 256x192")
    made.add_argument("--fps", type=float, default=25.0)
    asked = made.parse_args()
    asked.seconds = asked.seconds or (8.0 if asked.quick else 20.0)
    if asked.seconds < 2 * WARM_UP_S or asked.streams < 1 or not 1 <= asked.fps <= 1000:
        made.error(f"--seconds is at least {2 * WARM_UP_S:g}, --streams at least 1, --fps from 1 to 1000")
    return asked


def main() -> None:
    """Measures, prints and writes the result and its plot."""
    asked = options()
    load = Load(asked.streams, asked.size, asked.fps, asked.seconds, WARM_UP_S)
    with Engine.open(asked.device) as engine:
        figures = sum_up(asyncio.run(run_load(engine, load)), load)
        device, branches = engine.device, list(engine.branches)
    size = "x".join(map(str, asked.size))
    asked_for = {"streams": asked.streams, "seconds": asked.seconds, "size": size, "fps": asked.fps}
    result = {**asked_for, "device": device, "branches": branches, **figures}
    latency = result["glass_to_verdict_ms"]
    lines = [
        f"glass to verdict: p50 {latency['p50']} ms, p95 {latency['p95']} ms, p99 {latency['p99']} ms",
        f"analysed: {result['analyzed_fps']} frames/s and stream, fairness {result['fairness']}; "
        f"dropped: {result['dropped']}; every frame accounted for: {result['conservation_ok']}",
    ]
    if result["refused"]:
        lines.append(f"refused, and not part of these figures: {len(result['refused'])} of {asked.streams} streams")
    publish(asked, result, lines, draw)


if __name__ == "__main__":
    main()
