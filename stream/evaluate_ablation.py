"""What each branch, each fusion rule and the temperature are worth: file scores fused again, nothing analysed again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from unmask.models.store import Calibration
from unmask.models.training import metrics
from unmask.pipeline.fusion import DEFAULT_RULE, RULES, calibrate, fuse, sigmoid
from unmask.stream.figures import dataset_name, headline_files, rounded, rounded_pair
from unmask.stream.scores import BRANCHES, Scored

ALONE = "alone"
"""In place of a rule's name: one branch's calibrated log-odds as they are."""
MOST_SILENT = 0.5
"""A branch without an answer to more than this share of the files is left out, so that files remain to compare on."""
LEVEL = "file: each branch's log-odds averaged over the file first, then fused"


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to come to a file's score."""

    branches: tuple[str, ...]
    rule: str
    temperature: bool


def ablation(scored: Sequence[Scored], calibration: Calibration) -> dict[str, Any]:
    """Figures of every variant over the same files: those of the headline that every branch answered.

    Without temperature means raw log-odds: temperature 1 and bias 0, with the fusion weights as they are.
    """
    over, files = headline_files(scored)
    branches, common = _common(files)
    found = [_figures(variant, common, calibration) for variant in variants(branches)]
    return {
        "level": LEVEL,
        "over": over,
        "n": len(common),
        "n_fake": sum(one.row.fake for one in common),
        "n_groups": len({one.row.group for one in common}),
        "branches": list(branches),
        "rows": found,
        "gain": _gain(found, branches, common, calibration),
    }


def variants(branches: Sequence[str]) -> Iterator[Variant]:
    """Every branch alone, every pair and more by every rule; each with and without temperature."""
    for size in range(1, len(branches) + 1):
        for chosen in combinations(branches, size):
            for rule in (ALONE,) if size == 1 else RULES:
                for temperature in (True, False):
                    yield Variant(chosen, rule, temperature)


def fused_logits(variant: Variant, files: Sequence[Scored], calibration: Calibration) -> list[float]:
    """Each file's log-odds by a variant; every file must have an answer of each of its branches."""
    if not variant.temperature:
        ones, zeros = dict.fromkeys(BRANCHES, 1.0), dict.fromkeys(BRANCHES, 0.0)
        calibration = replace(calibration, temperature=ones, bias=zeros)
    return [_fused(variant, one.raw_logits, calibration) for one in files]


def _fused(variant: Variant, raw: Mapping[str, float], calibration: Calibration) -> float:
    scores = {name: calibrate(name, raw[name], 0.0, calibration) for name in variant.branches}
    if variant.rule == ALONE:
        return scores[variant.branches[0]].logit
    found = fuse(scores, calibration, variant.rule)
    if found is None:
        raise ValueError("a variant needs at least one branch")
    return found[0]


def _common(files: Sequence[Scored]) -> tuple[tuple[str, ...], list[Scored]]:
    """Branches that answer often enough, and the files that all of them answered."""
    answered = [one for one in files if one.raw_logits]
    counts = {name: sum(name in one.raw_logits for one in answered) for name in BRANCHES}
    branches = tuple(name for name, count in counts.items() if count and count >= len(answered) * (1 - MOST_SILENT))
    return branches, [one for one in answered if all(name in one.raw_logits for name in branches)]


def _figures(variant: Variant, files: Sequence[Scored], calibration: Calibration) -> dict[str, Any]:
    logits = fused_logits(variant, files, calibration)
    p = [sigmoid(logit) for logit in logits]
    truth, groups = [int(one.row.fake) for one in files], [one.row.group for one in files]
    homes = [dataset_name(one.row.dataset) for one in files]
    parts = {home: [index for index, own in enumerate(homes) if own == home] for home in sorted(set(homes) - {""})}
    return {
        "branches": list(variant.branches),
        "rule": variant.rule,
        "temperature": variant.temperature,
        "auc": rounded(metrics.auc(truth, logits)),
        "auc_ci95": rounded_pair(metrics.bootstrap_auc(truth, logits, groups)),
        "eer": rounded(metrics.eer(truth, logits)),
        "ece": rounded(metrics.ece(truth, p)),
        "brier": rounded(metrics.brier(truth, p)),
        "auc_by_dataset": {
            home: rounded(metrics.auc([truth[i] for i in part], [logits[i] for i in part]))
            for home, part in parts.items()
        },
    }


def _gain(
    found: Sequence[Mapping[str, Any]], branches: Sequence[str], files: Sequence[Scored], calibration: Calibration
) -> dict[str, Any] | None:
    """What fusing all branches by the default rule adds to the best branch alone, on the same files."""
    alone = [row for row in found if row["rule"] == ALONE and row["temperature"] and row["auc"] is not None]
    if len(branches) < 2 or not alone:
        return None
    best = max(alone, key=lambda row: float(row["auc"]))["branches"][0]
    fused = fused_logits(Variant(tuple(branches), DEFAULT_RULE, True), files, calibration)
    single = fused_logits(Variant((best,), ALONE, True), files, calibration)
    truth, groups = [int(one.row.fake) for one in files], [one.row.group for one in files]
    fused_auc, single_auc = metrics.auc(truth, fused), metrics.auc(truth, single)
    return {
        "rule": DEFAULT_RULE,
        "best_branch": best,
        "auc_fused": rounded(fused_auc),
        "auc_best_branch": rounded(single_auc),
        "auc_gain": rounded((fused_auc or 0.0) - (single_auc or 0.0)),
        "auc_gain_ci95": rounded_pair(metrics.bootstrap_auc_gain(truth, fused, single, groups)),
    }
