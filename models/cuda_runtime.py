"""The per-frame branches on a GPU: upload, networks and download overlap, and no caller ever waits for the device.

Two batches may be in flight. Each has a slot: pinned memory for the crops, their copy on the device, and pinned memory
for the answers. `submit` copies the crops into pinned memory and queues, in this order: their upload on the copy
stream; the branches on their own streams, each after the upload's event; the download of each branch's answers behind
it. `result` asks the branches' events until they have happened. What is still done on the CPU: finding and aligning
faces.

This has been run on CPU tensors only, where streams, graphs and pinned memory are left out: there was no GPU to run
the rest on yet.
"""

import copy
import logging
import queue
import time
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unmask.models.align import CROP_SIZE
from unmask.models.cuda_branch import Event, Parts, branches, new_event, new_stream, on
from unmask.models.errors import DeviceError
from unmask.models.mri import MAP_SIZE
from unmask.models.per_frame import PerFrameNet
from unmask.models.scoring import CropScores
from unmask.models.spatial import EMBEDDING_SIZE

_log = logging.getLogger(__name__)

GRAPH_SIZES = (1, 2, 4, 8, 16)
"""Batches are filled up to the next of these."""
SHAPES: dict[str, tuple[int, ...]] = {
    "spatial": (),
    "embeddings": (EMBEDDING_SIZE,),
    "mri": (),
    "maps": (MAP_SIZE, MAP_SIZE),
}
RESULT_TIMEOUT_S = 5.0
ASK_EVERY_S = 2e-4
PARITY = 0.01
"""Largest difference of a probability to float32 with which a lower precision is used."""


class Finished(Protocol):
    """What happens on a stream, such as a CUDA event."""

    def query(self) -> bool:
        """Whether it has happened."""


class Slot:
    """The memory of one batch in flight."""

    def __init__(self, max_batch: int, fields: tuple[str, ...], device: torch.device) -> None:
        pinned = device.type == "cuda"
        crop = (CROP_SIZE, CROP_SIZE, 3)
        self.crops = torch.zeros((max_batch, *crop), dtype=torch.uint8, pin_memory=pinned)
        self.on_device = torch.zeros((max_batch, *crop), dtype=torch.uint8, device=device) if pinned else self.crops
        self.answers = {f: torch.zeros((max_batch, *SHAPES[f]), pin_memory=pinned) for f in fields}


class CudaScorer:
    """A `CropScorer` on a GPU.

    Args:
        full: every branch that there is, in evaluation mode; is copied.
        alone: not needed here; the spatial branch is part of `full`.
        device: `cuda`, or `cpu` to run the same without streams, graphs and pinned memory.
        dtype: of the networks; float16 by default on a GPU, float32 on a CPU. Where its probabilities differ from
            float32's by more than 0.01 on two noise pictures, float32 is used instead, with a warning.

    Raises:
        DeviceError: the device does not open or has too little memory.
    """

    max_batch = GRAPH_SIZES[-1]
    lanes = 2
    max_wait_s = 0.004

    def __init__(
        self,
        full: PerFrameNet,
        alone: PerFrameNet | None = None,
        *,
        device: str = "cuda",
        dtype: torch.dtype | None = None,
        graphs: bool = True,
    ) -> None:
        self._device = torch.device(device)
        on_gpu = self._device.type == "cuda"
        try:
            self._parts = open_parts(full, self._device, dtype or (torch.float16 if on_gpu else torch.float32))
            self._copy = new_stream(self._device) if on_gpu else None
            self._full, self._spatial = branches(self._parts, self._device)
            if graphs:
                self._capture()
            self._slots: queue.SimpleQueue[Slot] = queue.SimpleQueue()
            for _ in range(self.lanes):
                self._slots.put(Slot(self.max_batch, full.outputs, self._device))
            if on_gpu:
                torch.cuda.synchronize(self._device)
        except RuntimeError as error:
            raise DeviceError(f"the networks cannot be opened on {device}: {_first_line(error)}") from error

    @torch.inference_mode()
    def submit(self, crops_rgb: NDArray[np.uint8], with_mri: bool = True) -> "CudaBatch":
        """See `CropScorer`; a third batch waits until one of the two in flight is collected.

        Raises:
            DeviceError: the device failed, or no batch was collected for 5 seconds.
            ValueError: there are no crops, or more than `max_batch`.
        """
        count = len(crops_rgb)
        if not 1 <= count <= self.max_batch:
            raise ValueError(f"a batch has 1 to {self.max_batch} crops, not {count}")
        try:
            slot = self._slots.get(timeout=RESULT_TIMEOUT_S)
        except queue.Empty:
            raise DeviceError("the GPU is at work on two batches that nobody has collected") from None
        try:
            slot.crops[:count].copy_(torch.from_numpy(np.ascontiguousarray(crops_rgb)))
            copied = self._upload(slot, count)
            chosen = self._full if with_mri else self._spatial
            events = [branch.launch(slot.on_device, count, copied, slot.answers) for branch in chosen]
        except RuntimeError as error:
            self._slots.put(slot)
            raise DeviceError(f"the GPU failed: {_first_line(error)}") from error
        fields = tuple(field for branch in chosen for field in branch.fields)
        return CudaBatch(slot, count, fields, tuple(e for e in events if e is not None), self._slots)

    def close(self) -> None:
        """Waits for what is queued and frees the graphs."""
        for branch in {*self._full, *self._spatial}:
            branch.close()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    @torch.inference_mode()
    def _capture(self) -> None:
        for branch in {*self._full, *self._spatial}:
            branch.capture(GRAPH_SIZES)

    def _upload(self, slot: Slot, count: int) -> Event | None:
        if self._copy is None:
            return None
        with on(self._copy):
            slot.on_device[:count].copy_(slot.crops[:count], non_blocking=True)
            copied = new_event()
            copied.record(self._copy)
        return copied


