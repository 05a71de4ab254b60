"""What runs on one CUDA stream: a part of the per-frame networks, as CUDA graphs for the usual batch sizes.

The same code runs on CPU tensors, without streams and graphs, which is how it is tested. It has not been run on a GPU
yet.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from unmask.models.align import CROP_SIZE
from unmask.models.mri import LightGenerator
from unmask.models.per_frame import OUTPUTS, PerFrameNet

_log = logging.getLogger(__name__)

WARM_UP_RUNS = 3
Stream = torch.cuda.Stream
Event = torch.cuda.Event
Run = Callable[[Tensor], tuple[Tensor, ...]]
"""Answers to crops (n, 256, 256, 3) uint8, all of them float32."""


@dataclass(frozen=True)
class _Captured:
    """A graph with the tensors that it reads and writes, which keep their places."""

    graph: torch.cuda.CUDAGraph
    crops: Tensor
    answers: tuple[Tensor, ...]


class Branch:
    """Runs a part of the networks on a stream of its own; launched by one thread at a time.

    Args:
        run: the part.
        fields: fields of `CropScores` that it answers, in its order.
        stream: None on a CPU.
    """

    def __init__(self, run: Run, fields: tuple[str, ...], stream: Stream | None) -> None:
        self.fields = fields
        self.stream = stream
        self._run = run
        self._graphs: dict[int, _Captured] = {}

    @property
    def sizes(self) -> tuple[int, ...]:
        """Batch sizes that have a graph, ascending; empty where everything runs eagerly."""
        return tuple(sorted(self._graphs))

    def capture(self, sizes: tuple[int, ...]) -> None:
        """Makes the graphs; where that fails, says so once and goes on without any."""
        if self.stream is None:
            return
        pool: Any = torch.cuda.graph_pool_handle()
        try:
            with torch.backends.cudnn.flags(enabled=True, benchmark=True):
                for size in sorted(sizes, reverse=True):
                    self._graphs[size] = self._captured(size, pool)
        except RuntimeError as error:
            self._graphs.clear()
            _log.warning("no CUDA graphs for %s, which costs speed: %s", ", ".join(self.fields), error)

    def launch(self, crops: Tensor, count: int, copied: Event | None, answers: Mapping[str, Tensor]) -> Event | None:
        """Queues a batch.

        Args:
            crops: (max_batch, 256, 256, 3) uint8 on the device, the first `count` of them filled.
            copied: after which they are there.
            answers: where answers go by field, (max_batch, ...) float32 of the host, pinned.

        Returns:
            The event after which the answers are there; None on a CPU, where they are there now.
        """
        with on(self.stream):
            if self.stream is not None and copied is not None:
                self.stream.wait_event(copied)
            for field, answer in zip(self.fields, self._answers(crops[:count], count), strict=True):
                answers[field][:count].copy_(answer[:count], non_blocking=True)
            if self.stream is None:
                return None
            done = new_event()
            done.record(self.stream)
            return done

    def close(self) -> None:
        """Waits for what is queued and frees the graphs."""
        if self.stream is not None:
            self.stream.synchronize()
        self._graphs.clear()

    def _answers(self, crops: Tensor, count: int) -> tuple[Tensor, ...]:
        """The graph's tensors are written again by the next batch, which runs after this one on the same stream."""
        size = next((size for size in self.sizes if size >= count), None)
        if size is None:
            return self._run(crops)
        captured = self._graphs[size]
        captured.crops[:count].copy_(crops, non_blocking=True)
        captured.graph.replay()
        return captured.answers

    def _captured(self, size: int, pool: Any) -> _Captured:
        assert self.stream is not None
        crops = torch.zeros((size, CROP_SIZE, CROP_SIZE, 3), dtype=torch.uint8, device=self.stream.device)
        self.stream.wait_stream(torch.cuda.current_stream(self.stream.device))
        with on(self.stream):
            for _ in range(WARM_UP_RUNS):
                self._run(crops)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool, stream=self.stream, capture_error_mode="thread_local"):
            answers = self._run(crops)
        return _Captured(graph, crops, answers)


class Parts(nn.Module):
    """The parts of a `PerFrameNet` in a precision and on a device.

    Bytes are normalised in float32 and the map is judged in float32; what lies between has the asked-for precision.

    Args:
        net: is left as it is.
    """

    def __init__(self, net: PerFrameNet, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__()
        self.net = net.to(device).eval()
        for part in (net.spatial, net.mri.generator if net.mri is not None else None):
            if part is not None:
                part.to(dtype=dtype).to(memory_format=torch.channels_last)
        self._dtype = dtype

    def spatial(self, crops: Tensor) -> tuple[Tensor, ...]:
        """Logits (n,) and embeddings (n, 1280)."""
        assert self.net.spatial is not None
        return _floats(self.net.spatial(self.images(crops)))

    def mri(self, crops: Tensor) -> tuple[Tensor, ...]:
        """Logits (n,) and maps (n, 64, 64)."""
        assert self.net.mri is not None
        return _floats(self.net.mri.judge(self.net.mri.generator(self.images(crops)).float()))

    def both(self, crops: Tensor, side: Stream | None) -> tuple[Tensor, ...]:
        """Both branches of networks that share their early blocks; the MRI branch parts on to a stream beside.

        The fork and the join are part of a graph that is captured around this.
        """
        mri = self.net.mri
        assert mri is not None
        generator = cast(LightGenerator, mri.generator)
        x, skips = generator.encode(self.images(crops))
        here = None if side is None else torch.cuda.current_stream(side.device)
        if side is not None and here is not None:
            side.wait_stream(here)
            for skip in skips:
                skip.record_stream(side)
        with on(side):
            judged = _floats(mri.judge(generator.decode(skips).float()))
        spatial = _floats(self.net.finish_spatial(x))
        if side is not None and here is not None:
            here.wait_stream(side)
            for answer in judged:
                answer.record_stream(here)
        return *spatial, *judged

    def images(self, crops: Tensor) -> Tensor:
        """What `preprocess.normalise` makes of (n, 256, 256, 3) bytes, in this precision, channels last."""
        return self.net.normalised(crops).to(dtype=self._dtype, memory_format=torch.channels_last)


def branches(parts: Parts, device: torch.device) -> tuple[list[Branch], list[Branch]]:
    """What runs for a batch with the MRI branch, and for one without."""
    net, on_gpu = parts.net, device.type == "cuda"
    first, second = (new_stream(device) if on_gpu else None for _ in range(2))
    spatial = [Branch(parts.spatial, OUTPUTS["spatial"], first)] if net.spatial is not None else []
    if net.shared:
        return [Branch(lambda crops: parts.both(crops, second), OUTPUTS["spatial"] + OUTPUTS["mri"], first)], spatial
    mri = [Branch(parts.mri, OUTPUTS["mri"], second)] if net.mri is not None else []
    return spatial + mri, spatial


def new_stream(device: torch.device) -> Stream:
    """A stream of its own."""
    return Stream(device)  # type: ignore[no-untyped-call]


def new_event() -> Event:
    """An event that has not been recorded."""
    return Event()  # type: ignore[no-untyped-call]


def on(stream: Stream | None) -> AbstractContextManager[object]:
    """On this stream; where there is none, nothing."""
    return nullcontext() if stream is None else torch.cuda.stream(stream)


def _floats(answers: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(answer.float() for answer in answers)
