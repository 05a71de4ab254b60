"""How many streams one machine serves: more and more of them, until a verdict comes too late or too seldom.

Each count runs in a process of its own through `latency.py`.
"""

from typing import Any

from common import Result, parser, publish, run_latency, size_wh
from matplotlib.figure import Figure

P95_MS, MIN_FPS = 500.0, 4.0
"""The budget: glass to verdict, and verdicts a second of the stream that gets the fewest."""


def row_of(measured: Result) -> Result:
    """What counts of one run, and whether it keeps the budget."""
    p95_ms = measured["glass_to_verdict_ms"]["p95"]
    slowest = min(measured["analyzed_fps_per_stream"], default=0.0)
    kept = p95_ms is not None and p95_ms <= P95_MS and slowest >= MIN_FPS and not measured["refused"]
    return {
        "streams": measured["streams"],
        "p95_ms": p95_ms,
        "p50_ms": measured["glass_to_verdict_ms"]["p50"],
        "analyzed_fps_per_stream": measured["analyzed_fps"],
        "slowest_stream_fps": slowest,
        "fairness": measured["fairness"],
        "rss_mb": measured["rss_mb"],
        "cpu_cores_used": measured["cpu_cores_used"],
        "gpu_busy": measured["gpu_busy"],
        "degraded": measured["degraded"],
        "refused": len(measured["refused"]),
        "conservation_ok": measured["conservation_ok"],
        "within_budget": kept,
    }


def climb(asked: Any) -> list[Result]:
    """Doubles the streams until the budget breaks, then halves the gap that is left."""
    rows: dict[int, Result] = {}

    def keeps(streams: int) -> bool:
        size = "x".join(map(str, asked.size))
        rows[streams] = row_of(run_latency(asked.seconds, asked.device, streams=streams, size=size, fps=asked.fps))
        return bool(rows[streams]["within_budget"])

    kept, streams = 0, 1
    while streams <= asked.most and keeps(streams):
        kept, streams = streams, 2 * streams
    broken = min(streams, asked.most + 1)
    while not asked.quick and broken - kept > 1:
        middle = (kept + broken) // 2
        kept, broken = (middle, broken) if keeps(middle) else (kept, middle)
    return [rows[count] for count in sorted(rows)]


def draw(result: Result, figure: Figure) -> None:
    """Latency and rate over the number of streams, with the budget."""
    rows = [row for row in result["rows"] if row["p95_ms"] is not None]
    streams = [row["streams"] for row in rows]
    panels = (("p95_ms", "p95 glass to verdict, ms", P95_MS), ("slowest_stream_fps", "verdicts/s, slowest", MIN_FPS))
    for place, (key, title, limit) in enumerate(panels):
        axes = figure.add_subplot(1, 2, place + 1)
        axes.plot(streams, [row[key] for row in rows], "o-")
        axes.axhline(limit, color="tab:red", linestyle="--", linewidth=0.8)
        axes.set(xlabel="streams", title=title, ylim=(0, None))
    figure.suptitle(f"{result['size']} at {result['fps']:g}/s, {result['machine']['cpu']}", fontsize=10)


def options() -> Any:
    """What was asked for."""
    made = parser("Measure how many streams are served within the budget.", "scale")
    made.add_argument("--seconds", type=float, help="of each count of streams; 20 without it")
    made.add_argument("--size", type=size_wh, default=(640, 480), metavar="WxH", help="at least 256x192")
    made.add_argument("--fps", type=float, default=15.0)
    made.add_argument("--most", type=int, help="streams tried at most; 256 without it")
    asked = made.parse_args()
    asked.seconds = asked.seconds or (6.0 if asked.quick else 20.0)
    asked.most = asked.most or (2 if asked.quick else 256)
    if asked.seconds < 6 or asked.most < 1:
        made.error("--seconds is at least 6, --most at least 1")
    return asked


def main() -> None:
    """Measures, prints and writes the result and its plot."""
    asked = options()
    rows = climb(asked)
    result = {
        "size": "x".join(map(str, asked.size)),
        "fps": asked.fps,
        "seconds": asked.seconds,
        "budget": {"p95_ms": P95_MS, "verdicts_per_second": MIN_FPS},
        "rows": rows,
        "largest_within_budget": max((row["streams"] for row in rows if row["within_budget"]), default=0),
    }
    lines = [
        f"{row['streams']:4} streams: p95 {row['p95_ms']} ms, {row['slowest_stream_fps']} verdicts/s at the slowest, "
        f"{row['cpu_cores_used']} cores, {row['rss_mb']} MB{'' if row['within_budget'] else '  beyond the budget'}"
        for row in rows
    ]
    publish(asked, result, [*lines, f"largest count within the budget: {result['largest_within_budget']}"], draw)


if __name__ == "__main__":
    main()
