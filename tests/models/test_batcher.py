"""Crops of many streams share batches, and every stream gets its own scores back."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from unmask.models import batcher as batcher_module
from unmask.models.batcher import Batcher
from unmask.models.errors import BusyError, CancelledWork, DeviceError
from unmask.models.scoring import CropScores

TIMEOUT_S = 10.0


class GatedScorer:
    """Scores a crop with its first byte, once the gate is open; remembers each batch."""

    max_batch = 4
    lanes = 1
    max_wait_s = 0.0

    def __init__(self) -> None:
        self.gate = threading.Semaphore(0)
        self.entered = threading.Semaphore(0)
        self.batches: list[list[int]] = []
        self.failing = False

    def submit(self, crops_rgb: NDArray[np.uint8], with_mri: bool = True) -> "GatedScorer":
        self.batches.append([int(crop[0, 0, 0]) for crop in crops_rgb])
        self._with_mri = with_mri
        return self

    def result(self) -> CropScores:
        self.entered.release()
        assert self.gate.acquire(timeout=TIMEOUT_S)
        if self.failing:
            raise RuntimeError("the card fell out")
        values = np.array(self.batches[-1], np.float32)
        return CropScores(values, None, values if self._with_mri else None, None)

    def close(self) -> None:
        """Nothing to free."""


@pytest.fixture
def scorer() -> GatedScorer:
    return GatedScorer()


@pytest.fixture
def batcher(scorer: GatedScorer) -> Iterator[Batcher]:
    made = Batcher(scorer)
    yield made
    for _ in range(200):
        scorer.gate.release()
    made.close()


@pytest.fixture
def callers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(80) as executor:
        yield executor


def crops(*values: int) -> NDArray[np.uint8]:
    return np.stack([np.full((2, 2, 3), value, np.uint8) for value in values])


def spatial(future: "Future[CropScores]") -> list[int]:
    found = future.result(TIMEOUT_S).spatial
    assert found is not None
    return [int(v) for v in found]


def wait_for_waiting(batcher: Batcher, count: int) -> None:
    for _ in range(2000):
        if batcher.stats.waiting == count:
            return
        threading.Event().wait(0.005)
    raise AssertionError(f"{batcher.stats.waiting} requests wait, not {count}")


def test_requests_that_wait_together_share_a_batch(
    scorer: GatedScorer, batcher: Batcher, callers: ThreadPoolExecutor
) -> None:
    first = callers.submit(batcher.score, crops(1), "a")
    assert scorer.entered.acquire(timeout=TIMEOUT_S)
    others = [callers.submit(batcher.score, crops(value), f"s{value}") for value in (2, 3, 4)]
    wait_for_waiting(batcher, 3)
    scorer.gate.release(2)

    assert spatial(first) == [1]
    assert sorted(spatial(other)[0] for other in others) == [2, 3, 4]
    assert [len(batch) for batch in scorer.batches] == [1, 3]


def test_stream_with_many_faces_does_not_hold_up_one_with_a_single_face(
    scorer: GatedScorer, batcher: Batcher, callers: ThreadPoolExecutor
) -> None:
    blocker = callers.submit(batcher.score, crops(0), "blocker")
    assert scorer.entered.acquire(timeout=TIMEOUT_S)
    many = callers.submit(batcher.score, crops(*range(10, 26)), "many")
    wait_for_waiting(batcher, 1)
    one = callers.submit(batcher.score, crops(99), "one")
    wait_for_waiting(batcher, 2)
    scorer.gate.release(2)

    assert spatial(one) == [99]
    assert 99 in scorer.batches[1]
    scorer.gate.release(10)
    assert spatial(many) == list(range(10, 26))
    assert spatial(blocker) == [0]
    assert all(len(batch) <= scorer.max_batch for batch in scorer.batches)


def test_batch_never_mixes_requests_with_and_without_the_mri_branch(
    scorer: GatedScorer, batcher: Batcher, callers: ThreadPoolExecutor
) -> None:
    blocker = callers.submit(batcher.score, crops(0), "blocker")
    assert scorer.entered.acquire(timeout=TIMEOUT_S)
    without = callers.submit(batcher.score, crops(1), "without", False)
    wait_for_waiting(batcher, 1)
    full = callers.submit(batcher.score, crops(2), "full", True)
    wait_for_waiting(batcher, 2)
    scorer.gate.release(3)

    assert blocker.result(TIMEOUT_S).mri is not None
    assert without.result(TIMEOUT_S).mri is None
    assert full.result(TIMEOUT_S).mri is not None


def test_cancelled_stream_leaves_the_queue_and_others_stay(
    scorer: GatedScorer, batcher: Batcher, callers: ThreadPoolExecutor
) -> None:
    blocker = callers.submit(batcher.score, crops(0), "blocker")
    assert scorer.entered.acquire(timeout=TIMEOUT_S)
    gone = callers.submit(batcher.score, crops(1), "gone")
    stays = callers.submit(batcher.score, crops(2), "stays")
    wait_for_waiting(batcher, 2)
    batcher.cancel("gone")

    with pytest.raises(CancelledWork):
        gone.result(TIMEOUT_S)
    scorer.gate.release(2)
    assert (spatial(blocker), spatial(stays)) == ([0], [2])
    assert batcher.stats.cancelled == 1


def test_full_queue_refuses_at_once(
    scorer: GatedScorer, batcher: Batcher, callers: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batcher_module, "MAX_WAITING", 2)
    callers.submit(batcher.score, crops(0), "blocker")
    assert scorer.entered.acquire(timeout=TIMEOUT_S)
    for name in "ab":
        callers.submit(batcher.score, crops(1), name)
    wait_for_waiting(batcher, 2)

    with pytest.raises(BusyError):
        batcher.score(crops(1), "c")
    assert batcher.stats.refused == 1


def test_failure_of_the_device_reaches_its_callers_and_the_next_batch_runs(
    scorer: GatedScorer, batcher: Batcher, callers: ThreadPoolExecutor
) -> None:
    scorer.failing = True
    scorer.gate.release()
    with pytest.raises(DeviceError, match="the card fell out"):
        batcher.score(crops(1, 2, 3, 4, 5), "a")

    scorer.failing = False
    scorer.gate.release()
    assert spatial(callers.submit(batcher.score, crops(6), "a")) == [6]


def test_no_answer_in_time_is_a_device_error(
    scorer: GatedScorer, batcher: Batcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batcher_module, "RESULT_TIMEOUT_S", 0.05)
    with pytest.raises(DeviceError, match="no answer"):
        batcher.score(crops(1), "a")


def test_closed_batcher_refuses_work(scorer: GatedScorer) -> None:
    batcher = Batcher(scorer)
    batcher.close()
    with pytest.raises(CancelledWork):
        batcher.score(crops(1), "a")


def test_counts_say_what_went_through(scorer: GatedScorer, batcher: Batcher) -> None:
    assert batcher.stats.seconds_per_crop is None
    scorer.gate.release(2)
    batcher.score(crops(*range(6)), "a")

    stats = batcher.stats
    assert (stats.batches, stats.crops, stats.waiting) == (2, 6, 0)
    assert stats.seconds_per_crop is not None
    assert 0 <= stats.load <= 1
