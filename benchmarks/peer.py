"""The engine against a straightforward script (`peer_script.py`) on the same clip, in one run, turn by turn.

Each side runs in a process of its own, several times; every figure is the median of the repeats.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clips import face_clip
from common import Result, median, parser, percentiles, publish, ratio, run_script
from matplotlib.figure import Figure

RANKS = ("p50", "p95", "p99")


def side(runs: Sequence[Result], fed: str = "newest") -> dict[str, Any]:
    """Medians over the runs of one side."""
    latencies = [percentiles(run[fed]["latencies_ms"]) for run in runs]
    return {
        "frames_per_second": median(run["throughput"]["frames"] / run["throughput"]["wall_s"] for run in runs),
        "frames_per_cpu_second": median(run["throughput"]["frames"] / run["throughput"]["cpu_s"] for run in runs),
        "cpu_ms_per_face": median(
            1e3 * run["throughput"]["cpu_s"] / run["throughput"]["faces"] if run["throughput"]["faces"] else None
            for run in runs
        ),
        "faces_per_frame": median(run["throughput"]["faces"] / run["throughput"]["frames"] for run in runs),
        "latency_ms": {rank: median(latency[rank] for latency in latencies) for rank in RANKS},
        "fed_analyzed_fps": median(run[fed]["frames"] / run[fed]["wall_s"] for run in runs),
        "fed_cpu_cores_used": median(run[fed]["cpu_s"] / run[fed]["wall_s"] for run in runs),
    }


def compare(engine_runs: Sequence[Result], peer_runs: Sequence[Result]) -> Result:
    """Both sides beside each other, and their quotients: above 1 the engine is better."""
    engine, peer, fifo = side(engine_runs), side(peer_runs), side(peer_runs, "fifo")

    def both(name: str, *, less_is_better: bool = False) -> dict[str, Any]:
        mine, other = engine[name], peer[name]
        return {"engine": mine, "peer": other, "ratio": ratio(other, mine) if less_is_better else ratio(mine, other)}

    return {
        "frames_per_cpu_second": both("frames_per_cpu_second"),
        "frames_per_second": both("frames_per_second"),
        "cpu_ms_per_face": both("cpu_ms_per_face", less_is_better=True),
        "faces_per_frame": {"engine": engine["faces_per_frame"], "peer": peer["faces_per_frame"]},
        "latency_ms": {
            "engine": engine["latency_ms"],
            "peer": peer["latency_ms"],
            "p95_ratio": ratio(peer["latency_ms"]["p95"], engine["latency_ms"]["p95"]),
            "peer_fifo": fifo["latency_ms"],
            "p95_ratio_fifo": ratio(fifo["latency_ms"]["p95"], engine["latency_ms"]["p95"]),
        },
        "fed_at_30_fps": {
            name: {key: figures[key] for key in ("fed_analyzed_fps", "fed_cpu_cores_used")}
            for name, figures in (("engine", engine), ("peer", peer), ("peer_fifo", fifo))
        },
        "peer_fifo_left_waiting": median(run["fifo"]["left_waiting"] for run in peer_runs),
        "devices": {"engine": engine_runs[0]["device"], "peer": peer_runs[0]["device"]},
        "peer_torch_threads": peer_runs[0]["torch_threads"],
        "repeats": [
            {"engine": side([mine]), "peer": side([other])}
            for mine, other in zip(engine_runs, peer_runs, strict=True)
        ],
    }  # fmt: skip


def draw(result: Result, figure: Figure) -> None:
    """Three pairs of bars."""
    p95_ms = {name: result["latency_ms"][name]["p95"] for name in ("engine", "peer")}
    panels = {
        "analysed frames per CPU second": result["frames_per_cpu_second"],
        "CPU ms per analysed face": result["cpu_ms_per_face"],
        "p95 latency at 30 fps, ms": p95_ms,
    }
    for number, (title, values) in enumerate(panels.items()):
        axes = figure.add_subplot(1, 3, number + 1)
        sides = ("engine", "peer")
        bars = axes.bar(sides, [values[name] or 0 for name in sides], color=["tab:blue", "tab:gray"])
        axes.bar_label(bars, fmt="%.1f")
        axes.set_title(title, fontsize=9)
    figure.suptitle(f"{result['clip']}, {result['machine']['cpu']}", fontsize=10)


def options() -> Any:
    """What was asked for."""
    made = parser("Compare the engine with a straightforward script.", "peer")
    made.add_argument("--clip", type=Path, help="a video; without it one is made of a photograph, 1280x720")
    made.add_argument("--repeats", type=int)
    made.add_argument("--frames", type=int, help="analysed as fast as possible; 90 without it")
    made.add_argument("--seconds", type=float, help="of each run at 30 frames a second; 15 without it")
    asked = made.parse_args()
    asked.repeats = asked.repeats or (1 if asked.quick else 3)
    asked.frames = asked.frames or (8 if asked.quick else 90)
    asked.seconds = asked.seconds or (3.0 if asked.quick else 15.0)
    if asked.clip is not None and not asked.clip.is_file():
        made.error(f"{asked.clip} is not a file")
    return asked


def main() -> None:
    """Measures, prints and writes the result and its plot."""
    asked = options()
    with tempfile.TemporaryDirectory() as folder:
        made_s = 2.0 if asked.quick else 10.0
        clip = asked.clip or face_clip(Path(folder) / "face.mp4", made_s)
        warm_up = 2 if asked.quick else 40
        given = [clip, "--frames", asked.frames, "--seconds", asked.seconds, "--warm-up", warm_up]
        engine_runs, peer_runs = [], []
        for _ in range(asked.repeats):
            engine_runs.append(run_script("peer_engine.py", [*given, "--device", asked.device], 900))
            peer_runs.append(run_script("peer_script.py", given, 1800))
    name = asked.clip.name if asked.clip else "moving photograph, 1280x720 at 30/s"
    result = {"clip": name, "frames": asked.frames, "seconds": asked.seconds, **compare(engine_runs, peer_runs)}
    cpu, latency = result["frames_per_cpu_second"], result["latency_ms"]
    lines = [
        f"analysed frames per CPU second: engine {cpu['engine']}, peer {cpu['peer']}, ratio {cpu['ratio']}",
        f"p95 at 30 fps: engine {latency['engine']['p95']} ms, peer {latency['peer']['p95']} ms "
        f"(as a plain queue {latency['peer_fifo']['p95']} ms), ratio {latency['p95_ratio']}",
    ]
    publish(asked, result, lines, draw)


if __name__ == "__main__":
    main()
