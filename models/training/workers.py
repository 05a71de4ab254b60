"""Batches made beside the training, by worker processes."""

import multiprocessing
import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from multiprocessing.context import SpawnProcess
from typing import Any

import cv2

from unmask.models.errors import TrainingFailed
from unmask.models.training.pairs import Pair, PairSource

BATCHES_AHEAD = 2
"""Batches that each worker prepares; a full queue makes it wait."""
BATCH_TIMEOUT_S = 300.0
LOOK_S = 2.0

ToBatch = Callable[[list[Pair]], Any]
Worker = tuple[SpawnProcess, "multiprocessing.Queue[Any]"]


@contextmanager
def worker_batches(
    source: PairSource, size: int, start: int, to_batch: ToBatch, workers: int = 1
) -> Iterator[Iterator[Any]]:
    """An endless iterator of batches of `size` pairs, from batch `start` on.

    The batches and their order do not depend on the number of workers; with none, this process makes them.

    Raises:
        TrainingDataError: there is no face to make pairs of.
        TrainingFailed: (when iterating) a worker has died or made nothing for five minutes.
    """
    maker = source.open()
    if not workers:
        yield (to_batch(pairs) for pairs in maker.batches(size, start))
        return
    started = [_start(source, size, start + i, workers, to_batch) for i in range(workers)]
    try:
        yield _drain(started)
    finally:
        for process, _ in started:
            process.terminate()
        for process, batches in started:
            process.join(10)
            batches.close()


def _start(source: PairSource, size: int, first: int, stride: int, to_batch: ToBatch) -> Worker:
    context = multiprocessing.get_context("spawn")
    batches: multiprocessing.Queue[Any] = context.Queue(BATCHES_AHEAD)
    process = context.Process(target=_produce, args=(source, size, first, stride, to_batch, batches), daemon=True)
    process.start()
    return process, batches


def _drain(started: list[Worker]) -> Iterator[Any]:
    for process, batches in cycle(started):
        yield _next(process, batches)


def _next(process: SpawnProcess, batches: "multiprocessing.Queue[Any]") -> Any:
    deadline_s = time.monotonic() + BATCH_TIMEOUT_S
    while time.monotonic() < deadline_s:
        alive = process.is_alive()
        try:
            return batches.get(timeout=LOOK_S)
        except queue.Empty:
            if not alive:
                raise TrainingFailed("a worker that makes training batches has died") from None
    raise TrainingFailed(f"no training batch came for {BATCH_TIMEOUT_S:.0f} seconds")


def _produce(
    source: PairSource,
    size: int,
    first: int,
    stride: int,
    to_batch: ToBatch,
    batches: "multiprocessing.Queue[Any]",
) -> None:
    cv2.setNumThreads(1)
    for pairs in source.open().batches(size, first, stride):
        batches.put(to_batch(pairs))
