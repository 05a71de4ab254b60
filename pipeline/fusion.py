"""Calibrated log-odds of several branches to one; a missing branch is missing, never 0.5."""

import math
from collections.abc import Mapping

from unmask.models.store import Calibration
from unmask.pipeline.errors import UsageError
from unmask.pipeline.types import BranchResult, Score

MAX_LOGIT = 4.0
"""No single branch speaks louder than 55 to 1."""
RULES = ("logit", "confidence", "mean")
DEFAULT_RULE = "confidence"


def rule_name(name: str) -> str:
    """A fusion rule; `default` is the best one so far.

    Raises:
        UsageError: there is no such rule.
    """
    found = DEFAULT_RULE if name == "default" else name.lower()
    if found not in RULES:
        raise UsageError(f"unknown fusion rule {name!r}; known are {', '.join(RULES)}")
    return found


def sigmoid(logit: float) -> float:
    """1 / (1 + exp(-logit)), without overflow."""
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    return math.exp(logit) / (1 + math.exp(logit))


def to_logit(p: float) -> float:
    """Log-odds of a probability, which is first kept a millionth away from 0 and 1."""
    p = min(max(p, 1e-6), 1 - 1e-6)
    return math.log(p / (1 - p))


def calibrate(branch: str, raw_logit: float, pts_s: float, calibration: Calibration) -> Score:
    """A branch's raw logit as calibrated log-odds: temperature scaling (Guo et al. 2017, arXiv 1706.04599) and bias."""
    logit = raw_logit / calibration.temperature[branch] + calibration.bias[branch]
    p = sigmoid(logit)
    return Score(logit, p, abs(2 * p - 1), pts_s)


def fuse(
    scores: Mapping[str, Score], calibration: Calibration, rule: str = DEFAULT_RULE
) -> tuple[float, dict[str, BranchResult]] | None:
    """One log-odds from the branches that answered.

    Args:
        scores: by branch name; may be empty.
        rule: `confidence` (mean of the probabilities, each weighted by its distance from 0.5; the default), `logit`
            (weighted sum of log-odds) or `mean` (plain mean of the probabilities). In all of them log-odds are
            clipped: at 4, and downwards at the branch's `real_cap`, so that a black map is no strong evidence of a
            genuine face.

    Returns:
        Fused log-odds and each branch's share, or None when no branch answered.
    """
    if not scores:
        return None
    if rule == "logit":
        logit, shares = _fuse_logits(scores, calibration)
    elif rule in RULES:
        p = {k: sigmoid(_clipped(k, s, calibration)) for k, s in scores.items()}
        shares = _shares({k: abs(2 * p[k] - 1) if rule == "confidence" else 1.0 for k in p})
        logit = to_logit(sum(shares[k] * p[k] for k in p))
    else:
        raise ValueError(f"unknown fusion rule {rule!r}; known are {', '.join(RULES)}")
    return logit, {k: BranchResult(s.p_fake, s.confidence, shares[k]) for k, s in scores.items()}


def _fuse_logits(scores: Mapping[str, Score], calibration: Calibration) -> tuple[float, dict[str, float]]:
    """Weights of absent branches go to the present ones, in proportion."""
    total = sum(calibration.weight.values())
    present = {k: calibration.weight[k] for k in scores}
    scale = total / sum(present.values()) if sum(present.values()) > 0 else 0.0
    logit = calibration.fusion_bias
    for name, score in scores.items():
        logit += scale * present[name] * _clipped(name, score, calibration)
    return logit, _shares(present)


def _clipped(name: str, score: Score, calibration: Calibration) -> float:
    return min(max(score.logit, -calibration.real_cap[name]), MAX_LOGIT)


def _shares(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    if total <= 0:
        return {k: 1 / len(weights) for k in weights}
    return {k: w / total for k, w in weights.items()}
