"""The networks alone: images a second in each runtime and batch size, beside the machine's own limits.

Three measures of "close to the limit": the share of the matrix rate that a large product reaches in the same run and
precision, the share of what OpenVINO's own `benchmark_app` reaches for the same model, precision and threads, and how
far each runtime's answers are from torch's in fp32.
"""

import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import skimage.data
import torch
from common import Result, parser, publish, timed
from facenet_pytorch import MTCNN
from matplotlib.figure import Figure
from networks_openvino import (
    OV_PRECISIONS,
    Floats,
    Run,
    against_benchmark_app,
    crops,
    export,
    openvino_precisions,
    openvino_run,
)
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from unmask.models.machine import cores
from unmask.models.mri import MriNet
from unmask.models.preprocess import WINDOW_STEPS, normalise
from unmask.models.spatial import SpatialNet
from unmask.models.store import load_into
from unmask.models.temporal import FEATURE_COUNT, TemporalNet

PNET_HW = (360, 640)


@dataclass(frozen=True)
class Network:
    """A network, examples of its inputs for a batch size, and which of its outputs tells of a forgery or a face.

    Attributes:
        is_logit: whether that output is a logit and not a probability.
    """

    name: str
    net: nn.Module
    inputs: Callable[[int], tuple[Floats, ...]]
    answer: int
    is_logit: bool


def networks() -> Iterator[Network]:
    """The three branches, and MTCNN's three networks."""
    rng = np.random.default_rng(1)
    spatial, mri, temporal = (
        load_into(net, name)
        for name, net in (("spatial", SpatialNet()), ("mri", MriNet()), ("temporal", TemporalNet()))
    )

    def windows(count: int) -> tuple[Floats, ...]:
        features = np.abs(rng.normal(0, 0.3, (count, WINDOW_STEPS, FEATURE_COUNT))).astype(np.float32)
        return features, np.ones((count, WINDOW_STEPS), np.float32)

    def patches(height: int, width: int) -> Callable[[int], tuple[Floats, ...]]:
        photo = cv2.resize(skimage.data.astronaut(), (width, height)).transpose(2, 0, 1)
        return lambda count: (np.repeat((photo[None].astype(np.float32) - 127.5) / 128, count, 0),)

    mtcnn = MTCNN(device="cpu").eval()
    yield Network("spatial", spatial, lambda n: (normalise(crops(n)),), 0, True)
    yield Network("mri", mri, lambda n: (normalise(crops(n)),), 0, True)
    yield Network("temporal", temporal, windows, 0, True)
    yield Network("mtcnn_pnet", mtcnn.pnet, patches(*PNET_HW), 1, False)
    yield Network("mtcnn_rnet", mtcnn.rnet, patches(24, 24), 1, False)
    yield Network("mtcnn_onet", mtcnn.onet, patches(48, 48), 2, False)


def runtimes(network: Network, inputs: tuple[Floats, ...]) -> Iterator[tuple[str, str, Run]]:
    """(runtime, precision, forward pass) for every runtime that this machine has."""
    tensors = [torch.from_numpy(value) for value in inputs]
    yield "torch eager", "fp32", lambda: _tuple(network.net(*tensors))
    if find_spec("onnxruntime") and find_spec("onnx"):
        yield "onnxruntime", "fp32", onnx_run(network.net, inputs)
    for precision in openvino_precisions():
        yield "openvino", OV_PRECISIONS[precision], openvino_run(export(network.net, inputs), inputs, precision)
    if torch.cuda.is_available():
        from networks_cuda import cuda_runs

        yield from cuda_runs(network.net, inputs)


def onnx_run(net: nn.Module, inputs: tuple[Floats, ...]) -> Run:
    """ONNX Runtime's CPU provider with as many threads as cores."""
    import onnxruntime

    names = [f"input{place}" for place in range(len(inputs))]
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = cores()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = str(Path(folder) / "net.onnx")
        tensors = tuple(torch.from_numpy(value) for value in inputs)
        torch.onnx.export(net, tensors, path, input_names=names, opset_version=17, dynamo=False)
        session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    given = dict(zip(names, inputs, strict=True))
    return lambda: session.run(None, given)


def measure(network: Network, batches: Sequence[int], seconds: float, peaks: dict[str, float]) -> list[Result]:
    """A row for each runtime and batch size."""
    rows = []
    for batch in batches:
        inputs = network.inputs(batch)
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            truth = answer_of(network, _tuple(network.net(*map(torch.from_numpy, inputs))))
        gflop = counter.get_total_flops() / batch / 1e9
        for runtime, precision, run in runtimes(network, inputs):
            with torch.inference_mode():
                logit_apart, p_apart = parity(truth, answer_of(network, run()), is_logit=network.is_logit)
                per_second = batch / timed(run, seconds)
            place = "cuda" if runtime.startswith("cuda") else "cpu"
            peak = peaks.get(f"{place} {precision}")
            rows.append(
                {
                    "network": network.name, "runtime": runtime, "precision": precision, "batch": batch,
                    "images_per_second": round(per_second, 1), "gflops": round(per_second * gflop, 1),
                    "gflop_per_image": round(gflop, 3),
                    "share_of_peak": round(per_second * gflop / peak, 3) if peak else None,
                    "parity_max_abs": p_apart, "parity_max_abs_logit": logit_apart,
                }
            )  # fmt: skip
    return rows


