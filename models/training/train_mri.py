"""Trains the MRI branch: the generator on pixel-aligned pairs, then the classifier on maps of other people.

Targets are in `unmask.models.training.maps`. The classifier never sees maps of faces that trained its generator
(cross-fitting).
"""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate

from unmask.models.mri import MAP_SIZE, LightGenerator, MapClassifier, MriNet
from unmask.models.mri_published import PatchDiscriminator
from unmask.models.training.batchnorm import fix_statistics, measure_statistics
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
from unmask.models.training.recipes import MriRecipe, keep_config
from unmask.models.training.start import GIVEN, generator_start
from unmask.models.training.train_spatial import to_batch
from unmask.models.training.workers import worker_batches

LABEL_SMOOTHING = 0.05

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]


def map_batch(pairs: list[Pair]) -> Batch:
    """Inputs (2n, 3, 256, 256), genuine first, and target maps (2n, 1, 64, 64)."""
    targets = np.stack([mri_target(p) for p in pairs])
    return to_batch(pairs)[0], np.concatenate([np.zeros_like(targets), targets])[:, None]


class GanStep:
    """One optimiser step of generator and discriminator: pixel loss, structure loss, least-squares GAN."""

    def __init__(self, generator: LightGenerator, optimizer: torch.optim.Optimizer, recipe: MriRecipe) -> None:
        self.generator, self.optimizer, self.recipe = generator, optimizer, recipe
        self.device = device_of(generator)
        self.discriminator = PatchDiscriminator(map_channels=1, width=16).to(self.device)
        self.judge_optimizer = torch.optim.Adam(self.discriminator.parameters(), 2e-4, betas=(0.5, 0.999))

    def __call__(self, batch: Batch) -> dict[str, float]:
        self.generator.train()
        if self.recipe.statistics_batches:
            fix_statistics(self.generator)
        self.generator.freeze_early(self.recipe.frozen_blocks)
        images, targets = (torch.from_numpy(array).to(self.device) for array in batch)
        images = images.contiguous(memory_format=torch.channels_last)
        with mixed_precision(self.device, self.recipe.precision):
            logits = self.generator(images)
        logits = logits.float()
        maps = torch.sigmoid(logits)
        faces = interpolate(images, size=MAP_SIZE, mode="area")
        drawn = map_loss(logits, targets)
        fooled = (self.discriminator(maps, faces) - 1).square().mean()
        loss = drawn + self.recipe.adversarial * fooled
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.generator.parameters(), 5.0)
        self.optimizer.step()
        judged = self._train_discriminator(maps.detach(), targets, faces)
        return {"loss": drawn.item(), "discriminator": judged}

    def _train_discriminator(self, maps: Tensor, targets: Tensor, faces: Tensor) -> float:
        true, drawn = self.discriminator(targets, faces), self.discriminator(maps, faces)
        loss = 0.5 * ((true - 1).square().mean() + drawn.square().mean())
        self.judge_optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.judge_optimizer.step()
        return float(loss.item())


