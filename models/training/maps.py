"""Target maps of pixel-aligned pairs, their loss, and what a generator has learnt to draw.

The target is the structural dissimilarity of a pair (arXiv 2203.00108), computed before the shared degradation, so
that a genuine face is exactly black; a pure colour shift, which dissimilarity hardly sees, is added from the
blend mask.
"""

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from unmask.models.mri import MAP_SIZE
from unmask.models.training.metrics import auc
from unmask.models.training.pairs import Pair

COLOUR_GREY_LEVELS = 32.0
SSIM_SIGMA, SSIM_C1, SSIM_C2 = 1.5, (0.01 * 255) ** 2, (0.03 * 255) ** 2
OVERLAP_WEIGHT = 0.3
STRONGEST = MAP_SIZE**2 // 10
"""Pixels of a map whose mean is its strength."""


def structural_dissimilarity(a_rgb: NDArray[np.uint8], b_rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """1 - SSIM of the lumas (Wang et al. 2004: Gaussian window of sigma 1.5), cut to 0..1; (h, w)."""
    a, b = (cv2.cvtColor(x, cv2.COLOR_RGB2GRAY).astype(np.float32) for x in (a_rgb, b_rgb))

    def mean(x: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.GaussianBlur(x, (11, 11), SSIM_SIGMA), np.float32)

    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b, cov = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2, mean(a * b) - mean_a * mean_b
    ssim = ((2 * mean_a * mean_b + SSIM_C1) * (2 * cov + SSIM_C2)) / (
        (mean_a**2 + mean_b**2 + SSIM_C1) * (var_a + var_b + SSIM_C2)
    )
    return np.clip(1 - ssim, 0, 1).astype(np.float32)


def mri_target(pair: Pair) -> NDArray[np.float32]:
    """Target map (64, 64) of a whole forged crop, 0..1; a genuine crop's is zero."""
    difference = np.abs(pair.clean_fake_rgb.astype(np.float32) - pair.clean_real_rgb).mean(2)
    colour = pair.mask * np.minimum(difference / COLOUR_GREY_LEVELS, 1)
    target = np.maximum(structural_dissimilarity(pair.clean_real_rgb, pair.clean_fake_rgb), colour)
    return np.asarray(cv2.resize(target, (MAP_SIZE, MAP_SIZE), interpolation=cv2.INTER_AREA), np.float32)


def map_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Pixel loss that counts touched pixels up to four times, and the overlap's (soft Dice)."""
    pixel = binary_cross_entropy_with_logits(logits, targets, weight=1 + 3 * targets)
    maps = torch.sigmoid(logits)
    overlap = 1 - (2 * (maps * targets).sum() + 1) / ((maps**2).sum() + (targets**2).sum() + 1)
    return pixel + OVERLAP_WEIGHT * overlap


def map_strength(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean of the strongest tenth of the pixels of maps (..., 64, 64)."""
    flat = maps.reshape(*maps.shape[:-2], -1)
    return np.asarray(np.sort(flat, axis=-1)[..., -STRONGEST:].mean(-1), np.float32)


def map_figures(maps: NDArray[np.float32], pairs: list[Pair], out: Path) -> dict[str, float]:
    """Figures of maps (2, n, 64, 64) of pairs, genuine first; writes a grid of them as `out/maps.png`."""
    targets = np.stack([mri_target(p) for p in pairs])
    _write_grid(pairs[:12], maps[:, :12], targets[:12], out / "maps.png")
    hits = (maps[1] > 0.3) & (targets > 0.3)
    either = (maps[1] > 0.3) | (targets > 0.3)
    value = auc(np.repeat([0, 1], len(pairs)), map_strength(maps).ravel())
    return {
        "auc_of_strength": float("nan") if value is None else value,
        "iou": float(hits.sum() / max(1, either.sum())),
        "mean_on_real": float(maps[0].mean()),
    }


def _write_grid(pairs: list[Pair], maps: NDArray[np.float32], targets: NDArray[np.float32], path: Path) -> None:
    """Rows of genuine, its map, forged, its map, target: what the generator has learnt to draw."""
    rows = []
    for i, pair in enumerate(pairs):
        tiles = [pair.real_rgb, maps[0, i], pair.fake_rgb, maps[1, i], targets[i]]
        rows.append(np.hstack([_tile(t) for t in tiles]))
    rows += [np.zeros_like(rows[0])] * (len(rows) % 2)
    half = len(rows) // 2
    sheet = np.hstack([np.vstack(rows[:half]), np.vstack(rows[half : 2 * half])])
    cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))


def _tile(image: NDArray) -> NDArray[np.uint8]:  # type: ignore[type-arg]
    if image.ndim == 2:
        image = np.repeat(np.clip(image * 255, 0, 255).astype(np.uint8)[..., None], 3, 2)
    return np.asarray(cv2.resize(image, (112, 112)), np.uint8)
