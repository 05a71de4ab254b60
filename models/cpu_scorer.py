"""The per-frame branches on a CPU through OpenVINO: one compiled network for each batch size."""

import queue
import threading
import weakref

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from unmask.models.align import CROP_SIZE
from unmask.models.errors import DeviceError
from unmask.models.export import export_cached
from unmask.models.openvino_core import shared_core
from unmask.models.per_frame import PerFrameNet
from unmask.models.scoring import CropScores

BATCH_SIZES = (1, 4)
"""Sizes that are compiled, of which others are made. Larger ones are no faster on a CPU and hold others up longer."""
THREADS_PER_LANE = 4
RESULT_TIMEOUT_MS = 20_000
COMPILE_TIMEOUT_S = 120.0
"""For one network; seconds on a usual machine."""

Requests = queue.SimpleQueue[ov.InferRequest]


class CpuScorer:
    """A `CropScorer` on OpenVINO. A batch is run by the thread that asks for its result.

    Args:
        full: every branch that there is.
        spatial: the spatial branch alone, for batches without the MRI branch; None where `full` is the same.
        cache_key: hash of all weights; the exported networks are kept under it for the next start.
        threads: in all.
        bf16: compute in bfloat16.
    """

    max_batch = 8
    max_wait_s = 0.0

    def __init__(
        self, full: PerFrameNet, spatial: PerFrameNet | None, cache_key: str, threads: int, bf16: bool
    ) -> None:
        self.lanes = max(1, threads // THREADS_PER_LANE)
        self._config = {
            "PERFORMANCE_HINT": "LATENCY" if self.lanes == 1 else "THROUGHPUT",
            "NUM_STREAMS": str(self.lanes),
            "INFERENCE_NUM_THREADS": str(threads),
            "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
        }
        self._nets = {"full": full, **({"spatial": spatial} if spatial else {})}
        self._cache_key = cache_key[:32]
        self._ready: dict[tuple[str, int], Requests] = {}
        self._closing = threading.Event()
        self._compile("full", 1)
        self._compiler = threading.Thread(target=self._compile_others, name="compiler", daemon=True)
        self._compiler.start()
        self._stop = weakref.finalize(self, _stop_compiling, self._closing, self._compiler)

    def submit(self, crops_rgb: NDArray[np.uint8], with_mri: bool = True) -> "_CpuBatch":
        """See `CropScorer`."""
        return _CpuBatch(self, crops_rgb, with_mri)

    def close(self) -> None:
        """Frees the networks."""
        self._stop()
        self._ready.clear()

    def run(self, crops_rgb: NDArray[np.uint8], with_mri: bool) -> CropScores:
        """Scores of a batch, made of batches of the compiled sizes."""
        parts = []
        start = 0
        while start < len(crops_rgb):
            name, size = self._choose(len(crops_rgb) - start, with_mri)
            parts.append(self._infer(name, size, crops_rgb[start : start + size], with_mri))
            start += size
        return CropScores.joined(parts)

    def _choose(self, count: int, with_mri: bool) -> tuple[str, int]:
        """The largest size that fits, of what is compiled by now."""
        name = "full" if with_mri or ("spatial", 1) not in self._ready else "spatial"
        return name, max(size for size in BATCH_SIZES if size <= count and (name, size) in self._ready)

    def _infer(self, name: str, size: int, crops_rgb: NDArray[np.uint8], with_mri: bool) -> CropScores:
        pool = self._ready[name, size]
        try:
            request = pool.get(timeout=RESULT_TIMEOUT_MS / 1000)
        except queue.Empty:
            raise DeviceError("OpenVINO is at work on batches that do not end") from None
        try:
            request.start_async([np.ascontiguousarray(crops_rgb)], share_inputs=True)
            if not request.wait_for(RESULT_TIMEOUT_MS):
                request = request.get_compiled_model().create_infer_request()
                raise DeviceError("OpenVINO gave no answer in time")
            fields = self._nets[name].outputs
            found = {field: np.array(request.get_output_tensor(i).data) for i, field in enumerate(fields)}
        finally:
            pool.put(request)
        if not with_mri:
            found.pop("mri", None)
            found.pop("maps", None)
        return CropScores(*(found.get(field) for field in CropScores.__dataclass_fields__))

    def _compile_others(self) -> None:
        for name in self._nets:
            for size in BATCH_SIZES:
                if (name, size) not in self._ready and not self._closing.is_set():
                    self._compile(name, size)

    def _compile(self, name: str, size: int) -> None:
        example = np.zeros((size, CROP_SIZE, CROP_SIZE, 3), np.uint8)
        model = export_cached(self._nets[name], (example,), f"{self._cache_key}-{name}{size}")
        compiled = shared_core().compile_model(model, "CPU", self._config)
        pool: Requests = queue.SimpleQueue()
        for _ in range(self.lanes):
            request = compiled.create_infer_request()
            request.infer([example])
            pool.put(request)
        self._ready[name, size] = pool


def _stop_compiling(closing: threading.Event, compiler: threading.Thread) -> None:
    """OpenVINO aborts the process when that ends while it compiles; this is called before that, too."""
    closing.set()
    if compiler is not threading.current_thread():
        compiler.join(COMPILE_TIMEOUT_S)


class _CpuBatch:
    def __init__(self, scorer: CpuScorer, crops_rgb: NDArray[np.uint8], with_mri: bool) -> None:
        self._scorer, self._crops_rgb, self._with_mri = scorer, crops_rgb, with_mri

    def result(self) -> CropScores:
        return self._scorer.run(self._crops_rgb, self._with_mri)