def train_generator(
    pack_folder: Path, out: Path, start: dict[str, Tensor] | None, recipe: MriRecipe
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Train the generator, resuming from `out`; returns its averaged weights and the last validation.

    Args:
        start: a whole generator (`generator.pt` of a spatial run), or a spatial backbone for its encoder
            (efficientnet-pytorch's names); what the recipe names when None.

    Raises:
        UsageError: `out` holds a run with other settings.
        WeightsError: there are no weights to start from.
        TrainingFailed: the run broke down.
    """
    keep_config(out, recipe if start is None else replace(recipe, start=GIVEN))
    generator = LightGenerator()
    start = generator_start(recipe.start) if start is None else start
    if "head.0.weight" in start:
        generator.load_state_dict(start)
    else:
        generator.load_encoder(start)
    generator.to(training_device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    generator.freeze_early(recipe.frozen_blocks)
    encoder = [p for n, p in generator.named_parameters() if n.startswith(("stem", "blocks")) and p.requires_grad]
    decoder = [p for n, p in generator.named_parameters() if not n.startswith(("stem", "blocks"))]
    optimizer = torch.optim.AdamW(
        [{"params": encoder, "scale": 0.4}, {"params": decoder, "scale": 1.0}], recipe.learning_rate, weight_decay=0.02
    )
    step = GanStep(generator, optimizer, recipe)
    run = Run(
        out, generator, optimizer, Schedule(recipe.steps, recipe.learning_rate),
        WeightAverage(generator, recipe.average_decay),
        {"discriminator": step.discriminator, "judge_optimizer": step.judge_optimizer},
    )  # fmt: skip
    resumed = run.resume()
    pack = read_pack(pack_folder)
    validation_groups, _, generator_groups = split_three(pack, recipe.validation_share, recipe.classifier_share)
    source = PairSource(pack_folder, validation_groups, 20_000, clip_share=recipe.clip_share)
    validation = next(source.open().batches(recipe.validation_pairs))
    source = replace(source, groups=generator_groups, seed=recipe.seed)
    if not resumed and recipe.statistics_batches:
        generator.train()
        generator.freeze_early(recipe.frozen_blocks)
        batches = islice(source.open().batches(recipe.pairs_per_batch), recipe.statistics_batches)
        measure_statistics(generator, (torch.from_numpy(map_batch(p)[0]).to(step.device) for p in batches))
        run.average = WeightAverage(generator, recipe.average_decay)
    with worker_batches(source, recipe.pairs_per_batch, run.step, map_batch, recipe.workers) as made:
        run.train(made, step, lambda s: _validate(s, validation, out), recipe.validate_every)
    return on_cpu(run.average.state), run.curve[-1]


def train_classifier(
    pack_folder: Path, generator_state: dict[str, Tensor], recipe: MriRecipe
) -> tuple[MriNet, dict[str, float]]:
    """Train the map classifier on people whom the generator has not seen; returns the whole branch and its figures."""
    net = MriNet()
    net.generator.load_state_dict(generator_state)
    device = training_device()
    net.to(device)
    pack = read_pack(pack_folder)
    validation_groups, classifier_groups, _ = split_three(pack, recipe.validation_share, recipe.classifier_share)
    torch.manual_seed(recipe.seed)
    makers = [
        PairMaker(pack, groups, seed, clip_share=recipe.clip_share)
        for groups, seed in ((classifier_groups, 30_000), (validation_groups, 40_000))
    ]
    train = _draw_maps(net, makers[0], recipe.classifier_pairs)
    test = _draw_maps(net, makers[1], recipe.validation_pairs * 2)
    classifier = net.classifier
    assert isinstance(classifier, MapClassifier)
    optimizer = torch.optim.AdamW(classifier.parameters(), 2e-3, weight_decay=0.05)
    steps = recipe.classifier_epochs * (len(train[1]) // 64)
    schedule = Schedule(steps, 2e-3, warmup=20)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = schedule.rate(step)
        picked = torch.randint(len(train[1]), (64,)).to(device)
        classifier.train()
        flip = bool(torch.rand(()) < 0.5)
        maps = train[0][picked].flip(3) if flip else train[0][picked]
        labels = train[1][picked] * (1 - 2 * LABEL_SMOOTHING) + LABEL_SMOOTHING
        loss = binary_cross_entropy_with_logits(classifier(maps), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    net.eval()
    with torch.inference_mode():
        scores = classifier(test[0]).cpu().numpy()
    value = auc(test[1].cpu().numpy(), scores)
    return net.cpu(), {"auc_validation": float("nan") if value is None else value, "loss": float(loss.item())}


@torch.inference_mode()
def _draw_maps(net: MriNet, maker: PairMaker, pairs: int) -> tuple[Tensor, Tensor]:
    """Maps and labels of so many pairs; the generator is in evaluation mode."""
    net.eval()
    device = device_of(net)
    maps, labels = [], []
    for i in range(0, pairs, 8):
        inputs, targets = to_batch([maker.pair(k) for k in range(i, min(i + 8, pairs))])
        images = torch.from_numpy(inputs).to(device)
        maps.append(torch.sigmoid(net.generator(images)))
        labels.append(torch.from_numpy(targets).to(device))
    return torch.cat(maps).clone(), torch.cat(labels).clone()


@torch.inference_mode()
def _validate(state: dict[str, Tensor], pairs: list[Pair], out: Path) -> dict[str, float]:
    generator = LightGenerator()
    generator.load_state_dict(state)
    device = training_device()
    generator.to(device).eval()
    drawn = []
    for i in range(0, len(pairs), 10):
        inputs, _ = map_batch(pairs[i : i + 10])
        maps = torch.sigmoid(generator(torch.from_numpy(inputs).to(device))).cpu().numpy()
        drawn.append(maps.reshape(2, -1, MAP_SIZE, MAP_SIZE))
    return map_figures(np.concatenate(drawn, axis=1), pairs, out)
