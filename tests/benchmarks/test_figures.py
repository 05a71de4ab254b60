"""What the benchmarks compute from what they saw, without networks."""

from collections import Counter
from dataclasses import replace
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from unmask.stream.session_stats import SessionStats


@pytest.fixture
def timecode() -> ModuleType:
    return import_module("timecode")


@pytest.mark.parametrize("at_s", [0.0, 0.0001, 1.2345, 299.9999, 100_000.5])
def test_a_painted_time_is_read_back_to_a_tenth_of_a_millisecond(timecode: ModuleType, at_s: float) -> None:
    image = np.full((192, 256, 3), 90, np.uint8)

    timecode.paint_time(image, at_s)

    assert timecode.read_time(image) == pytest.approx(at_s, abs=1.01e-4)
    assert (image[timecode.BLOCK_PX :] == 90).all()


@pytest.mark.parametrize("grey", [0, 90, 255])
def test_a_picture_without_a_time_has_none(timecode: ModuleType, grey: int) -> None:
    assert timecode.read_time(np.full((192, 256, 3), grey, np.uint8)) is None


def test_a_picture_too_small_for_a_time_has_none(timecode: ModuleType) -> None:
    assert timecode.read_time(np.zeros((4, 8, 3), np.uint8)) is None


def test_a_painted_time_survives_noise_and_a_change_of_brightness(timecode: ModuleType) -> None:
    image = np.full((192, 256, 3), 90, np.uint8)
    timecode.paint_time(image, 12.3456)
    noisy = image * 0.8 + np.random.default_rng(0).normal(20, 12, image.shape)

    assert timecode.read_time(noisy.clip(0, 255).astype(np.uint8)) == pytest.approx(12.3456, abs=1.01e-4)


@pytest.mark.parametrize("block", range(40))
def test_a_time_with_one_wrong_block_is_not_believed(timecode: ModuleType, block: int) -> None:
    image = np.zeros((192, 256, 3), np.uint8)
    timecode.paint_time(image, 77.7)
    left = block * timecode.BLOCK_PX
    patch = image[: timecode.BLOCK_PX, left : left + timecode.BLOCK_PX]
    patch[:] = 255 - patch

    assert timecode.read_time(image) is None


def observed(stats: SessionStats, produced: int, steps: int) -> Any:
    """A run of one stream with so many pictures drawn and frames judged."""
    live = import_module("live")
    seen = live.Observed(produced={"s0": produced}, stats={"s0": stats})
    seen.judged = [live.Judged("s0", seq, 0.0, 1.0, 1) for seq in range(steps)]
    return seen


ENDED = SessionStats(frames_in=10, analyzed=6, dropped=Counter(superseded=3, cancelled=1))


def test_frames_are_conserved_when_every_one_is_analysed_or_dropped_by_cause() -> None:
    conserved = import_module("live").conserved

    assert conserved(observed(ENDED, produced=10, steps=6))
    assert conserved(observed(ENDED, produced=11, steps=7)), "one drawn and one judged while the stream ended"


@pytest.mark.parametrize(
    ("stats", "produced", "steps"),
    [
        (replace(ENDED, frames_in=11, pending=0), 11, 6),
        (replace(ENDED, pending=1, frames_in=11), 11, 6),
        (replace(ENDED, in_flight=1, frames_in=11), 11, 6),
        (ENDED, 12, 6),
        (ENDED, 9, 6),
        (ENDED, 10, 8),
        (ENDED, 10, 5),
    ],
    ids=["lost", "pending", "in flight", "camera drew more", "camera drew less", "judged more", "judged less"],
)
def test_a_frame_that_is_not_accounted_for_is_told(stats: SessionStats, produced: int, steps: int) -> None:
    assert not import_module("live").conserved(observed(stats, produced, steps))


def test_latency_is_from_the_painted_time_to_the_arrival_at_the_client() -> None:
    live, latency = import_module("live"), import_module("latency")
    seen = observed(replace(ENDED, analyzed=7, dropped=Counter(superseded=3)), 10, 0)
    seen.start_s = 100.0
    seen.judged = [live.Judged("s0", seq, 3.0 + seq, 5.0 * seq, 1) for seq in range(7)]
    seen.received = [("s0", seq, 103.0 + seq + 0.040, 30.0, ["mri_rate"]) for seq in range(7)]

    found = latency.sum_up(seen, live.Load(1, (640, 480), 25.0, 10.0, 3.0))

    assert found["glass_to_verdict_ms"] == {"p50": 40.0, "p95": 40.0, "p99": 40.0}
    assert found["analyzed_fps"] == 1.0
    assert found["oldest_analyzed_ms"] == 30.0
    assert found["degraded"] == {"mri_rate": 7}
    assert found["verdicts_not_received"] == 0
    assert found["conservation_ok"]


