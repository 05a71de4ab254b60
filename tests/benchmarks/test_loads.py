"""Scale and overload, over a server that is only computed."""

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

CAPACITY_FPS = 40.0
Main = Callable[..., dict[str, Any]]


def server(seconds: float, device: str, *, streams: int, size: str, fps: float) -> dict[str, Any]:
    """A machine that analyses 40 frames a second, and fewer when it is overloaded."""
    offered = streams * fps
    analyzed = offered if offered <= CAPACITY_FPS else CAPACITY_FPS * 0.5
    frames, done = round(offered * seconds), round(analyzed * seconds)
    return {
        "streams": streams, "glass_to_verdict_ms": {"p50": 40.0, "p95": 100.0, "p99": 120.0},
        "analyzed_fps": analyzed / streams, "analyzed_fps_per_stream": [analyzed / streams] * streams,
        "fairness": 1.0, "rss_mb": 900.0, "rss_slope_mb_per_min": -0.2, "cpu_cores_used": 1.0, "gpu_busy": None,
        "degraded": {}, "refused": [], "conservation_ok": True, "offered_fps": offered, "analyzed": done,
        "frames_in": frames, "dropped": {"superseded": frames - done}, "oldest_analyzed_ms": 90.0,
    }  # fmt: skip


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Main:
    """Runs a benchmark over the computed server: what it printed, after a look at its files."""

    def run(name: str, *options: str, latency: Any = server) -> dict[str, Any]:
        module = import_module(name)
        monkeypatch.setattr(module, "run_latency", latency)
        monkeypatch.setattr(sys, "argv", [name, "--json", "--results", str(tmp_path), *options])
        module.main()
        printed: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert json.loads((tmp_path / f"{name}.json").read_text("utf-8")) == printed
        assert (tmp_path / f"{name}.png").stat().st_size > 0
        return printed

    return run


def test_the_largest_count_within_the_budget_is_found_between_the_doublings(main: Main) -> None:
    found = main("scale", "--fps", "8")

    assert found["largest_within_budget"] == 5
    assert [row["streams"] for row in found["rows"]] == [1, 2, 4, 5, 6, 8]
    assert {"streams", "p95_ms", "analyzed_fps_per_stream", "rss_mb"} <= set(found["rows"][0])


def test_no_count_within_the_budget_is_told_as_none(main: Main) -> None:
    late = {"glass_to_verdict_ms": {"p50": 400.0, "p95": 501.0, "p99": 600.0}}

    found = main("scale", latency=lambda *given, **named: {**server(*given, **named), **late})

    assert (found["largest_within_budget"], len(found["rows"])) == (0, 1)


def test_no_more_streams_are_tried_than_allowed(main: Main) -> None:
    found = main("scale", "--fps", "4", "--most", "3")

    assert found["largest_within_budget"] == 3
    assert max(row["streams"] for row in found["rows"]) == 3


def test_the_capacity_is_the_best_rate_on_the_way_and_not_that_under_overload(main: Main) -> None:
    found = main("overload")

    assert found["capacity_fps"] == CAPACITY_FPS
    assert [trial["offered_fps"] for trial in found["capacity_tried"]] == [20.0, 40.0, 80.0]
    assert [run["factor_reached"] for run in found["runs"]] == [2.0, 5.0]
    assert found["conservation_ok"] and found["oldest_analyzed_ms"] == 90.0
    assert found["rss_slope_mb_per_min"] == -0.2


def test_one_run_that_loses_a_frame_spoils_the_whole_result(main: Main) -> None:
    def losing(seconds: float, device: str, **named: Any) -> dict[str, Any]:
        found = server(seconds, device, **named)
        return {**found, "conservation_ok": named["fps"] < 50, "oldest_analyzed_ms": 90.0 + named["fps"] * 3}

    found = main("overload", latency=losing)

    assert not found["conservation_ok"]
    assert found["oldest_analyzed_ms"] == 240.0
    assert [run["within_staleness_budget"] for run in found["runs"]] == [True, False]
