"""Trainers on a handful of faces: packs are read back, losses fall, runs resume where they stopped."""

import csv
import json
import multiprocessing
from dataclasses import replace
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from unmask.models.align import TEMPLATE_XY
from unmask.models.errors import TrainingFailed, UsageError
from unmask.models.mri import LightGenerator
from unmask.models.spatial import SpatialNet
from unmask.models.store import load_state
from unmask.models.temporal import FEATURE_COUNT
from unmask.models.training import collect, workers
from unmask.models.training.joint import JointNet
from unmask.models.training.loop import Run, Schedule, WeightAverage
from unmask.models.training.pack import PACK_MARGIN_PX, PACK_SIZE, read_pack
from unmask.models.training.pairs import PairMaker, PairSource, split_groups
from unmask.models.training.preview import write_preview
from unmask.models.training.recipes import MriRecipe, SpatialRecipe, TemporalRecipe
from unmask.models.training.start import backbone_of
from unmask.models.training.train_mri import GanStep, map_batch, train_classifier, train_generator
from unmask.models.training.train_spatial import JointStep, patch_batch, to_batch, train_spatial
from unmask.models.training.train_temporal import Sequence, train_temporal
from unmask.models.training.workers import worker_batches


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


def test_a_small_split_holds_a_filmed_group(pack: Path) -> None:
    """With two clips among many photographs one of them is held out, whatever the draw."""
    read = read_pack(pack)
    for seed in range(4):
        plain = split_groups(read, 0.25, seed)
        rest = sorted({row.group for row in read.rows} - plain)[:2]
        filmed = replace(read, rows=[replace(r, clip="a") if r.group in rest else r for r in read.rows])

        assert split_groups(filmed, 0.25, seed) == plain | {rest[0]}


def test_preview_is_a_picture(pack: Path, tmp_path: Path) -> None:
    write_preview(pack, tmp_path / "sheet.png", pairs=2)

    assert cv2.imread(str(tmp_path / "sheet.png")) is not None


SMALL = SpatialRecipe(
    steps=2, pairs_per_batch=2, frozen_blocks=10, patch_px=64, learning_rate=2e-3, validation_share=0.25,
    validation_pairs=3, validate_every=2, workers=0, statistics_batches=1,
)  # fmt: skip
SMALL_MRI = MriRecipe(
    steps=2, pairs_per_batch=1, frozen_blocks=11, learning_rate=4e-3, validation_share=0.25, classifier_share=0.4,
    classifier_pairs=32, classifier_epochs=1, validation_pairs=2, validate_every=1, workers=0,
)  # fmt: skip


def curve_of(folder: Path) -> list[dict[str, float]]:
    found: list[dict[str, float]] = json.loads((folder / "curve.json").read_text())
    return found


def test_spatial_run_resumes_where_it_stopped(pack: Path, tmp_path: Path) -> None:
    """Weights, curve and settings stay with the run; frozen layers and measured statistics stay as they were."""
    torch.manual_seed(0)
    start = SpatialNet().state_dict()
    before, _, _ = train_spatial(pack, tmp_path, start, SMALL)
    state, generator, _ = train_spatial(pack, tmp_path, start, replace(SMALL, steps=3))

    assert [row["step"] for row in curve_of(tmp_path)] == [2, 3]
    assert all(np.isfinite(row["loss"]) for row in curve_of(tmp_path))
    assert torch.equal(state["backbone._conv_stem.weight"], start["backbone._conv_stem.weight"])
    assert not torch.equal(state["backbone._fc.weight"], start["backbone._fc.weight"])
    assert not torch.equal(before["backbone._bn1.running_mean"], start["backbone._bn1.running_mean"])
    assert torch.equal(state["backbone._bn1.running_mean"], before["backbone._bn1.running_mean"])
    assert json.loads((tmp_path / "config.json").read_text())["steps"] == 3
    LightGenerator().load_state_dict(generator)


def test_spatial_run_refuses_other_settings(pack: Path, tmp_path: Path) -> None:
    """A checkpoint trained one way does not go on another way."""
    torch.manual_seed(0)
    start = SpatialNet().state_dict()
    train_spatial(pack, tmp_path, start, replace(SMALL, steps=1))

    with pytest.raises(UsageError, match=r"seed was 1 and is now 5"):
        train_spatial(pack, tmp_path, start, replace(SMALL, seed=5))


@pytest.mark.parametrize(("precision", "sharpness"), [("fp32", 0.0), ("bf16", 0.05)])
def test_spatial_steps_learn_a_batch(pack: Path, precision: str, sharpness: float) -> None:
    """Repeated on the same two pairs, the loss falls, in either precision, with and without SAM."""
    torch.manual_seed(0)
    recipe = replace(SMALL, precision=precision, sharpness=sharpness, frozen_blocks=0, statistics_batches=0)
    net = JointNet()
    parameters = [p for p in net.parameters() if p.requires_grad]
    step = JointStep(net, torch.optim.AdamW(parameters, 2e-3), parameters, recipe)
    read = read_pack(pack)
    maker = PairMaker(read, {row.group for row in read.rows}, seed=1, families={"self_blend": 1.0})
    batch = patch_batch([maker.pair(0), maker.pair(1)], side=64)
    losses = [step(batch) for _ in range(10)]

    assert losses[-1]["loss"] < 0.7 * losses[0]["loss"]
    assert losses[-1]["map"] < 0.9 * losses[0]["map"]


