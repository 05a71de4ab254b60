"""The description of the machine that stands beside every figure, and where results go."""

import json
import os
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from unmask.models import machine

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).with_name("results")
LOAD_AT_START = round(os.getloadavg()[0], 2)


def describe() -> dict[str, Any]:
    """Processor, cores, memory, load of the last minute before the start, accelerators, versions and commit."""
    return {
        "cpu": machine.cpu_model(),
        "cores": machine.cores(),
        "vector_flags": list(machine.vector_flags()),
        "memory_gib": _memory_gib(),
        "load_at_start": LOAD_AT_START,
        "gpus": list(machine.cuda_devices()),
        "versions": {"unmask": version("unmask"), **machine.versions()},
        "commit": _commit(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write_result(name: str, result: dict[str, Any], folder: Path = RESULTS) -> Path:
    """Writes `NAME.json` into `benchmarks/results` or another folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return path


def _commit() -> str:
    """The checked-out commit, with `+` where files differ from it; "unknown" outside a clone."""
    git = ["git", "-C", str(ROOT)]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10)
        changes = subprocess.run([*git, "diff", "--quiet", "HEAD"], capture_output=True, check=False, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return commit.stdout.strip() + ("+" if changes.returncode else "")


def _memory_gib() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    total = next((line for line in lines if line.startswith("MemTotal:")), None)
    return round(int(total.split()[1]) / 2**20, 1) if total else None
