"""CUDA forward passes for `networks.py`: eager and as graphs, in three precisions."""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

WARM_UP = 3


def cuda_runs(
    net: nn.Module, inputs: tuple[NDArray[np.float32], ...]
) -> Iterator[tuple[str, str, Callable[[], Sequence[Any]]]]:
    """(runtime, precision, forward pass that waits for its end) for each precision and both ways."""
    for precision, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)):
        there = deepcopy(net).to("cuda", kind, memory_format=torch.channels_last)
        tensors = [torch.from_numpy(value).to("cuda", kind) for value in inputs]
        tensors = [t.contiguous(memory_format=torch.channels_last) if t.ndim == 4 else t for t in tensors]
        yield "cuda eager", precision, _eager(there, tensors)
        yield "cuda graphs", precision, _graph(there, tensors)


def _eager(net: nn.Module, tensors: list[Tensor]) -> Callable[[], Sequence[Any]]:
    def run() -> Sequence[Any]:
        with torch.inference_mode():
            outputs = net(*tensors)
        torch.cuda.synchronize()
        return outputs if isinstance(outputs, tuple) else (outputs,)

    return run


@torch.inference_mode()
def _graph(net: nn.Module, tensors: list[Tensor]) -> Callable[[], Sequence[Any]]:
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            net(*tensors)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = net(*tensors)

    def run() -> Sequence[Any]:
        graph.replay()
        torch.cuda.synchronize()
        return outputs if isinstance(outputs, tuple) else (outputs,)

    return run
