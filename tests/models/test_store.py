"""Weights: nothing is loaded that is missing, altered, foreign or of another version."""

import json
from pathlib import Path

import pytest
import torch

from unmask.models.errors import WeightsError
from unmask.models.store import (
    SHIPPED_DIR,
    load_calibration,
    load_into,
    load_state,
    read_manifest,
    save_calibration,
    save_state,
    verified_path,
)


def test_empty_folder_has_no_weights(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="manifest.json is missing"):
        read_manifest(tmp_path)


def test_shipped_weights_are_complete_and_whole() -> None:
    manifest = read_manifest()

    assert {"spatial", "mri", "temporal", "calibration"} <= set(manifest)
    for name in manifest:
        assert verified_path(name).is_file()
    assert sum(f.stat().st_size for f in SHIPPED_DIR.iterdir()) < 60e6
    assert {"spatial", "mri", "temporal"} <= set(load_calibration().temperature)


def test_saved_weights_come_back(tmp_path: Path) -> None:
    save_state("a", {"w": torch.tensor([1.0, 2.5]), "n": torch.tensor(3)}, {"input": "none"}, tmp_path)
    state = load_state("a", tmp_path)

    assert state["w"].tolist() == [1.0, 2.5]
    assert state["w"].dtype == torch.float32
    assert state["n"].item() == 3
    assert read_manifest(tmp_path)["a"]["input"] == "none"


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    save_state("a", {"w": torch.zeros(4)}, {}, tmp_path)
    path = tmp_path / "a.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")

    with pytest.raises(WeightsError, match="altered"):
        load_state("a", tmp_path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    save_state("a", {"w": torch.zeros(4)}, {}, tmp_path)
    (tmp_path / "a.safetensors").unlink()

    with pytest.raises(WeightsError, match="missing"):
        load_state("a", tmp_path)


def test_a_listed_path_outside_the_folder_is_refused(tmp_path: Path) -> None:
    entry = {"file": "../other.safetensors", "sha256": "0"}
    (tmp_path / "manifest.json").write_text(json.dumps({"schema": 1, "weights": {"a": entry}}))

    with pytest.raises(WeightsError, match="missing"):
        verified_path("a", tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"schema": 99, "weights": {}}', "not json"])
def test_broken_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)

    with pytest.raises(WeightsError):
        read_manifest(tmp_path)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_state("a", {"w": torch.zeros(4)}, {}, tmp_path)

    with pytest.raises(WeightsError, match="another version"):
        load_into(torch.nn.Linear(2, 2), "a", tmp_path)


def test_calibration_round_trip(tmp_path: Path) -> None:
    calibration = load_calibration()
    save_calibration(calibration, {}, tmp_path)

    assert load_calibration(tmp_path) == calibration
