"""Batches made beside the training, by one worker process."""

import multiprocessing
import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2

from unmask.models.training.pack import read_pack
from unmask.models.training.pairs import Pair, PairMaker

BATCHES_AHEAD = 2
BATCH_TIMEOUT_S = 300.0


@contextmanager
def worker_batches(
    pack_folder: Path,
    groups: set[str],
    seed: int,
    size: int,
    start: int,
    to_batch: Callable[[list[Pair]], Any],
    families: dict[str, float] | None = None,
) -> Iterator[Iterator[Any]]:
    """An endless iterator of batches of `size` pairs, from batch `start` on, two ahead of the training.

    Raises:
        TimeoutError: (when iterating) the worker made nothing for five minutes.
    """
    context = multiprocessing.get_context("spawn")
    batches: multiprocessing.Queue[Any] = context.Queue(BATCHES_AHEAD)
    process = context.Process(
        target=_produce, args=(pack_folder, groups, seed, size, start, to_batch, families, batches), daemon=True
    )
    process.start()
    try:
        yield _drain(batches)
    finally:
        process.terminate()
        process.join(10)


def _drain(batches: "multiprocessing.Queue[Any]") -> Iterator[Any]:
    while True:
        try:
            yield batches.get(timeout=BATCH_TIMEOUT_S)
        except queue.Empty:
            raise TimeoutError("the worker that makes training batches has stopped") from None


def _produce(
    pack_folder: Path,
    groups: set[str],
    seed: int,
    size: int,
    start: int,
    to_batch: Callable[[list[Pair]], Any],
    families: dict[str, float] | None,
    batches: "multiprocessing.Queue[Any]",
) -> None:
    cv2.setNumThreads(1)
    for pairs in PairMaker(read_pack(pack_folder), groups, seed, families).batches(size, start):
        batches.put(to_batch(pairs))
