"""Runs every benchmark, one after the other, and prints one line of each."""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import HERE
from machine import RESULTS

Result = dict[str, Any]

LONG = {
    "peer": ["peer.py"],
    "networks": ["networks.py"],
    "mtcnn": ["mtcnn.py"],
    "latency": ["latency.py", "--seconds", "300", "--size", "1280x720", "--fps", "30", "--name", "latency"],
    "latency_4_streams": [
        "latency.py", "--seconds", "120", "--streams", "4", "--size", "640x480", "--fps", "15",
        "--name", "latency_4_streams",
    ],
    "scale": ["scale.py"],
    "overload": ["overload.py"],
    "faces": ["faces.py"],
    "soak": ["soak.py", "--minutes", "30"],
}  # fmt: skip
WITHOUT_OPTIONS = {"mtcnn"}
"""Take only --json."""
TIMEOUT_S = 3600


def live_line(result: Result) -> str:
    """Of latency.py."""
    ms = result["glass_to_verdict_ms"]
    return (
        f"{result['streams']} x {result['size']} at {result['fps']:g}/s: {result['analyzed_fps']} frames/s and stream, "
        f"p50 {ms['p50']}, p95 {ms['p95']}, p99 {ms['p99']} ms, fairness {result['fairness']}"
    )


LINES: dict[str, Callable[[Result], str]] = {
    "peer": lambda r: (
        f"{r['frames_per_cpu_second']['ratio']} x the frames per CPU second, "
        f"p95 {r['latency_ms']['p95_ratio']} x lower than the script's"
    ),
    "networks": lambda r: (
        f"spatial branch at {r['share_of_benchmark_app']} of benchmark_app; "
        f"p apart at most {max(row['parity_max_abs'] for row in r['rows'] if row['precision'] == 'fp32')} in fp32"
    ),
    "latency": live_line,
    "latency_4_streams": live_line,
    "scale": lambda r: f"{r['largest_within_budget']} streams of {r['size']} at {r['fps']:g}/s within the budget",
    "overload": lambda r: (
        f"oldest analysed frame {r['oldest_analyzed_ms']} ms, memory {r['rss_slope_mb_per_min']} MB/min, "
        f"every frame accounted for: {r['conservation_ok']}"
    ),
    "soak": lambda r: f"memory {r['rss_mb']['slope_per_hour']} MB/hour over {r['minutes']:g} minutes",
    "faces": lambda r: (
        f"{r['line']['cpu_ms_per_frame']['base_ms']} CPU ms per frame and "
        f"{r['line']['cpu_ms_per_frame']['per_face_ms']} per face"
    ),
}


def run(name: str, quick: bool, results: Path) -> Result:
    """Runs one benchmark; what went wrong is in `error`."""
    extra = [] if name in WITHOUT_OPTIONS else ["--results", str(results)]
    script, *given = LONG[name]
    if quick and name not in WITHOUT_OPTIONS:
        given, extra = (["--name", name] if "--name" in given else []), [*extra, "--quick"]
    command = [sys.executable, str(HERE / script), "--json", *given, *extra]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"took longer than {TIMEOUT_S} s"}
    if done.returncode:
        return {"error": done.stderr.strip()[-300:] or f"exit {done.returncode}"}
    found: Result = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    """Runs what was asked for; exit code 1 when one failed."""
    parser = argparse.ArgumentParser(description="Run every benchmark.")
    parser.add_argument("--quick", action="store_true", help="to see that they work; the figures mean little")
    parser.add_argument("--only", nargs="+", choices=sorted(LONG), metavar="NAME", help=", ".join(LONG))
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args()
    failed = False
    for name in asked.only or [name for name, (script, *_) in LONG.items() if (HERE / script).is_file()]:
        start_s = time.monotonic()
        result = run(name, asked.quick, asked.results)
        failed = failed or "error" in result
        said = f"failed: {result['error']}" if "error" in result else LINES.get(name, lambda _: "done")(result)
        print(f"{name:18} {said}  ({time.monotonic() - start_s:.0f} s)", flush=True)
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
