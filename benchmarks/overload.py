"""More frames than can be served: is a frame ever too old when it is looked at, does memory grow, is one lost?

First the rate that the machine serves at most is measured, then twice and five times as many frames are offered. Every
run is one of `latency.py` in a process of its own.
"""

from typing import Any

from common import Result, parser, publish, ratio, run_latency, size_wh
from matplotlib.figure import Figure

from unmask.stream.session import STALE_S

FACTORS = (2, 5)
SATURATED = 0.7
"""A machine that analyses a smaller share of what is offered is at its limit."""


def capacity_fps(asked: Any, size: str) -> tuple[float, list[Result]]:
    """The highest rate of analysed frames over all streams while ever more are offered, and what was tried.

    Not the rate at the highest load: under overload less is looked at on purpose.
    """
    fps, tried = asked.fps, list[Result]()
    while True:
        found = run_latency(asked.probe_seconds, asked.device, streams=asked.streams, size=size, fps=fps)
        analyzed = round(found["analyzed"] / asked.probe_seconds, 2)
        tried.append({"offered_fps": found["offered_fps"], "analyzed_fps": analyzed, "degraded": found["degraded"]})
        if analyzed < SATURATED * found["offered_fps"] or fps >= asked.most_fps:
            return max(trial["analyzed_fps"] for trial in tried), tried
        fps = min(2 * fps, asked.most_fps)


def run_at(factor: int, capacity: float, asked: Any, size: str) -> Result:
    """One run with `factor` times the capacity offered."""
    fps = min(max(factor * capacity / asked.streams, 1.0), 1000.0)
    found = run_latency(asked.seconds, asked.device, streams=asked.streams, size=size, fps=round(fps, 2))
    return {
        "factor": factor,
        "offered_fps": found["offered_fps"],
        "analyzed_fps": round(found["analyzed"] / asked.seconds, 2),
        "factor_reached": ratio(found["offered_fps"], capacity),
        "oldest_analyzed_ms": found["oldest_analyzed_ms"],
        "within_staleness_budget": found["oldest_analyzed_ms"] <= STALE_S * 1e3,
        "rss_mb": found["rss_mb"],
        "rss_slope_mb_per_min": found["rss_slope_mb_per_min"],
        "conservation_ok": found["conservation_ok"],
        "frames_in": found["frames_in"],
        "analyzed": found["analyzed"],
        "dropped": found["dropped"],
        "degraded": found["degraded"],
        "refused": len(found["refused"]),
        "glass_to_verdict_ms": found["glass_to_verdict_ms"],
        "fairness": found["fairness"],
    }


def line_of(run: Result) -> str:
    """One run as a line of text."""
    return (
        f"{run['factor']}x: oldest analysed {run['oldest_analyzed_ms']} ms, "
        f"memory {run['rss_slope_mb_per_min']} MB/min, "
        f"every frame accounted for: {run['conservation_ok']}, dropped {run['dropped']}, degraded {run['degraded']}"
    )


def draw(result: Result, figure: Figure) -> None:
    """What became of the frames, and the oldest one that was analysed."""
    runs = result["runs"]
    names = [f"{run['factor']}x" for run in runs]
    causes = ["analyzed", *sorted({cause for run in runs for cause in run["dropped"]})]
    axes, bottom = figure.add_subplot(1, 2, 1), [0] * len(runs)
    for cause in causes:
        counts = [run["analyzed"] if cause == "analyzed" else run["dropped"].get(cause, 0) for run in runs]
        axes.bar(names, counts, bottom=bottom, label=cause)
        bottom = [below + count for below, count in zip(bottom, counts, strict=True)]
    axes.legend(fontsize=7)
    axes.set_title("frames", fontsize=9)
    axes = figure.add_subplot(1, 2, 2)
    axes.bar(names, [run["oldest_analyzed_ms"] for run in runs])
    axes.axhline(STALE_S * 1e3, color="tab:red", linestyle="--", linewidth=0.8)
    axes.set_title("oldest analysed frame, ms", fontsize=9)
    figure.suptitle(f"{result['streams']} streams, {result['size']}, {result['machine']['cpu']}", fontsize=10)


def options() -> Any:
    """What was asked for."""
    made = parser("Offer more frames than can be served.", "overload")
    made.add_argument("--seconds", type=float, help="of each run; 90 without it")
    made.add_argument("--streams", type=int, default=4)
    made.add_argument("--size", type=size_wh, default=(640, 480), metavar="WxH", help="at least 256x192")
    made.add_argument("--fps", type=float, default=5.0, help="of each stream, at first, to find the capacity")
    made.add_argument("--most-fps", type=float, default=480.0)
    asked = made.parse_args()
    asked.seconds = asked.seconds or (7.0 if asked.quick else 90.0)
    asked.probe_seconds = min(asked.seconds, 20.0)
    if asked.seconds < 6 or asked.streams < 1 or not 1 <= asked.fps <= asked.most_fps <= 1000:
        made.error("--seconds is at least 6, --streams at least 1, 1 <= --fps <= --most-fps <= 1000")
    return asked


def main() -> None:
    """Measures, prints and writes the result and its plot."""
    asked = options()
    size = "x".join(map(str, asked.size))
    capacity, tried = capacity_fps(asked, size)
    runs = [run_at(factor, capacity, asked, size) for factor in FACTORS]
    result = {
        "streams": asked.streams, "size": size, "seconds": asked.seconds, "capacity_fps": capacity,
        "capacity_tried": tried, "staleness_budget_ms": STALE_S * 1e3, "runs": runs,
        "oldest_analyzed_ms": max(run["oldest_analyzed_ms"] for run in runs),
        "rss_slope_mb_per_min": max((run["rss_slope_mb_per_min"] or 0.0 for run in runs), key=abs),
        "conservation_ok": all(run["conservation_ok"] for run in runs),
    }  # fmt: skip
    lines = [f"capacity: {capacity} frames/s over {asked.streams} streams", *map(line_of, runs)]
    publish(asked, result, lines, draw)


if __name__ == "__main__":
    main()
