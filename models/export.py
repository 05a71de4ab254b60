"""Networks as OpenVINO models, kept on disk between starts."""

import os
import warnings
from pathlib import Path
from typing import Any

import openvino as ov
import torch
from numpy.typing import NDArray
from torch import nn

from unmask.models.openvino_core import shared_core

EXPORT_VERSION = "v3"
"""To be raised when the code of a network changes under the same weights."""


def cache_dir() -> Path:
    """Where exported networks are kept between starts."""
    root = os.environ.get("UNMASK_CACHE_DIR") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "unmask"
    )
    return Path(root)


def export_cached(
    net: nn.Module, examples: tuple[NDArray[Any], ...], cache_key: str, shapes: list[list[int]] | None = None
) -> ov.Model:
    """The network as an OpenVINO model.

    Args:
        net: in evaluation mode.
        examples: inputs, which fix every size that `shapes` does not.
        cache_key: names the weights and the shapes; the export is kept under it.
        shapes: of the inputs, -1 where a size is free; those of the examples when None.
    """
    path = cache_dir() / f"{cache_key}-{ov.__version__.split('-')[0]}-{EXPORT_VERSION}.xml"
    model = _read(path)
    if model is None:
        model = _convert(net, examples, shapes or [list(e.shape) for e in examples])
        _write(model, path)
    return model


def _convert(net: nn.Module, examples: tuple[NDArray[Any], ...], shapes: list[list[int]]) -> ov.Model:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ov.convert_model(net, example_input=tuple(torch.from_numpy(e) for e in examples))
    for port, shape in zip(model.inputs, shapes, strict=True):
        port.get_node().set_partial_shape(ov.PartialShape(shape))
    model.validate_nodes_and_infer_types()
    return model


def _read(path: Path) -> ov.Model | None:
    if not path.exists():
        return None
    try:
        return shared_core().read_model(path)
    except RuntimeError:
        path.unlink(missing_ok=True)
        return None


def _write(model: ov.Model, path: Path) -> None:
    """Keep the export; a read-only home only costs the next start a few seconds."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.xml")
        ov.save_model(model, partial, compress_to_fp16=False)
        os.replace(partial.with_suffix(".bin"), path.with_suffix(".bin"))
        os.replace(partial, path)
    except (OSError, RuntimeError):
        return
