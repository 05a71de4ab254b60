"""Trainers on a handful of faces: packs are read back, losses fall, runs resume where they stopped."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.build import portrait
from unmask.models.align import TEMPLATE_XY
from unmask.models.mri import LightGenerator
from unmask.models.spatial import SpatialNet
from unmask.models.temporal import FEATURE_COUNT
from unmask.models.training import collect
from unmask.models.training.pack import PACK_MARGIN_PX, PACK_SIZE, read_pack, write_pack
from unmask.models.training.pairs import PairMaker, split_groups
from unmask.models.training.preview import write_preview
from unmask.models.training.train_mri import MriRecipe, train_classifier, train_generator
from unmask.models.training.train_spatial import SpatialRecipe, train_spatial
from unmask.models.training.train_temporal import Sequence, TemporalRecipe, train_temporal


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of eight versions of one portrait, each its own group."""
    folder = tmp_path_factory.mktemp("images")
    for i in range(8):
        image = np.clip(portrait()[:300, 80:380].astype(int) + 6 * i - 20, 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{i}.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    (folder / "not_an_image.png").write_text("no")
    out = tmp_path_factory.mktemp("pack")
    assert write_pack(collect.images(folder), [], out) == 8
    return out


def test_missing_folder_and_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(collect.TrainingDataError, match="not a folder"):
        collect.images(tmp_path / "none")
    with pytest.raises(collect.TrainingDataError, match="holds none"):
        collect.clips(tmp_path)


def test_index_names_source_and_group(tmp_path: Path) -> None:
    with (tmp_path / "index.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [["path", "source", "group"], ["a.jpg", "camera", "anna"], ["b.txt", "camera", "ben"]]
        )

    assert collect.images(tmp_path) == [(tmp_path / "a.jpg", "camera", "anna")]


def test_packed_faces_lie_on_the_template(pack: Path) -> None:
    read = read_pack(pack)

    assert read.faces.shape == (8, PACK_SIZE, PACK_SIZE, 3)
    assert np.abs(read.landmarks - TEMPLATE_XY - PACK_MARGIN_PX).max() < 12
    assert len({row.group for row in read.rows}) == 8


def test_a_pair_is_fixed_by_seed_and_number(pack: Path) -> None:
    read = read_pack(pack)
    groups = {row.group for row in read.rows}
    first, again = (PairMaker(read, groups, seed=4).pair(7) for _ in range(2))
    other = PairMaker(read, groups, seed=5).pair(7)

    assert np.array_equal(first.fake_rgb, again.fake_rgb)
    assert not np.array_equal(first.fake_rgb, other.fake_rgb)


def test_split_keeps_a_share_of_groups(pack: Path) -> None:
    assert len(split_groups(read_pack(pack), 0.25)) == 2


def test_preview_is_a_picture(pack: Path, tmp_path: Path) -> None:
    write_preview(pack, tmp_path / "sheet.png", pairs=2)

    assert cv2.imread(str(tmp_path / "sheet.png")) is not None


def test_spatial_run_resumes_and_learns_its_few_faces(pack: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    recipe = SpatialRecipe(steps=4, pairs_per_batch=2, frozen_blocks=10, validation_share=0.25, validate_every=2)
    start = SpatialNet().state_dict()
    train_spatial(pack, tmp_path, start, recipe)
    state, generator, _ = train_spatial(pack, tmp_path, start, replace(recipe, steps=6))
    curve = json.loads((tmp_path / "curve.json").read_text())

    assert [row["step"] for row in curve] == [2, 4, 6]
    assert all(np.isfinite(row["loss"]) for row in curve)
    assert torch.equal(state["backbone._conv_stem.weight"], start["backbone._conv_stem.weight"])
    assert not torch.equal(state["backbone._fc.weight"], start["backbone._fc.weight"])
    LightGenerator().load_state_dict(generator)


def test_mri_run_draws_maps_and_judges_them(pack: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    recipe = MriRecipe(
        steps=6, pairs_per_batch=2, frozen_blocks=8, validation_share=0.25, classifier_share=0.4,
        classifier_pairs=64, classifier_epochs=1, validate_every=2,
    )  # fmt: skip
    backbone = {k.removeprefix("backbone."): v for k, v in SpatialNet().state_dict().items()}
    state, figures = train_generator(pack, tmp_path, backbone, recipe)
    net, judged = train_classifier(pack, state, recipe)
    curve = json.loads((tmp_path / "curve.json").read_text())

    assert curve[-1]["loss"] < curve[0]["loss"]
    assert 0 <= figures["mean_on_real"] <= 1
    assert 0 <= judged["auc_validation"] <= 1
    assert cv2.imread(str(tmp_path / "maps.png")) is not None


def test_temporal_run_learns_what_trembles(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def sequence(number: int, fake: bool) -> Sequence:
        person = np.random.default_rng(number).normal(0, 1.0, (1, FEATURE_COUNT))
        rows = person + rng.normal(0, 0.7 if fake else 0.02, (40, FEATURE_COUNT))
        return Sequence(np.arange(40) / 8, rows.astype(np.float32), fake, f"person {number}")

    sequences = [sequence(i, fake) for i in range(30) for fake in (False, True)]
    held_out = {f"person {i}" for i in range(8)}
    _, figures = train_temporal(sequences, held_out, tmp_path, TemporalRecipe(steps=100, batch=32, validate_every=50))

    assert figures["auc"] > 0.9


def test_temporal_needs_both_classes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="genuine and forged"):
        train_temporal([], set(), tmp_path, TemporalRecipe())
