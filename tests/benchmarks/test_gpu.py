"""The benchmark of the GPU's runtime, with a scorer that needs none."""

from collections import Counter
from importlib import import_module
from types import ModuleType

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from unmask.models.batcher import Batcher
from unmask.models.errors import DeviceError
from unmask.models.scoring import CropScores


class CountingScorer:
    """Answers at once and counts; fails where it is told to."""

    max_batch, lanes, max_wait_s = 16, 2, 0.0

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.seen: Counter[str] = Counter()

    def submit(self, crops_rgb: NDArray[np.uint8], with_mri: bool = True) -> "CountingScorer":
        self.seen["crops"] += len(crops_rgb)
        self.seen["batches"] += 1
        self.seen["in flight"] += 1
        self.seen["most"] = max(self.seen["most"], self.seen["in flight"])
        self.count = len(crops_rgb)
        return self

    def result(self) -> CropScores:
        self.seen["in flight"] -= 1
        if self.fails:
            raise DeviceError("gone")
        return CropScores(np.zeros(self.count, np.float32), None, None, None)

    def close(self) -> None: ...


@pytest.fixture
def gpu() -> ModuleType:
    return import_module("gpu")


@pytest.mark.parametrize(
    ("spans", "idle", "overlapped"),
    [
        ([], None, None),
        ([(3.0, 3.0)], None, None),
        ([(0.0, 4.0)], 0.0, 0.0),
        ([(0.0, 4.0), (4.0, 8.0)], 0.0, 0.0),
        ([(0.0, 4.0), (2.0, 6.0), (8.0, 10.0)], 0.2, 0.2),
        ([(0.0, 10.0), (2.0, 4.0), (3.0, 4.0)], 0.0, 0.2),
    ],
)
def test_idle_and_overlapped_time_are_shares_of_the_whole(
    gpu: ModuleType, spans: list[tuple[float, float]], idle: float | None, overlapped: float | None
) -> None:
    assert gpu.shares(spans) == {"idle_share": idle, "overlap_share": overlapped}


def test_two_batches_are_kept_in_flight_and_all_of_them_collected(gpu: ModuleType) -> None:
    scorer = CountingScorer()

    rate = gpu.keep_busy(scorer, 4, 0.02)

    assert rate > 0
    assert scorer.seen["most"] == 2
    assert scorer.seen["in flight"] == 0
    assert scorer.seen["crops"] == 4 * scorer.seen["batches"]


@pytest.mark.parametrize("fails", [False, True])
def test_a_load_counts_answers_and_failures(gpu: ModuleType, fails: bool) -> None:
    batcher = Batcher(CountingScorer(fails))
    try:
        row = gpu.at_load(batcher, 2, 0.2)
    finally:
        batcher.close()

    assert row["streams"] == 2
    assert (row["failed"] > 0) == fails
    assert (row["crops_per_second"] == 0) == fails
    assert (row["p95"] is None) == fails


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_without_a_gpu_there_is_a_clear_error(
    gpu: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["gpu.py", "--quick"])

    with pytest.raises(SystemExit) as ended:
        gpu.main()

    assert ended.value.code == 4
    assert "no CUDA device" in capsys.readouterr().err
