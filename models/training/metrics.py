"""Figures for a set of scored files: pure numpy, no files, no plots. `labels` are 1 for fake and 0 for real."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Roc:
    """A ROC curve from (0, 0) to (1, 1), one point per distinct score; `threshold` calls scores at or above it fake."""

    fpr: Floats
    tpr: Floats
    threshold: Floats


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Files of similar probability: their mean probability, their share of fakes, their number and their weight."""

    mean_p: float
    share_fake: float
    count: int
    weight: float


def roc(labels: ArrayLike, scores: ArrayLike) -> Roc | None:
    """The ROC curve, or None when one of the two classes is missing."""
    y, s = _pair(labels, scores)
    if not _both_classes(y):
        return None
    order = np.argsort(-s, kind="stable")
    y, s = y[order], s[order]
    ends = np.append(np.flatnonzero(np.diff(s)), len(s) - 1)
    tp, fp = np.cumsum(y)[ends], np.cumsum(1 - y)[ends]
    return Roc(fpr=np.append(0.0, fp / fp[-1]), tpr=np.append(0.0, tp / tp[-1]), threshold=np.append(np.inf, s[ends]))


def auc(labels: ArrayLike, scores: ArrayLike) -> float | None:
    """Chance that a fake scores above a real file, ties counting half; None when one class is missing."""
    y, s = _pair(labels, scores)
    if not _both_classes(y):
        return None
    return float(_weighted_auc(y, s, np.ones((1, len(y))))[0])


def eer(labels: ArrayLike, scores: ArrayLike) -> float | None:
    """Error rate where as many real files are called fake as fakes are missed; None when one class is missing."""
    curve = roc(labels, scores)
    if curve is None:
        return None
    gap = (1 - curve.tpr) - curve.fpr
    after = int(np.argmax(gap <= 0))
    before = after - 1
    share = gap[before] / (gap[before] - gap[after])
    return float(curve.fpr[before] + share * (curve.fpr[after] - curve.fpr[before]))


def tpr_at_fpr(labels: ArrayLike, scores: ArrayLike, fpr: float) -> float | None:
    """Share of fakes found while at most `fpr` of the real files are called fake; None when one class is missing."""
    curve = roc(labels, scores)
    return None if curve is None else float(curve.tpr[curve.fpr <= fpr + 1e-12].max())


def brier(labels: ArrayLike, p_fake: ArrayLike) -> float | None:
    """Mean squared distance of probability and truth, 0 (perfect) .. 1; None for an empty set."""
    y, p = _pair(labels, p_fake)
    return float(np.mean((p - y) ** 2)) if len(y) else None


def reliability(
    labels: ArrayLike, p_fake: ArrayLike, bins: int | None = None, even_odds: bool = False
) -> list[ReliabilityBin]:
    """Equal-mass bins in rising probability; equal probabilities always share a bin, so there may be fewer.

    Args:
        bins: at most so many; without it `bin_count`.
        even_odds: weigh both classes alike, whatever their numbers: that is what a probability fitted on balanced
            classes speaks about. Both must be there.
    """
    y, p = _pair(labels, p_fake)
    if not len(y):
        return []
    ranked = np.sort(p)
    edges = np.unique([part[0] for part in np.array_split(ranked, min(bins or bin_count(len(y)), len(ranked)))][1:])
    _, which = np.unique(np.searchsorted(edges, p, side="right"), return_inverse=True)
    weight = np.where(y > 0.5, 0.5 / y.mean(), 0.5 / (1 - y.mean())) if even_odds else np.ones(len(y))
    total = np.bincount(which, weight)
    mean_p, share_fake = (np.bincount(which, weight * values) / total for values in (p, y))
    columns = zip(mean_p, share_fake, np.bincount(which), total, strict=True)
    return [ReliabilityBin(float(m), float(s), int(count), float(w)) for m, s, count, w in columns]


