"""Runs a network's forward pass: on a CPU through OpenVINO, on CUDA (or on request) through PyTorch."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import openvino as ov
import torch
from numpy.typing import NDArray
from torch import nn

from unmask.models.errors import DeviceError
from unmask.models.export import export_cached
from unmask.models.openvino_core import shared_core

Floats = NDArray[np.float32]
Sizes = tuple[tuple[int, ...], ...]

SETS_OF_SIZES_KEPT = 6
OPENVINO_OPTIONS = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}


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
        model = export_cached(net, examples, cache_key, shapes or [[-1, *e.shape[1:]] for e in examples])
        return _OpenVinoRunner(model)
    return _TorchRunner(net, "cuda" if device == "cuda" else "cpu")


class ManySizes:
    """One network on several inputs of different sizes at once, such as the levels of a pyramid.

    On OpenVINO a set of sizes that comes back gets a compiled network of its own, which takes all of them in one
    request: for MTCNN's first network, two thirds of the time of one request for each.

    Args:
        net: of one input and one output, in evaluation mode.
        example, device, cache_key: see `open_runner`.
        shape: of the input, -1 where a size is free.
    """

    def __init__(self, net: nn.Module, example: Floats, device: str, cache_key: str, shape: list[int]) -> None:
        self._one = open_runner(net, (example,), device, cache_key, [shape])
        self._together: OrderedDict[Sizes, _OpenVinoRunner | None] = OrderedDict()

    def __call__(self, inputs: Sequence[Floats]) -> tuple[Floats, ...]:
        """One output for each input."""
        together = self._compiled_for(tuple(i.shape for i in inputs))
        return together(*inputs) if together else tuple(self._one(i)[0] for i in inputs)

    def _compiled_for(self, sizes: Sizes) -> "_OpenVinoRunner | None":
        if not isinstance(self._one, _OpenVinoRunner):
            return None
        known = self._together.get(sizes)
        if known is None and sizes in self._together:
            known = _OpenVinoRunner(_side_by_side(self._one.model, sizes))
        self._together[sizes] = known
        self._together.move_to_end(sizes)
        if len(self._together) > SETS_OF_SIZES_KEPT:
            self._together.popitem(last=False)
        return known


def use_one_torch_thread() -> None:
    """Leave the cores to OpenVINO: with several threads MTCNN's small layers wait for them ten times as long."""
    torch.set_num_threads(1)


class _OpenVinoRunner:
    def __init__(self, model: ov.Model) -> None:
        self.model = model
        compiled = shared_core().compile_model(model, "CPU", OPENVINO_OPTIONS)
        self._request = compiled.create_infer_request()
        self._outputs = compiled.outputs

    def __call__(self, *inputs: Floats) -> tuple[Floats, ...]:
        answers = self._request.infer([np.ascontiguousarray(i) for i in inputs], share_inputs=True, share_outputs=True)
        return tuple(np.array(answers[output]) for output in self._outputs)


def _side_by_side(model: ov.Model, sizes: Sizes) -> ov.Model:
    """A model of one input as many times as there are sizes, in one."""
    copies = [model.clone() for _ in sizes]
    for copy, size in zip(copies, sizes, strict=True):
        copy.reshape(list(size))
    return ov.Model([c.get_results()[0] for c in copies], [c.get_parameters()[0] for c in copies], "side_by_side")


class _TorchRunner:
    def __init__(self, net: nn.Module, device: str) -> None:
        self._net = net.to(device)
        self._device = device

    @torch.inference_mode()
    def __call__(self, *inputs: Floats) -> tuple[Floats, ...]:
        out = self._net(*(torch.from_numpy(np.ascontiguousarray(i)).to(self._device) for i in inputs))
        outputs = out if isinstance(out, tuple) else (out,)
        return tuple(o.float().cpu().numpy() for o in outputs)
