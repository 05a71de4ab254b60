"""OpenVINO's part of `networks.py`: the runtime alone, the engine that uses it, and its own `benchmark_app`."""

import json
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import skimage.data
import torch
from common import Result, ratio, timed
from numpy.typing import NDArray
from torch import nn

from unmask.models.align import align_face
from unmask.models.engine import Engine
from unmask.models.machine import cores, vector_flags
from unmask.models.openvino_core import shared_core
from unmask.models.preprocess import normalise
from unmask.models.spatial import SpatialNet
from unmask.models.store import load_into
from unmask.stream.source_demo import LANDMARKS_XY

Floats = NDArray[np.float32]
Run = Callable[[], Sequence[Any]]
OV_PRECISIONS = {"f32": "fp32", "bf16": "bf16"}


def crops(count: int) -> NDArray[np.uint8]:
    """Aligned crops of one photograph, each a little different."""
    photo: NDArray[np.uint8] = np.asarray(skimage.data.astronaut(), np.uint8)
    shifts = np.random.default_rng(0).normal(0, 1.5, (count, 5, 2)).astype(np.float32)
    return np.stack([align_face(photo, LANDMARKS_XY + shift) for shift in shifts])


def openvino_precisions() -> tuple[str, ...]:
    """Those that the processor has instructions for."""
    return ("f32", "bf16") if {"avx512_bf16", "amx_bf16", "bf16"} & set(vector_flags()) else ("f32",)


def export(net: nn.Module, inputs: tuple[Floats, ...]) -> ov.Model:
    """The network for OpenVINO, of static shapes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ov.convert_model(net, example_input=tuple(torch.from_numpy(value) for value in inputs))
    model.reshape({port: list(value.shape) for port, value in zip(model.inputs, inputs, strict=True)})
    return model


def openvino_run(model: ov.Model, inputs: tuple[Floats, ...], precision: str) -> Run:
    """A synchronous request on all cores."""
    hints = {
        "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": str(cores())
    }  # fmt: skip
    compiled = shared_core().compile_model(model, "CPU", hints)
    request = compiled.create_infer_request()

    def run() -> Sequence[Any]:
        request.infer(list(inputs), share_inputs=True)
        return [request.get_output_tensor(place).data for place in range(len(compiled.outputs))]

    return run


def engine_rows(batches: Sequence[int], seconds: float, precision: str) -> list[Result]:
    """Crops a second through the whole engine: bytes in, batches, answers copied out, by one caller."""
    rows = []
    with Engine.open("cpu", precision=precision) as engine:
        for thread in threading.enumerate():
            if thread.name == "compiler":
                thread.join(120)
        for name, with_mri in (("spatial", False), ("spatial and mri", True)):
            for batch in batches:
                given = crops(batch)
                taken_s = timed(lambda given=given, mri=with_mri: engine.score_crops(given, "s", mri), seconds)
                rows.append(
                    {"network": name, "batch": batch, "precision": precision,
                     "images_per_second": round(batch / taken_s, 1)}
                )  # fmt: skip
    return rows


def benchmark_app(batch: int, precision: str, seconds: float) -> float | None:
    """Images a second of the spatial network by OpenVINO's own tool; None without it.

    The better of one request at a time and one request a core.
    """
    if find_spec("openvino.tools.benchmark") is None:
        return None
    model = export(load_into(SpatialNet(), "spatial"), (normalise(crops(batch)),))
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spatial.xml"
        ov.save_model(model, path, compress_to_fp16=False)
        for mode, streams in (("sync", 1), ("async", cores())):
            command = [
                sys.executable, "-c", "from openvino.tools.benchmark.main import main; main()", "-m", str(path),
                "-d", "CPU", "-hint", "none", "-api", mode, "-nstreams", str(streams), "-nthreads", str(cores()),
                "-infer_precision", precision, "-t", str(max(1, round(seconds))), "-report_type", "no_counters",
                "-json_stats", "-report_folder", folder,
            ]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, timeout=120 + seconds, check=False)
            if done.returncode:
                raise SystemExit(f"error: benchmark_app failed: {done.stdout.strip()[-400:]}")
            report = json.loads((Path(folder) / "benchmark_report.json").read_text("utf-8"))
            found.append(float(report["execution_results"]["throughput"]))
    return max(found)


def against_benchmark_app(batches: Sequence[int], seconds: float) -> list[Result]:
    """The engine beside `benchmark_app`: same weights, batch, precision and threads, turn by turn."""
    rows = []
    for hint in openvino_precisions():
        for row in engine_rows(batches, seconds, OV_PRECISIONS[hint]):
            theirs = benchmark_app(row["batch"], hint, 3 * seconds) if row["network"] == "spatial" else None
            share = {} if theirs is None else {
                "benchmark_app_images_per_second": round(theirs, 1),
                "share_of_benchmark_app": ratio(row["images_per_second"], theirs),
            }  # fmt: skip
            rows.append({**row, **share})
    return rows