def bin_count(files: int) -> int:
    """Bins of at least 12 files, 3 to 15: with fewer files in each, chance alone looks like miscalibration."""
    return min(15, max(3, files // 12))


def ece(labels: ArrayLike, p_fake: ArrayLike, bins: int | None = None, even_odds: bool = False) -> float | None:
    """Expected calibration error over the bins of `reliability`, 0..1.

    Returns None for an empty set, and with `even_odds` when one class is missing.
    """
    y, _ = _pair(labels, p_fake)
    if not len(y) or (even_odds and not _both_classes(y)):
        return None
    parts = reliability(labels, p_fake, bins, even_odds)
    return sum(part.weight * abs(part.mean_p - part.share_fake) for part in parts) / sum(part.weight for part in parts)


def ece_by_chance(labels: ArrayLike, p_fake: ArrayLike, draws: int = 200, seed: int = 0) -> float | None:
    """What `ece` at even odds would be on average if these probabilities were perfect: never 0 for few files.

    Labels are drawn from the probabilities, moved to the odds of the given labels. None when one class is missing.
    """
    y, p = _pair(labels, p_fake)
    if not _both_classes(y):
        return None
    odds = p / np.clip(1 - p, 1e-9, None) * y.mean() / (1 - y.mean())
    drawn = np.random.default_rng(seed).random((draws, len(p))) < odds / (1 + odds)
    found = [value for labels_drawn in drawn if (value := ece(labels_drawn, p, even_odds=True)) is not None]
    return float(np.mean(found)) if found else None


def bootstrap_auc(
    labels: ArrayLike, scores: ArrayLike, groups: ArrayLike, resamples: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """95 % interval of the AUC when whole groups (people, scenes) are drawn again with replacement.

    Returns None when a class is missing, when there is one group only, or when fewer than half of the resamples
    hold both classes.
    """
    y, s = _pair(labels, scores)
    times = _redrawn(groups, resamples, seed)
    if times is None or not _both_classes(y):
        return None
    return _middle(_weighted_auc(y, s, times), resamples)


def bootstrap_auc_gain(
    labels: ArrayLike, scores: ArrayLike, others: ArrayLike, groups: ArrayLike, resamples: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """95 % interval of the AUC of `scores` minus that of `others` on the same files; None as in `bootstrap_auc`."""
    y, s = _pair(labels, scores)
    _, other = _pair(labels, others)
    times = _redrawn(groups, resamples, seed)
    if times is None or not _both_classes(y):
        return None
    return _middle(_weighted_auc(y, s, times) - _weighted_auc(y, other, times), resamples)


def bootstrap(
    statistic: Callable[[Floats, Floats], float | None],
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike,
    resamples: int = 300,
    seed: int = 0,
) -> tuple[float, float] | None:
    """95 % interval of any figure of (labels, scores) by drawing whole groups again; None as in `bootstrap_auc`."""
    y, s = _pair(labels, scores)
    times = _redrawn(groups, resamples, seed)
    if times is None:
        return None
    picks = (np.repeat(np.arange(len(y)), row.astype(int)) for row in times)
    found = [statistic(y[pick], s[pick]) for pick in picks]
    return _middle(np.array([value for value in found if value is not None], np.float64), resamples)


def poisson_interval(count: int) -> tuple[float, float]:
    """Exact (Garwood 1936) 95 % interval of the mean of a Poisson variable of which `count` was seen once."""
    if count < 0:
        raise ValueError(f"a count cannot be negative, got {count}")
    low = 0.0 if count == 0 else _poisson_mean(count - 1, 0.975)
    return low, _poisson_mean(count, 0.025)


def share_interval(count: int, total: int) -> tuple[float, float] | None:
    """95 % interval of a share by Wilson's score (1927); None of nothing."""
    if not 0 <= count <= total:
        raise ValueError(f"a share needs 0 <= count <= total, got {count} of {total}")
    if total == 0:
        return None
    z2 = 1.959964**2
    middle = (count + z2 / 2) / (total + z2)
    half = math.sqrt(z2 * (count * (total - count) / total + z2 / 4)) / (total + z2)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def risk_coverage(labels: ArrayLike, p_fake: ArrayLike) -> tuple[Floats, Floats]:
    """(coverage, risk): the error rate at 0.5 among the most confident files, for every share of files answered."""
    y, p = _pair(labels, p_fake)
    order = np.argsort(-np.abs(p - 0.5), kind="stable")
    wrong = ((p >= 0.5) != (y == 1))[order]
    answered = np.arange(1, len(y) + 1)
    return answered / max(len(y), 1), np.cumsum(wrong) / answered


def aurc(labels: ArrayLike, p_fake: ArrayLike) -> float | None:
    """Mean risk over all coverages, 0 (perfect) .. 1; None for an empty set."""
    _, risk = risk_coverage(labels, p_fake)
    return float(risk.mean()) if len(risk) else None


def _pair(labels: ArrayLike, scores: ArrayLike) -> tuple[Floats, Floats]:
    y, s = np.asarray(labels, np.float64), np.asarray(scores, np.float64)
    if y.ndim != 1 or y.shape != s.shape:
        raise ValueError(f"labels and scores must be equally long lists, got {y.shape} and {s.shape}")
    if not np.isin(y, (0.0, 1.0)).all():
        raise ValueError("labels must be 0 or 1")
    if not np.isfinite(s).all():
        raise ValueError("scores must be finite")
    return y, s


def _redrawn(groups: ArrayLike, resamples: int, seed: int) -> Floats | None:
    """(resamples, n): how often each file counts when whole groups are drawn again; None for fewer than two groups."""
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < 2:
        return None
    drawn = np.random.default_rng(seed).integers(len(names), size=(resamples, len(names)))
    times = np.zeros((resamples, len(names)))
    np.add.at(times, (np.arange(resamples)[:, None], drawn), 1.0)
    return times[:, member]


def _middle(values: Floats, resamples: int) -> tuple[float, float] | None:
    """The middle 95 % of the finite values; None when they are fewer than half of the resamples."""
    values = values[np.isfinite(values)]
    if len(values) * 2 < resamples:
        return None
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def _poisson_mean(count: int, at_most: float) -> float:
    """The mean at which a Poisson variable is `count` or less with probability `at_most`, by bisection."""
    low, high = 0.0, count + 10 * math.sqrt(count + 1) + 10
    for _ in range(100):
        mean = (low + high) / 2
        terms = (math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1))
        low, high = (mean, high) if sum(terms) > at_most else (low, mean)
    return (low + high) / 2


def _both_classes(y: Floats) -> bool:
    return bool(len(y)) and 0 < y.sum() < len(y)


def _weighted_auc(y: Floats, s: Floats, weights: Floats) -> Floats:
    """AUC per row of `weights` (r, n), how often each file counts; nan where a class has no weight."""
    order = np.argsort(s, kind="stable")
    y, s, weights = y[order], s[order], weights[:, order]
    starts = np.append(0, np.flatnonzero(np.diff(s)) + 1)
    fake = np.add.reduceat(weights * y, starts, axis=1)
    real = np.add.reduceat(weights * (1 - y), starts, axis=1)
    below = np.cumsum(real, axis=1) - real / 2
    pairs = fake.sum(axis=1) * real.sum(axis=1)
    wins = (fake * below).sum(axis=1)
    values: Floats = np.divide(wins, pairs, out=np.full(len(weights), np.nan), where=pairs > 0)
    return values
