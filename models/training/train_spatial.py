"""Trains the spatial branch on pairs of genuine faces and their own forgeries."""

from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from unmask.models.align import CROP_SIZE
from unmask.models.mri import MAP_SIZE
from unmask.models.preprocess import normalise
from unmask.models.training.batchnorm import fix_statistics, measure_statistics
from unmask.models.training.joint import JointNet
from unmask.models.training.loop import (
    Run,
    Schedule,
    WeightAverage,
    device_of,
    mixed_precision,
    on_cpu,
    training_device,
)
from unmask.models.training.maps import map_figures, map_loss, mri_target
from unmask.models.training.metrics import auc
from unmask.models.training.pack import read_pack
from unmask.models.training.pairs import Pair, PairMaker, PairSource, split_three
from unmask.models.training.recipes import SpatialRecipe, keep_config
from unmask.models.training.start import GIVEN, joint_start
from unmask.models.training.workers import worker_batches

LABEL_SMOOTHING = 0.05

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]


def train_spatial(
    pack_folder: Path, out: Path, start: dict[str, Tensor] | None, recipe: SpatialRecipe
) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, float]]:
    """Train, resuming from `out` when it holds a checkpoint.

    Args:
        pack_folder: written by `write_pack`.
        out: folder for checkpoint, curve and averaged weights.
        start: state dict of a `JointNet` or of a `SpatialNet` to start from; what the recipe names when None.

    Returns:
        Averaged weights of the `SpatialNet` and of the generator that grew beside it, and the last validation.

    Raises:
        UsageError: `out` holds a run with other settings.
        WeightsError: there are no weights to start from.
        TrainingFailed: the run broke down.
    """
    keep_config(out, recipe if start is None else replace(recipe, start=GIVEN))
    start = joint_start(recipe.start) if start is None else start
    net = JointNet()
    (net.spatial if "backbone._fc.weight" in start else net).load_state_dict(start)
    net.to(training_device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    net.freeze_early(recipe.frozen_blocks)
    parameters = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, recipe.learning_rate, weight_decay=recipe.weight_decay)
    run = Run(
        out, net, optimizer, Schedule(recipe.steps, recipe.learning_rate), WeightAverage(net, recipe.average_decay)
    )
    resumed = run.resume()
    pack = read_pack(pack_folder)
    held_out, _, groups = split_three(pack, recipe.validation_share, recipe.classifier_share)
    source = PairSource(pack_folder, held_out, 10_000, recipe.families, recipe.clip_share)
    validation = next(source.open().batches(recipe.validation_pairs))
    if not resumed and recipe.statistics_batches:
        _measure(net, replace(source, groups=groups, seed=50_000).open(), recipe)
        run.average = WeightAverage(net, recipe.average_decay)
    to_patches = partial(patch_batch, side=recipe.patch_px)
    source = replace(source, groups=groups, seed=recipe.seed)
    with worker_batches(source, recipe.pairs_per_batch, run.step, to_patches, recipe.workers) as batches:
        run.train(
            batches, JointStep(net, optimizer, parameters, recipe), lambda s: _validate(s, validation, out),
            recipe.validate_every,
        )  # fmt: skip
    return *net.branch_states(on_cpu(run.average.state)), run.curve[-1]


def _measure(net: JointNet, maker: PairMaker, recipe: SpatialRecipe) -> None:
    """Measure the statistics that the run keeps."""
    net.train()
    net.freeze_early(recipe.frozen_blocks)
    batches = islice(maker.batches(recipe.pairs_per_batch), recipe.statistics_batches)
    measure_statistics(net, (torch.from_numpy(to_batch(pairs)[0]).to(device_of(net)) for pairs in batches))