def answer_of(network: Network, outputs: Sequence[Any]) -> Floats:
    """The output that is compared."""
    found = outputs[network.answer]
    return np.array(found.float().cpu().numpy() if isinstance(found, torch.Tensor) else found, np.float32)


def parity(truth: Floats, found: Floats, *, is_logit: bool) -> tuple[float | None, float]:
    """Largest difference of logits (None where there are none) and of probabilities."""
    found = found.reshape(truth.shape)
    if not is_logit:
        return None, round(float(np.abs(truth - found).max()), 6)
    p_truth, p_found = 1 / (1 + np.exp(-truth)), 1 / (1 + np.exp(-found))
    return round(float(np.abs(truth - found).max()), 5), round(float(np.abs(p_truth - p_found).max()), 6)


def matrix_peaks(seconds: float) -> dict[str, float]:
    """GFLOP/s of a large square product, by device and precision: what this machine reaches at best."""
    precisions = {"fp32": torch.float32, "bf16": torch.bfloat16}
    peaks = {}
    for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
        for name, kind in {**precisions, **({"fp16": torch.float16} if device == "cuda" else {})}.items():
            if device == "cpu" and name == "bf16" and "bf16" not in openvino_precisions():
                continue
            peaks[f"{device} {name}"] = round(max(_product_rate(n, device, kind, seconds) for n in _sides(device)), 1)
    return peaks


def _sides(device: str) -> tuple[int, ...]:
    return (4096, 8192) if device == "cuda" else (1024, 2048)


def _product_rate(side: int, device: str, kind: torch.dtype, seconds: float) -> float:
    a, b = (torch.randn(side, side, device=device).to(kind) for _ in range(2))
    out = torch.empty(side, side, device=device, dtype=kind)

    def product() -> None:
        torch.mm(a, b, out=out)
        if device == "cuda":
            torch.cuda.synchronize()

    return 2 * side**3 / timed(product, seconds) / 1e9


def draw(result: Result, figure: Figure) -> None:
    """Images a second of the three branches at the largest batch, by runtime."""
    rows = [row for row in result["rows"] if row["batch"] == result["batches"][-1]]
    for place, name in enumerate(("spatial", "mri", "temporal")):
        mine = [row for row in rows if row["network"] == name]
        axes = figure.add_subplot(1, 3, place + 1)
        bars = axes.barh([f"{r['runtime']} {r['precision']}" for r in mine], [r["images_per_second"] for r in mine])
        axes.bar_label(bars, fmt="%.0f")
        axes.set_title(f"{name}, images/s, batch {result['batches'][-1]}", fontsize=9)
        axes.margins(x=0.2)
        axes.tick_params(labelsize=7)


def _tuple(outputs: Any) -> Sequence[Any]:
    return outputs if isinstance(outputs, tuple) else (outputs,)


def options() -> Any:
    """What was asked for."""
    made = parser("Measure the networks alone.", "networks")
    made.add_argument("--seconds", type=float, help="of each measurement; 1 without it")
    made.add_argument("--only", help="one network")
    asked = made.parse_args()
    asked.seconds = asked.seconds or (0.1 if asked.quick else 1.0)
    asked.batches = (1,) if asked.quick else (1, 4, 8)
    return asked


def main() -> None:
    """Measures, prints and writes the result and its plot."""
    asked = options()
    chosen = [network for network in networks() if asked.only in (None, network.name)]
    if not chosen:
        raise SystemExit(f"error: there is no network {asked.only!r}")
    threads = torch.get_num_threads()
    peaks = matrix_peaks(asked.seconds)
    rows = [row for network in chosen for row in measure(network, asked.batches, asked.seconds, peaks)]
    engine = against_benchmark_app(asked.batches, asked.seconds) if asked.only in (None, "spatial") else []
    shares = [row["share_of_benchmark_app"] for row in engine if "share_of_benchmark_app" in row]
    result = {
        "batches": list(asked.batches), "threads": cores(), "torch_threads": threads, "peak_gflops": peaks,
        "rows": rows, "engine": engine, "share_of_benchmark_app": min(shares, default=None),
    }  # fmt: skip
    lines = [
        f"{row['network']:12}{row['runtime']:14}{row['precision']:6}batch {row['batch']}: "
        f"{row['images_per_second']:8.1f}/s, share of peak {row['share_of_peak']}, p apart {row['parity_max_abs']}"
        for row in rows
    ]
    lines.append(f"engine against benchmark_app, smallest share: {result['share_of_benchmark_app']}")
    publish(asked, result, lines, draw)


if __name__ == "__main__":
    main()
