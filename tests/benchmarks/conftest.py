"""The benchmarks are scripts: they are run as a user runs them, and their modules are imported from their folder."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

Bench = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def benchmarks_importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Puts the folder on the path as running a script in it does, and forgets its modules afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    for name in set(sys.modules) - before:
        if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Runs a benchmark quickly with `--json`, results in the test's folder: the object that it printed."""

    def run(script: str, *options: str) -> dict[str, Any]:
        command = [sys.executable, str(BENCHMARKS / script), "--json", "--quick", "--results", str(tmp_path), *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        printed: dict[str, Any] = json.loads(done.stdout)
        name = Path(script).stem
        assert json.loads((tmp_path / f"{name}.json").read_text("utf-8")) == printed
        assert (tmp_path / f"{name}.png").stat().st_size > 0
        assert {"cpu", "cores", "gpus", "versions", "commit", "load_at_start"} <= set(printed["machine"])
        return printed

    return run
