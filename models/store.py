"""Weights on disk: safetensors files, a manifest with their hashes, and the calibration fitted for them.

`weights/manifest.json` lists each file; nothing is loaded whose hash differs.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from unmask.models.errors import WeightsError

SHIPPED_DIR = Path(__file__).parent / "weights"
MANIFEST = "manifest.json"
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Calibration:
    """Temperature, bias and fusion weight by branch, fitted on degraded validation forgeries.

    A branch's calibrated log-odds are `logit / temperature + bias`. The fused ones are the bias plus the weighted
    sum of these, each clipped; `real_cap` bounds how strongly a branch may speak for "genuine".
    """

    temperature: dict[str, float]
    bias: dict[str, float]
    weight: dict[str, float]
    real_cap: dict[str, float]
    fusion_bias: float


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_manifest(folder: Path = SHIPPED_DIR) -> dict[str, dict[str, Any]]:
    """The manifest's entries by name.

    Raises:
        WeightsError: there is no readable manifest of this version in the folder.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text())
    except FileNotFoundError:
        raise WeightsError(f"no weights in {folder}: {MANIFEST} is missing") from None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA or "weights" not in manifest:
        raise WeightsError(f"{path} is not a manifest of schema {SCHEMA}")
    entries: dict[str, dict[str, Any]] = manifest["weights"]
    return entries


def verified_path(name: str, folder: Path = SHIPPED_DIR) -> Path:
    """Path of a listed file whose hash is right.

    Raises:
        WeightsError: it is not listed, missing or altered.
    """
    entry = read_manifest(folder).get(name)
    if entry is None:
        raise WeightsError(f"no weights named {name!r} in {folder}")
    path = folder / str(entry["file"])
    if path.parent != folder or not path.is_file():
        raise WeightsError(f"weights {name!r} are missing: {path.name} is not in {folder}")
    if sha256(path) != entry["sha256"]:
        raise WeightsError(f"weights {name!r} are altered: {path.name} does not have the hash of the manifest")
    return path


def load_state(name: str, folder: Path = SHIPPED_DIR) -> dict[str, Tensor]:
    """Verified tensors in float32.

    Raises:
        WeightsError: see `verified_path`; also when the file is not safetensors.
    """
    path = verified_path(name, folder)
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise WeightsError(f"weights {name!r} cannot be read: {error}") from error
    return {k: v.float() if v.is_floating_point() else v for k, v in state.items()}


def save_state(name: str, state: dict[str, Tensor], about: dict[str, Any], folder: Path = SHIPPED_DIR) -> None:
    """Write tensors as fp16 safetensors and list them in the manifest.

    Args:
        about: what the manifest says of them: input, training data summary, figures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    halves = {k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in state.items()}
    save_file(halves, path, metadata={k: json.dumps(v) for k, v in about.items()})
    path.chmod(0o644)
    _list(folder, name, path, about)


def load_calibration(folder: Path = SHIPPED_DIR) -> Calibration:
    """The verified calibration.

    Raises:
        WeightsError: it is missing, altered or incomplete.
    """
    try:
        return Calibration(**json.loads(verified_path("calibration", folder).read_text()))
    except (ValueError, TypeError) as error:
        raise WeightsError(f"the calibration in {folder} cannot be read: {error}") from error


def save_calibration(calibration: Calibration, about: dict[str, Any], folder: Path = SHIPPED_DIR) -> None:
    """Write the calibration and list it in the manifest."""
    path = folder / "calibration.json"
    fields = {name: getattr(calibration, name) for name in Calibration.__dataclass_fields__}
    path.write_text(json.dumps(fields, indent=1) + "\n")
    _list(folder, "calibration", path, about)


def _list(folder: Path, name: str, path: Path, about: dict[str, Any]) -> None:
    entries = read_manifest(folder) if (folder / MANIFEST).exists() else {}
    entries[name] = {"file": path.name, "sha256": sha256(path), "bytes": path.stat().st_size, **about}
    (folder / MANIFEST).write_text(json.dumps({"schema": SCHEMA, "weights": entries}, indent=1) + "\n")


def load_into(net: torch.nn.Module, name: str, folder: Path = SHIPPED_DIR) -> torch.nn.Module:
    """The network with its verified weights, ready for inference.

    Raises:
        WeightsError: the weights do not fit the network.
    """
    try:
        net.load_state_dict(load_state(name, folder))
    except RuntimeError as error:
        raise WeightsError(f"weights {name!r} are of another version of the network") from error
    return net.eval()