class CudaBatch:
    """A batch at work; one thread collects it."""

    def __init__(
        self,
        slot: Slot,
        count: int,
        fields: tuple[str, ...],
        events: tuple[Finished, ...],
        slots: "queue.SimpleQueue[Slot]",
    ) -> None:
        self._slot: Slot | None = slot
        self._count = count
        self._fields = fields
        self._events = events
        self._slots = slots
        self._scores: CropScores | None = None

    def result(self) -> CropScores:
        """Waits for the batch, at most 5 seconds; asking again gives the same.

        Raises:
            DeviceError: the device failed or did not finish in time, or a batch that failed is asked again.
        """
        if self._scores is not None:
            return self._scores
        slot, self._slot = self._slot, None
        if slot is None:
            raise DeviceError("this batch has failed")
        try:
            wait_for(self._events)
            found = {f: np.array(slot.answers[f][: self._count].numpy()) for f in self._fields}
        finally:
            self._slots.put(slot)
        self._scores = CropScores(*(found.get(field) for field in CropScores.__dataclass_fields__))
        return self._scores


def wait_for(events: tuple[Finished, ...], timeout_s: float = RESULT_TIMEOUT_S) -> None:
    """Sleeps until all of them have happened, so that the thread holds neither a core nor the GIL.

    Raises:
        DeviceError: the device reports a failure, or they have not happened in time.
    """
    until_s = time.monotonic() + timeout_s
    for event in events:
        while not _happened(event):
            if time.monotonic() >= until_s:
                raise DeviceError(f"the GPU did not finish a batch within {timeout_s:g} s")
            time.sleep(ASK_EVERY_S)


@torch.inference_mode()
def open_parts(net: PerFrameNet, device: torch.device, dtype: torch.dtype) -> Parts:
    """The networks on the device, in this precision where its answers agree with float32's, else in float32."""
    exact = Parts(copy.deepcopy(net), device, torch.float32)
    if dtype == torch.float32:
        return exact
    parts = Parts(copy.deepcopy(net), device, dtype)
    noise = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, CROP_SIZE, CROP_SIZE, 3), np.uint8))
    difference = _difference(exact, parts, noise.to(device))
    if difference <= PARITY:
        return parts
    _log.warning("%s changes probabilities by %.3f; float32 is used, which costs speed", dtype, difference)
    return exact


def _difference(exact: Parts, parts: Parts, crops: Tensor) -> float:
    """Largest difference of a probability; infinite where one is no number."""
    largest = 0.0
    for has, run in ((exact.net.spatial, "spatial"), (exact.net.mri, "mri")):
        if has is not None:
            ours, theirs = (torch.sigmoid(getattr(p, run)(crops)[0]) for p in (exact, parts))
            largest = max(largest, float(torch.nan_to_num((ours - theirs).abs(), nan=torch.inf).max()))
    return largest


def _happened(event: Finished) -> bool:
    try:
        return event.query()
    except RuntimeError as error:
        raise DeviceError(f"the GPU failed: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
