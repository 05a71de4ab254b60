"""What the benchmarks share: their options, percentiles, what a process uses, runs in processes of their own."""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import RESULTS, describe, write_result
from matplotlib.figure import Figure

HERE = Path(__file__).parent
PERCENTILES = (50, 95, 99)

Result = dict[str, Any]
Draw = Callable[[Result, Figure], None]


def parser(description: str, name: str) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--json", action="store_true", help="print the result as one JSON object")
    made.add_argument("--quick", action="store_true", help="shorter and coarser, to see that it works")
    made.add_argument("--name", default=name, help="of the result's files")
    made.add_argument("--results", type=Path, default=RESULTS, help="folder of the result's files")
    made.add_argument("--device", default="auto", help="auto, cpu, cuda or torch-cpu")
    return made


def size_wh(text: str) -> tuple[int, int]:
    """Reads WIDTHxHEIGHT, at least 256x192.

    Raises:
        ArgumentTypeError: it is something else.
    """
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) >= 256 and int(height) >= 192):
        raise argparse.ArgumentTypeError("a size is WIDTHxHEIGHT, at least 256x192")
    return int(width), int(height)


def publish(asked: argparse.Namespace, result: Result, lines: Sequence[str], draw: Draw, height: float = 3.4) -> None:
    """Writes the result with the machine's description and the plot, and prints it as asked."""
    result = {"benchmark": asked.name, "quick": asked.quick, **result, "machine": describe()}
    path = write_result(asked.name, result, asked.results)
    figure = Figure(figsize=(7.5, height), layout="constrained")
    draw(result, figure)
    figure.savefig(path.with_suffix(".png"), dpi=120)
    print(json.dumps(result) if asked.json else "\n".join([*lines, f"written: {path}"]))


def percentiles(values: Iterable[float], digits: int = 1) -> dict[str, float | None]:
    """p50, p95 and p99; None without values."""
    known = list(values)
    if not known:
        return {f"p{rank}": None for rank in PERCENTILES}
    found = np.percentile(known, PERCENTILES)
    return {f"p{rank}": round(float(value), digits) for rank, value in zip(PERCENTILES, found, strict=True)}


def median(values: Iterable[float | None], digits: int = 2) -> float | None:
    """The median; None where a value is missing or there is none."""
    known = list(values)
    if not known or any(value is None for value in known):
        return None
    return round(float(np.median(np.array(known, float))), digits)


def ratio(above: float | None, below: float | None) -> float | None:
    """Their quotient; None where one is missing or the lower one is 0."""
    return round(above / below, 2) if above is not None and below else None


def cpu_s() -> float:
    """Processor seconds that this process and its ended children have used, all threads together."""
    mine, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return mine.ru_utime + mine.ru_stime + children.ru_utime + children.ru_stime


def rss_mb() -> float:
    """Resident memory of this process in MB of 10^6 bytes; its peak where the system tells no more."""
    try:
        return rss_mb_of("self")
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def rss_mb_of(pid: int | str) -> float:
    """Resident memory of a process in MB of 10^6 bytes.

    Raises:
        OSError: there is no such process, or the system does not tell.
    """
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * resource.getpagesize() / 1e6


def gpu_busy() -> float | None:
    """Share of the last moment in which the first GPU worked, 0..1; None without `nvidia-smi`."""
    command = ["nvidia-smi", "-i", "0", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=5)
        return float(done.stdout.split()[0]) / 100
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def run_script(script: str, arguments: Sequence[object], timeout_s: float) -> Result:
    """Runs a benchmark in a process of its own and returns the JSON object that it prints last.

    Raises:
        SystemExit: it failed; with the end of what it said.
    """
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        raise SystemExit(f"error: {script} took longer than {timeout_s:.0f} s") from None
    if done.returncode:
        raise SystemExit(f"error: {script} failed: {done.stderr.strip()[-600:]}")
    last: Result = json.loads(done.stdout.strip().splitlines()[-1])
    return last


def run_latency(seconds: float, device: str, **options: object) -> Result:
    """Runs the benchmark of live streams once, in a process of its own, and keeps no file of it."""
    given = [text for name, value in options.items() for text in (f"--{name}", value)]
    with tempfile.TemporaryDirectory() as folder:
        own = ["--json", "--seconds", seconds, "--device", device, "--results", folder]
        return run_script("latency.py", [*own, *given], seconds + 180)


def timed(work: Callable[[], object], seconds: float, rounds: int = 3) -> float:
    """Median seconds of one call over `rounds` rounds, `seconds` in all, after one call to warm up."""
    work()
    taken_s = []
    for _ in range(rounds):
        calls, start_s = 0, time.perf_counter()
        while calls == 0 or time.perf_counter() - start_s < seconds / rounds:
            work()
            calls += 1
        taken_s.append((time.perf_counter() - start_s) / calls)
    return float(np.median(taken_s))
