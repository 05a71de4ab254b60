"""Trains the spatial branch on pairs of genuine faces and their own forgeries."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from unmask.models.preprocess import spatial_input
from unmask.models.spatial import SpatialNet
from unmask.models.training.loop import Run, Schedule, WeightAverage
from unmask.models.training.metrics import auc
from unmask.models.training.pack import read_pack
from unmask.models.training.pairs import Pair, PairMaker, split_groups
from unmask.models.training.workers import worker_batches

LABEL_SMOOTHING = 0.05
VALIDATION_PAIRS = 120


@dataclass(frozen=True, slots=True)
class SpatialRecipe:
    """Settings of a run; `frozen_blocks` of 16 keep the weights that they start from."""

    steps: int = 1500
    pairs_per_batch: int = 10
    learning_rate: float = 2e-4
    weight_decay: float = 0.02
    frozen_blocks: int = 3
    average_decay: float = 0.998
    validation_share: float = 0.15
    validate_every: int = 150
    seed: int = 1


def train_spatial(
    pack_folder: Path, out: Path, start: dict[str, Tensor], recipe: SpatialRecipe
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Train, resuming from `out` when it holds a checkpoint.

    Args:
        pack_folder: written by `write_pack`.
        out: folder for checkpoint, curve and averaged weights.
        start: state dict of a `SpatialNet` to start from.

    Returns:
        Averaged weights and the last validation.
    """
    net = SpatialNet()
    net.load_state_dict(start)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    net.freeze_early(recipe.frozen_blocks)
    parameters = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, recipe.learning_rate, weight_decay=recipe.weight_decay)
    run = Run(
        out, net, optimizer, Schedule(recipe.steps, recipe.learning_rate), WeightAverage(net, recipe.average_decay)
    )
    run.resume()
    pack = read_pack(pack_folder)
    held_out = split_groups(pack, recipe.validation_share)
    groups = {row.group for row in pack.rows} - held_out
    held_out_pairs = PairMaker(pack, held_out, seed=10_000)
    validation = [held_out_pairs.pair(i) for i in range(VALIDATION_PAIRS)]

    def step(batch: tuple[NDArray[np.float32], NDArray[np.float32]]) -> dict[str, float]:
        net.train()
        net.freeze_early(recipe.frozen_blocks)
        images = torch.from_numpy(batch[0]).contiguous(memory_format=torch.channels_last)
        labels = torch.from_numpy(batch[1])
        logits, _ = net(images)
        loss = binary_cross_entropy_with_logits(logits, labels * (1 - 2 * LABEL_SMOOTHING) + LABEL_SMOOTHING)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 5.0)
        optimizer.step()
        return {"loss": loss.item(), "accuracy": ((logits > 0) == (labels > 0.5)).float().mean().item()}

    with worker_batches(pack_folder, groups, recipe.seed, recipe.pairs_per_batch, run.step, to_batch) as batches:
        run.train(batches, step, lambda state: _validate(state, validation), recipe.validate_every)
    return run.average.state, run.curve[-1]


def to_batch(pairs: list[Pair]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Genuine crops first, then their forgeries, with labels 0 and 1."""
    crops = np.stack([p.real_rgb for p in pairs] + [p.fake_rgb for p in pairs])
    return spatial_input(crops), np.repeat(np.array([0, 1], np.float32), len(pairs))


@torch.inference_mode()
def _validate(state: dict[str, Tensor], pairs: list[Pair]) -> dict[str, float]:
    net = SpatialNet()
    net.load_state_dict(state)
    net.eval()
    logits: list[NDArray[np.float32]] = []
    for i in range(0, len(pairs), 10):
        logits.append(net(torch.from_numpy(to_batch(pairs[i : i + 10])[0]))[0].numpy().reshape(2, -1))
    scores = np.concatenate(logits, axis=1)
    families = np.array([p.family for p in pairs])
    result = {"auc": _pair_auc(scores)}
    for family in sorted(set(families)):
        result[f"auc_{family}"] = _pair_auc(scores[:, families == family])
    return result


def _pair_auc(scores: NDArray[np.float32]) -> float:
    """AUC of scores (2, n): genuine first, forged second."""
    value = auc(np.repeat([0, 1], scores.shape[1]), scores.ravel())
    return float("nan") if value is None else value
