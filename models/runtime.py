"""Runs a network's forward pass: on a CPU through OpenVINO, on CUDA (or on request) through PyTorch."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from unmask.models.errors import DeviceError
from unmask.models.export import export_cached
from unmask.models.openvino_core import shared_core

Floats = NDArray[np.float32]


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


def open_runner(
    net: nn.Module,
    examples: tuple[Floats, ...],
    device: str,
    cache_key: str,
    shapes: list[list[int]] | None = None,
) -> Runner:
    """Compile a network for a device.

    Args:
        net: in evaluation mode.
        examples: inputs of batch 1, which fix every size but the batch.
        device: from `pick_device`.
        cache_key: names the weights; the exported network is kept under it for the next start.
        shapes: of the inputs, -1 where a size is free; by default only the batch is.
    """
    if device == "cpu":
        return _OpenVinoRunner(net, examples, cache_key, shapes or [[-1, *e.shape[1:]] for e in examples])
    return _TorchRunner(net, "cuda" if device == "cuda" else "cpu")


def use_one_torch_thread() -> None:
    """Leave the cores to OpenVINO: with several threads MTCNN's small layers wait for them ten times as long."""
    torch.set_num_threads(1)


class _OpenVinoRunner:
    def __init__(self, net: nn.Module, examples: tuple[Floats, ...], cache_key: str, shapes: list[list[int]]) -> None:
        model = export_cached(net, examples, cache_key, shapes)
        self._compiled = shared_core().compile_model(
            model, "CPU", {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        )
        self._request = self._compiled.create_infer_request()

    def __call__(self, *inputs: Floats) -> tuple[Floats, ...]:
        self._request.infer([np.ascontiguousarray(i) for i in inputs], share_inputs=True)
        return tuple(np.array(self._request.get_output_tensor(i).data) for i in range(len(self._compiled.outputs)))


class _TorchRunner:
    def __init__(self, net: nn.Module, device: str) -> None:
        self._net = net.to(device)
        self._device = device

    @torch.inference_mode()
    def __call__(self, *inputs: Floats) -> tuple[Floats, ...]:
        out = self._net(*(torch.from_numpy(np.ascontiguousarray(i)).to(self._device) for i in inputs))
        outputs = out if isinstance(out, tuple) else (out,)
        return tuple(o.float().cpu().numpy() for o in outputs)