class JointStep:
    """One optimiser step: the logit's loss, the map's, and that of each forgery against its own genuine face."""

    def __init__(
        self, net: JointNet, optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], recipe: SpatialRecipe
    ) -> None:
        self.net, self.optimizer, self.parameters, self.recipe = net, optimizer, parameters, recipe
        self.device = device_of(net)

    def __call__(self, batch: Batch) -> dict[str, float]:
        self.net.train()
        if self.recipe.statistics_batches:
            fix_statistics(self.net)
        self.net.freeze_early(self.recipe.frozen_blocks)
        images = torch.from_numpy(batch[0]).to(self.device).contiguous(memory_format=torch.channels_last)
        targets = torch.from_numpy(batch[1]).to(self.device)
        found = self._backward(images, targets)
        if self.recipe.sharpness:
            steps = self._climb()
            self._backward(images, targets)
            with torch.no_grad():
                for parameter, step in steps:
                    parameter.sub_(step)
        torch.nn.utils.clip_grad_norm_(self.parameters, 5.0)
        self.optimizer.step()
        return found

    def _backward(self, images: Tensor, targets: Tensor) -> dict[str, float]:
        labels = torch.arange(2, device=self.device).repeat_interleave(len(images) // 2).float()
        with mixed_precision(self.device, self.recipe.precision):
            logits, drawn = self.net(images)
        logits, drawn = logits.float(), drawn.float()
        loss = binary_cross_entropy_with_logits(logits, labels * (1 - 2 * LABEL_SMOOTHING) + LABEL_SMOOTHING)
        found = {"loss": loss.item(), "accuracy": ((logits > 0) == (labels > 0.5)).float().mean().item()}
        real, fake = logits.chunk(2)
        loss = loss + self.recipe.pair_weight * softplus(real - fake).mean()
        if self.recipe.map_weight:
            pixel = map_loss(drawn, targets)
            found["map"] = pixel.item()
            loss = loss + self.recipe.map_weight * pixel
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        return found

    @torch.no_grad()
    def _climb(self) -> list[tuple[nn.Parameter, Tensor]]:
        """Move to the worst place nearby; returns what was added to which parameter."""
        moving = [p for p in self.parameters if p.grad is not None]
        norm = torch.stack([p.grad.norm() for p in moving if p.grad is not None]).norm() + 1e-12
        steps = [(p, p.grad * (self.recipe.sharpness / norm)) for p in moving if p.grad is not None]
        for parameter, step in steps:
            parameter.add_(step)
        return steps


def to_batch(pairs: list[Pair]) -> Batch:
    """Genuine crops first, then their forgeries, with labels 0 and 1."""
    crops = np.stack([p.real_rgb for p in pairs] + [p.fake_rgb for p in pairs])
    return normalise(crops), np.repeat(np.array([0, 1], np.float32), len(pairs))


def patch_batch(pairs: list[Pair], side: int) -> Batch:
    """Inputs (2n, 3, side, side), genuine first, and target maps (2n, 1, side/4, side/4).

    Both members of a pair show the same random part of the crop.
    """
    images, targets = [], []
    for pair in pairs:
        place = np.random.default_rng(np.asarray(pair.real_rgb[:4, :4]).astype(np.uint32).ravel())
        x, y = 4 * place.integers(0, (CROP_SIZE - side) // 4 + 1, 2)
        images.append([image[y : y + side, x : x + side] for image in (pair.real_rgb, pair.fake_rgb)])
        targets.append(mri_target(pair)[y // 4 : (y + side) // 4, x // 4 : (x + side) // 4])
    crops = np.stack([real for real, _ in images] + [fake for _, fake in images])
    drawn = np.stack(targets)
    return normalise(crops), np.concatenate([np.zeros_like(drawn), drawn])[:, None]


@torch.inference_mode()
def _validate(state: dict[str, Tensor], pairs: list[Pair], out: Path) -> dict[str, float]:
    net = JointNet()
    net.load_state_dict(state)
    device = training_device()
    net.to(device).eval()
    logits: list[NDArray[np.float32]] = []
    maps: list[NDArray[np.float32]] = []
    for i in range(0, len(pairs), 10):
        found, drawn = net(torch.from_numpy(to_batch(pairs[i : i + 10])[0]).to(device))
        logits.append(found.cpu().numpy().reshape(2, -1))
        maps.append(torch.sigmoid(drawn).cpu().numpy().reshape(2, -1, MAP_SIZE, MAP_SIZE))
    scores = np.concatenate(logits, axis=1)
    families = np.array([p.family for p in pairs])
    result = {"auc": _pair_auc(scores), **map_figures(np.concatenate(maps, axis=1), pairs, out)}
    for family in sorted(set(families)):
        result[f"auc_{family}"] = _pair_auc(scores[:, families == family])
    return result


def _pair_auc(scores: NDArray[np.float32]) -> float:
    """AUC of scores (2, n): genuine first, forged second."""
    value = auc(np.repeat([0, 1], scores.shape[1]), scores.ravel())
    return float("nan") if value is None else value
