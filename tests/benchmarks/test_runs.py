"""Every benchmark runs, prints what it promises, and its figures agree with each other."""

from collections.abc import Callable
from typing import Any

import pytest

Bench = Callable[..., dict[str, Any]]
RANKS = {"p50", "p95", "p99"}


def test_latency_is_read_from_the_pictures_and_no_frame_is_lost(bench: Bench) -> None:
    found = bench("latency.py", "--seconds", "6", "--fps", "10", "--size", "320x240")

    assert set(found["glass_to_verdict_ms"]) == RANKS
    assert found["conservation_ok"]
    assert found["frames_in"] == found["analyzed"] + sum(found["dropped"].values())
    assert found["codes_unreadable"] == 0
    if found["glass_to_verdict_ms"]["p50"] is not None:
        assert found["glass_to_verdict_ms"]["p50"] >= found["arrival_to_verdict_ms"]["p50"]


def test_the_peer_and_the_engine_find_the_same_face_and_the_ratio_is_of_the_printed_figures(bench: Bench) -> None:
    found = bench("peer.py", "--frames", "2", "--seconds", "1")
    cpu, latency = found["frames_per_cpu_second"], found["latency_ms"]

    assert found["faces_per_frame"] == {"engine": 1.0, "peer": 1.0}
    assert cpu["ratio"] == pytest.approx(cpu["engine"] / cpu["peer"], abs=0.01)
    assert set(latency["engine"]) == set(latency["peer"]) == set(latency["peer_fifo"]) == RANKS
    if latency["engine"]["p95"] and latency["peer"]["p95"]:
        assert latency["p95_ratio"] == pytest.approx(latency["peer"]["p95"] / latency["engine"]["p95"], abs=0.01)


def test_every_runtime_answers_as_torch_does(bench: Bench) -> None:
    found = bench("networks.py", "--only", "temporal", "--seconds", "0.02")

    assert {"torch eager", "openvino"} <= {row["runtime"] for row in found["rows"]}
    assert all(row["images_per_second"] > 0 and row["gflops"] > 0 for row in found["rows"])
    assert all(row["parity_max_abs"] <= 0.01 for row in found["rows"] if row["precision"] == "fp32")
    assert found["peak_gflops"]["cpu fp32"] > 0


def test_the_cost_of_a_frame_is_told_for_frames_whose_faces_were_all_found(bench: Bench) -> None:
    found = bench("faces.py", "--frames", "2")

    assert [row["faces"] for row in found["rows"]] == [0, 1, 4]
    assert found["all_found"], found["rows"]


def test_a_soaked_server_gives_verdicts_and_what_it_uses_is_told(bench: Bench) -> None:
    found = bench("soak.py", "--minutes", "0.2")

    assert found["verdicts"] > 0 and found["visits"] == len(found["samples"]) >= 3
    assert found["reconnects"] == 0
    for name in ("rss_mb", "files", "threads"):
        assert 0 < found[name]["first"] <= found[name]["highest"]


@pytest.mark.parametrize(
    ("script", "wrong"),
    [
        ("latency.py", ["--size", "10x10"]),
        ("latency.py", ["--seconds", "1"]),
        ("scale.py", ["--seconds", "1"]),
        ("overload.py", ["--streams", "0"]),
        ("soak.py", ["--every", "1"]),
        ("peer.py", ["--clip", "no-such-file.mp4"]),
    ],
)
def test_options_that_make_no_sense_are_refused_at_once(bench: Bench, script: str, wrong: list[str]) -> None:
    with pytest.raises(AssertionError, match="usage:"):
        bench(script, *wrong)