def test_frames_of_the_warm_up_and_without_a_readable_time_have_no_latency() -> None:
    live, latency = import_module("live"), import_module("latency")
    seen = observed(replace(ENDED, analyzed=2, dropped=Counter(superseded=8)), 10, 0)
    seen.judged = [live.Judged("s0", 0, 2.9, 1.0, 1), live.Judged("s0", 1, None, 1.0, 1)]
    seen.received = [("s0", seq, 4.0, 30.0, []) for seq in range(2)]

    found = latency.sum_up(seen, live.Load(1, (640, 480), 25.0, 10.0, 3.0))

    assert found["glass_to_verdict_ms"] == {"p50": None, "p95": None, "p99": None}
    assert found["codes_unreadable"] == 1


def test_a_run_whose_streams_were_all_refused_has_no_figures() -> None:
    live, latency = import_module("live"), import_module("latency")

    found = latency.sum_up(live.Observed(refused=["full"]), live.Load(1, (640, 480), 25.0, 10.0, 3.0))

    assert (found["analyzed_fps"], found["fairness"], found["conservation_ok"]) == (0.0, None, False)


def run_of(latencies_ms: list[float], frames: int, cpu_s: float) -> dict[str, Any]:
    """What one side of the comparison prints."""
    fed = {"frames": len(latencies_ms), "faces": 1, "wall_s": 2.0, "cpu_s": 1.0, "latencies_ms": latencies_ms}
    throughput = {"frames": frames, "faces": frames, "wall_s": cpu_s, "cpu_s": cpu_s}
    return {
        "device": "cpu", "torch_threads": 2, "throughput": throughput, "newest": fed, "fifo": {**fed, "left_waiting": 3}
    }  # fmt: skip


def test_the_ratios_of_the_comparison_are_those_of_its_own_medians() -> None:
    mine = [run_of([10.0] * 20, 100, cpu_s) for cpu_s in (1.0, 2.0, 50.0)]
    others = [run_of([100.0] * 20, 100, cpu_s) for cpu_s in (20.0, 25.0, 40.0)]

    found = import_module("peer").compare(mine, others)

    assert found["frames_per_cpu_second"] == {"engine": 50.0, "peer": 4.0, "ratio": 12.5}
    assert found["cpu_ms_per_face"] == {"engine": 20.0, "peer": 250.0, "ratio": 12.5}
    assert found["latency_ms"]["p95_ratio"] == 10.0


def test_a_side_that_found_no_face_has_no_cost_of_a_face() -> None:
    mine, other = run_of([10.0], 10, 1.0), run_of([10.0], 10, 1.0)
    mine["throughput"]["faces"] = 0

    found = import_module("peer").compare([mine], [other])

    assert found["cpu_ms_per_face"]["engine"] is None
    assert found["cpu_ms_per_face"]["ratio"] is None


def test_the_cost_of_a_face_is_what_goes_beyond_the_empty_frame() -> None:
    rows = [
        {"faces": n, "faces_found": float(n), "ms_per_frame": 5.0 + 8 * n, "cpu_ms_per_frame": 6.0 + 10 * n}
        for n in (0, 1, 4)
    ]

    found = import_module("faces").with_cost(rows)

    assert [row["cpu_ms_per_face"] for row in found["rows"]] == [None, 10.0, 10.0]
    assert found["line"]["cpu_ms_per_frame"] == {"base_ms": 6.0, "per_face_ms": 10.0}
    assert found["all_found"]


@pytest.mark.parametrize(
    ("change", "kept"),
    [({}, True), ({"refused": ["full"]}, False), ({"analyzed_fps_per_stream": [9.0, 3.9]}, False)],
)
def test_streams_are_within_the_budget_when_none_is_late_slow_or_refused(change: dict[str, Any], kept: bool) -> None:
    measured = {
        "streams": 2, "glass_to_verdict_ms": {"p50": 50.0, "p95": 500.0, "p99": 600.0}, "analyzed_fps": 9.0,
        "analyzed_fps_per_stream": [9.0, 4.0], "fairness": 0.5, "rss_mb": 1.0, "cpu_cores_used": 1.0, "gpu_busy": None,
        "degraded": {}, "refused": [], "conservation_ok": True,
    }  # fmt: skip
    row_of = import_module("scale").row_of

    assert row_of({**measured, **change})["within_budget"] is kept
    assert not row_of({**measured, "glass_to_verdict_ms": {"p50": 50.0, "p95": 500.1, "p99": 600.0}})["within_budget"]


def test_the_parity_of_logits_is_told_as_logits_and_as_probabilities() -> None:
    parity = import_module("networks").parity
    truth, found = np.array([0.0, 4.0], np.float32), np.array([[0.0], [4.1]], np.float32)

    assert parity(truth, found, is_logit=True) == (pytest.approx(0.1, abs=1e-4), pytest.approx(0.00173, abs=1e-4))
    assert parity(truth, truth, is_logit=False) == (None, 0.0)
