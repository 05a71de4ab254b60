"""Fits temperatures, biases and fusion weights on degraded forgeries of held-out people."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmask.models.store import Calibration

Floats = NDArray[np.float64]
MAX_LOGIT = 4.0
REAL_CAP = {"spatial": 4.0, "mri": 2.0, "temporal": 4.0}
"""A black map is weak evidence of a genuine face: blur and compression blacken maps too."""
WEIGHT_PRIOR = {"spatial": 0.35, "mri": 0.35, "temporal": 0.3}
WEIGHT_PENALTY = 0.5
"""Fusion weights are pulled towards the prior: what a branch gains on our own forgeries carries over to others' only
in part, and the temporal branch reads the spatial one's features, so their errors are the same error."""
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.3, 10.0


@dataclass(frozen=True, slots=True)
class FileScores:
    """Raw mean logits of one file by branch, and its label."""

    logits: dict[str, float]
    fake: bool


def fit_calibration(files: list[FileScores]) -> Calibration:
    """Temperature and bias of each branch by likelihood, then non-negative fusion weights by penalised likelihood.

    Both classes count the same, whatever their numbers.

    Raises:
        ValueError: a class is missing.
    """
    if len({f.fake for f in files}) < 2:
        raise ValueError("calibration needs genuine and forged files")
    branches = sorted({b for f in files for b in f.logits})
    temperature, bias = {}, {}
    for branch in branches:
        present = [f for f in files if branch in f.logits]
        raw = np.array([f.logits[branch] for f in present])
        labels = np.array([f.fake for f in present], np.float64)
        temperature[branch], bias[branch] = fit_temperature(raw, labels)
    weight, fusion_bias = _fit_fusion(files, branches, temperature, bias)
    return Calibration(temperature, bias, weight, {b: REAL_CAP[b] for b in branches}, fusion_bias)


def fit_temperature(raw: Floats, labels: Floats) -> tuple[float, float]:
    """Temperature T and bias b that minimise the balanced log loss of `raw / T + b`; Newton's method.

    Args:
        raw: (n,) logits.
        labels: (n,) 1 for fake.
    """
    slope, offset = _logistic(raw[:, None], labels, np.zeros(1))
    inverse = float(np.clip(slope[0], 1 / MAX_TEMPERATURE, 1 / MIN_TEMPERATURE))
    return 1 / inverse, offset


def _fit_fusion(
    files: list[FileScores], branches: list[str], temperature: dict[str, float], bias: dict[str, float]
) -> tuple[dict[str, float], float]:
    complete = [f for f in files if all(b in f.logits for b in branches)]
    if len({f.fake for f in complete}) < 2:
        return {b: WEIGHT_PRIOR[b] for b in branches}, 0.0
    columns = [
        np.clip([f.logits[b] / temperature[b] + bias[b] for f in complete], -REAL_CAP[b], MAX_LOGIT) for b in branches
    ]
    labels = np.array([f.fake for f in complete], np.float64)
    active = list(range(len(branches)))
    weights = np.zeros(len(branches))
    offset = 0.0
    while active:
        prior = np.array([WEIGHT_PRIOR[branches[i]] for i in active])
        fitted, offset = _logistic(np.stack([columns[i] for i in active], 1), labels, prior, WEIGHT_PENALTY)
        if (fitted >= 0).all():
            weights[active] = fitted
            break
        active = [i for i, w in zip(active, fitted, strict=True) if w > 0]
    return dict(zip(branches, (float(w) for w in weights), strict=True)), float(offset)


def _logistic(inputs: Floats, labels: Floats, prior: Floats, penalty: float = 1e-3) -> tuple[Floats, float]:
    """Balanced logistic regression with an L2 pull of the weights towards `prior`; the intercept is free."""
    count = np.bincount(labels.astype(int), minlength=2)
    share = np.where(labels > 0.5, 0.5 / count[1], 0.5 / count[0])
    design = np.column_stack([inputs, np.ones(len(labels))])
    centre = np.append(prior, 0.0)
    pull = np.append(np.full(len(prior), penalty), 1e-6)
    theta = centre.copy()
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ theta, -30, 30)))
        gradient = design.T @ (share * (p - labels)) + pull * (theta - centre)
        hessian = (design * (share * p * (1 - p))[:, None]).T @ design + np.diag(pull) + 1e-9 * np.eye(len(theta))
        step = np.linalg.solve(hessian, gradient)
        theta -= step * min(1.0, 2.0 / max(1e-9, float(np.abs(step).max())))
        if np.abs(step).max() < 1e-8:
            break
    return theta[:-1], float(theta[-1])
