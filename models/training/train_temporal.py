"""Trains the temporal branch on cached features of genuine clips and live-like swaps of them."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from unmask.models.preprocess import WINDOW_HZ, WINDOW_STEPS, temporal_input
from unmask.models.temporal import TemporalNet
from unmask.models.training.collect import TrainingDataError
from unmask.models.training.loop import Run, Schedule, WeightAverage, mixed_precision, on_cpu, training_device
from unmask.models.training.metrics import auc
from unmask.models.training.recipes import TemporalRecipe, keep_config

Floats = NDArray[np.float32]
LABEL_SMOOTHING = 0.05
MIN_ROWS = 10


@dataclass(frozen=True, slots=True)
class Sequence:
    """Cached features of one variant of one clip: `times_s` (m,), `rows` (m, 1290), its label and its group."""

    times_s: NDArray[np.float64]
    rows: Floats
    fake: bool
    group: str


def train_temporal(
    sequences: list[Sequence], held_out: set[str], out: Path, recipe: TemporalRecipe
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Train on the sequences whose group is not held out; returns averaged weights and the last validation.

    Raises:
        TrainingDataError: there is no usable sequence of both classes on both sides.
        UsageError: `out` holds a run with other settings.
        TrainingFailed: the run broke down.
    """
    usable = [s for s in sequences if len(s.times_s) >= MIN_ROWS]
    train = [s for s in usable if s.group not in held_out]
    test = [s for s in usable if s.group in held_out]
    for part in (train, test):
        if len({s.fake for s in part}) < 2:
            raise TrainingDataError("training needs genuine and forged clips of at least two people")
    keep_config(out, recipe)
    torch.manual_seed(recipe.seed)
    device = training_device()
    net = TemporalNet().to(device)
    optimizer = torch.optim.AdamW(net.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    run = Run(
        out, net, optimizer, Schedule(recipe.steps, recipe.learning_rate), WeightAverage(net, recipe.average_decay)
    )
    run.resume()

    def step(batch: tuple[Tensor, Tensor, Tensor]) -> dict[str, float]:
        net.train()
        features, mask, labels = (part.to(device) for part in batch)
        with mixed_precision(device, recipe.precision):
            logits = net(features, mask)
        smooth = labels * (1 - 2 * LABEL_SMOOTHING) + LABEL_SMOOTHING
        loss = binary_cross_entropy_with_logits(logits.float(), smooth)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        return {"loss": loss.item()}

    batches = (_draw(train, recipe.batch, np.random.default_rng([recipe.seed, i])) for i in count(run.step))
    run.train(batches, step, lambda state: _validate(state, test), recipe.validate_every)
    return on_cpu(run.average.state), run.curve[-1]


def _draw(sequences: list[Sequence], size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Random windows, half of them forged; steps drop out at random, as frames do in life."""
    pools = [[s for s in sequences if s.fake is fake] for fake in (False, True)]
    inputs, labels = [], []
    for i in range(size):
        pool = pools[i % 2]
        sequence = pool[int(rng.integers(len(pool)))]
        end = int(rng.integers(MIN_ROWS, len(sequence.times_s) + 1))
        features, mask = temporal_input(sequence.times_s[:end], sequence.rows[:end])
        mask = mask * (rng.random(WINDOW_STEPS) > rng.choice([0.0, 0.1, 0.4])).astype(np.float32)
        mask[-1] = 1.0
        inputs.append((features, mask))
        labels.append(float(i % 2))
    return (
        torch.from_numpy(np.stack([f for f, _ in inputs])),
        torch.from_numpy(np.stack([m for _, m in inputs])),
        torch.tensor(labels),
    )


def window_logits(score: Callable[[Floats, Floats], Floats], sequence: Sequence) -> Floats:
    """Logits of a sequence's windows, one every half second, through `score(features, mask)`."""
    stride = max(1, round(WINDOW_HZ / 2))
    ends = list(range(min(len(sequence.times_s), WINDOW_STEPS), len(sequence.times_s) + 1, stride))
    windows = [temporal_input(sequence.times_s[:e], sequence.rows[:e]) for e in ends]
    return score(np.stack([f for f, _ in windows]), np.stack([m for _, m in windows]))


@torch.inference_mode()
def _validate(state: dict[str, Tensor], sequences: list[Sequence]) -> dict[str, float]:
    net = TemporalNet()
    net.load_state_dict(state)
    net.eval()

    def score(features: Floats, mask: Floats) -> Floats:
        return np.asarray(net(torch.from_numpy(features), torch.from_numpy(mask)).numpy())

    scores = [float(window_logits(score, s).mean()) for s in sequences]
    value = auc([int(s.fake) for s in sequences], scores)
    return {"auc": float("nan") if value is None else value}