def test_a_loss_that_is_no_number_ends_the_run(tmp_path: Path) -> None:
    """No checkpoint is written over a good one with weights that are not numbers."""
    net = torch.nn.Linear(1, 1)
    run = Run(tmp_path, net, torch.optim.SGD(net.parameters(), 0.1), Schedule(4, 0.1), WeightAverage(net, 0.9))

    with pytest.raises(TrainingFailed, match="no number"):
        run.train(iter([None]), lambda _: {"loss": float("nan")}, lambda _: {}, 1)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_mri_run_draws_maps_and_judges_them(pack: Path, tmp_path: Path) -> None:
    """The run leaves its curve, its maps and a figure of the classifier on held-out people."""
    torch.manual_seed(0)
    state, figures = train_generator(pack, tmp_path, None, SMALL_MRI)
    _, judged = train_classifier(pack, state, SMALL_MRI)
    curve = curve_of(tmp_path)

    assert [row["step"] for row in curve] == [1, 2]
    assert all(np.isfinite(row["loss"]) for row in curve)
    assert 0 <= figures["mean_on_real"] <= 1
    assert 0 <= judged["auc_validation"] <= 1
    assert cv2.imread(str(tmp_path / "maps.png")) is not None


def test_mri_steps_learn_a_batch(pack: Path) -> None:
    """Repeated on the same two pairs, the maps' loss falls, and the discriminator learns besides."""
    torch.manual_seed(0)
    generator = LightGenerator()
    generator.load_encoder(backbone_of(load_state("spatial")))
    step = GanStep(generator, torch.optim.AdamW(generator.parameters(), 4e-3), SMALL_MRI)
    read = read_pack(pack)
    maker = PairMaker(read, {row.group for row in read.rows}, seed=1, families={"self_blend": 1.0})
    batch = map_batch([maker.pair(0), maker.pair(1)])
    losses = [step(batch) for _ in range(8)]

    assert losses[-1]["loss"] < 0.8 * losses[0]["loss"]
    assert losses[-1]["discriminator"] < losses[0]["discriminator"]


def test_a_worker_makes_the_batches_that_this_process_makes(pack: Path) -> None:
    """The order of the data depends on the seed alone."""
    source = PairSource(pack, {row.group for row in read_pack(pack).rows}, seed=3, clip_share=0.0)
    with worker_batches(source, 1, 4, to_batch, workers=0) as batches:
        expected = [next(batches)[0] for _ in range(2)]
    with worker_batches(source, 1, 4, to_batch, workers=1) as batches:
        found = [next(batches)[0] for _ in range(2)]

    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))


def test_several_workers_share_one_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each makes every n-th batch, and they are asked in turn."""
    asked = {0: count(10, 3), 1: count(11, 3), 2: count(12, 3)}
    monkeypatch.setattr(workers, "_next", lambda process, _: next(asked[process]))
    batches = workers._drain([(number, None) for number in asked])  # type: ignore[misc]

    assert [next(batches) for _ in range(7)] == list(range(10, 17))


def test_a_dead_worker_ends_the_training(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is killed is noticed at once, not after the timeout."""
    monkeypatch.setattr(workers, "LOOK_S", 0.05)
    source = PairSource(pack, {row.group for row in read_pack(pack).rows}, seed=3)
    with worker_batches(source, 1, 0, to_batch) as batches:
        for process in multiprocessing.active_children():
            process.kill()
        with pytest.raises(TrainingFailed, match="died"):
            for _ in range(workers.BATCHES_AHEAD + 1):
                next(batches)


def test_people_too_few_for_a_split_are_refused(pack: Path) -> None:
    """A clear sentence instead of an error of the random numbers."""
    with pytest.raises(collect.TrainingDataError, match="too few people"):
        PairSource(pack, set(), seed=0).open()


def test_resynth_left_out_is_not_replaced(pack: Path) -> None:
    """Without redrawn faces their share goes to reconstructions, unless these are left out."""
    groups = {row.group for row in read_pack(pack).rows}

    def drawn(families: dict[str, float]) -> set[str]:
        maker = PairSource(pack, groups, 0, families).open()
        return {maker.pair(i).family for i in range(12)}

    assert drawn({"resynth": 1.0}) == {"reconstruct"}
    assert drawn({"resynth": 5.0, "whole": 1.0}) == {"whole"}


def test_temporal_run_learns_what_trembles(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def sequence(number: int, fake: bool) -> Sequence:
        person = np.random.default_rng(number).normal(0, 1.0, (1, FEATURE_COUNT))
        rows = person + rng.normal(0, 0.7 if fake else 0.02, (40, FEATURE_COUNT))
        return Sequence(np.arange(40) / 8, rows.astype(np.float32), fake, f"person {number}")

    sequences = [sequence(i, fake) for i in range(30) for fake in (False, True)]
    held_out = {f"person {i}" for i in range(8)}
    _, figures = train_temporal(sequences, held_out, tmp_path, TemporalRecipe(steps=100, batch=32, validate_every=100))

    assert figures["auc"] > 0.9


def test_temporal_needs_both_classes(tmp_path: Path) -> None:
    with pytest.raises(collect.TrainingDataError, match="genuine and forged"):
        train_temporal([], set(), tmp_path, TemporalRecipe())
