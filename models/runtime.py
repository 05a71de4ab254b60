"""Runs a network's forward pass: on a CPU through OpenVINO, on CUDA (or on request) through PyTorch."""

import os
import warnings
from pathlib import Path
from typing import Protocol

import numpy as np
import openvino as ov
import torch
from numpy.typing import NDArray
from torch import nn

from unmask.models.errors import DeviceError
from unmask.models.openvino_core import shared_core

Floats = NDArray[np.float32]
EXPORT_VERSION = "v1"
"""To be raised when the code of a network changes under the same weights."""


class Runner(Protocol):
    """A compiled forward pass, for one caller at a time."""

    def __call__(self, *inputs: Floats) -> tuple[Floats, ...]:
        """Outputs for one batch of inputs, the batch first in every array."""


def pick_device(device: str) -> str:
    """`cpu`, `cuda` or `torch-cpu` for `auto` or one of these.

    Raises:
        DeviceError: the name is unknown or the machine has no such device.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda", "torch-cpu"):
        raise DeviceError(f"unknown device {device!r}; known are auto, cpu, cuda, torch-cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise DeviceError("this machine has no usable CUDA device")
    return device


def open_runner(net: nn.Module, examples: tuple[Floats, ...], device: str, cache_key: str) -> Runner:
    """Compile a network for a device.

    Args:
        net: in evaluation mode.
        examples: inputs of batch 1, which fix every size but the batch.
        device: from `pick_device`.
        cache_key: hash of the weights; the exported network is kept under it for the next start.
    """
    if device == "cpu":
        return _OpenVinoRunner(net, examples, cache_key)
    return _TorchRunner(net, "cuda" if device == "cuda" else "cpu")


def use_one_torch_thread() -> None:
    """Leave the cores to OpenVINO: with several threads MTCNN's small layers wait for them ten times as long."""
    torch.set_num_threads(1)


def cache_dir() -> Path:
    """Where exported networks are kept between starts."""
    root = os.environ.get("UNMASK_CACHE_DIR") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "unmask"
    )
    return Path(root)


class _OpenVinoRunner:
    def __init__(self, net: nn.Module, examples: tuple[Floats, ...], cache_key: str) -> None:
        core = shared_core()
        path = cache_dir() / f"{cache_key[:32]}-{ov.__version__.split('-')[0]}-{EXPORT_VERSION}.xml"
        model = _read_export(core, path)
        if model is None:
            model = _export(net, examples)
            _write_export(model, path)
        self._compiled = core.compile_model(
            model, "CPU", {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        )
        self._request = self._compiled.create_infer_request()

    def __call__(self, *inputs: Floats) -> tuple[Floats, ...]:
        self._request.infer(list(inputs))
        return tuple(np.array(self._request.get_output_tensor(i).data) for i in range(len(self._compiled.outputs)))


def _export(net: nn.Module, examples: tuple[Floats, ...]) -> ov.Model:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ov.convert_model(net, example_input=tuple(torch.from_numpy(e) for e in examples))
    for port, example in zip(model.inputs, examples, strict=True):
        port.get_node().set_partial_shape(ov.PartialShape([-1, *example.shape[1:]]))
    model.validate_nodes_and_infer_types()
    return model


def _read_export(core: ov.Core, path: Path) -> ov.Model | None:
    if not path.exists():
        return None
    try:
        return core.read_model(path)
    except RuntimeError:
        path.unlink(missing_ok=True)
        return None


def _write_export(model: ov.Model, path: Path) -> None:
    """Keep the export; a read-only home only costs the next start a few seconds."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.xml")
        ov.save_model(model, partial, compress_to_fp16=False)
        os.replace(partial.with_suffix(".bin"), path.with_suffix(".bin"))
        os.replace(partial, path)
    except (OSError, RuntimeError):
        return


class _TorchRunner:
    def __init__(self, net: nn.Module, device: str) -> None:
        self._net = net.to(device)
        self._device = device

    @torch.inference_mode()
    def __call__(self, *inputs: Floats) -> tuple[Floats, ...]:
        out = self._net(*(torch.from_numpy(np.ascontiguousarray(i)).to(self._device) for i in inputs))
        outputs = out if isinstance(out, tuple) else (out,)
        return tuple(o.float().cpu().numpy() for o in outputs)
