"""Figures of an evaluated set: over all files, by kind, by method and by dataset. Pure: scores in, numbers out."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from unmask.models.training import metrics
from unmask.models.training.metrics import Floats
from unmask.stream.scores import BRANCHES, Scored

SCHEMA = 1
FPR_TARGETS = (0.01, 0.05)
QUALITIES = {"low, below 0.3": 0.0, "middle": 0.3, "high, 0.7 and more": 0.7}
"""Names of mean reliability, and where each begins."""
HEADLINE = (
    "auc", "auc_ci95", "eer", "ece", "ece_even_odds", "ece_by_chance", "brier", "aurc", "tpr_at_fpr", "ci95",
)  # fmt: skip
GENUINE_WORDS = frozenset({"original", "originals", "real", "genuine", "pristine"})


def evaluation(scored: Sequence[Scored], method: str = "fusion") -> dict[str, Any]:
    """All figures as `unmask evaluate --json` prints them.

    The headline (`auc` to `tpr_at_fpr` at the top) is over the videos when the set has genuine and forged ones,
    over everything otherwise; `headline` says which. `n` and `coverage` are over everything.
    """
    kinds = sorted({one.row.kind for one in scored} - {""})
    over, files = headline_files(scored)
    headline = slice_figures(files, method)
    return {
        "schema": SCHEMA,
        "n": len(scored),
        "coverage": _coverage(scored),
        **{key: headline[key] for key in HEADLINE},
        "headline": {"over": over, **{key: headline[key] for key in ("n", "n_fake", "n_groups", "coverage")}},
        "by_kind": {kind: slice_figures([one for one in scored if one.row.kind == kind], method) for kind in kinds},
        "by_method": _sliced(scored, lambda one: one.row.method, method),
        "by_dataset": _sliced(scored, lambda one: dataset_name(one.row.dataset), method),
        "by_quality": {
            name: slice_figures([one for one in files if _quality(one) == name], method) for name in QUALITIES
        },
        "method": method,
        "scores": "scores.csv",
    }


def headline_files(scored: Sequence[Scored]) -> tuple[str, Sequence[Scored]]:
    """What the headline is over: ("video", the videos) or ("all", everything)."""
    videos = [one for one in scored if one.row.kind == "video"]
    return ("video", videos) if {one.row.fake for one in videos} == {True, False} else ("all", scored)


def slice_figures(scored: Sequence[Scored], method: str) -> dict[str, Any]:
    """The figures of some of the files; files without a probability count against coverage only."""
    names = {"fusion": "p_fake" if method == "fusion" else None, **{name: name for name in BRANCHES}}
    answered = [one for one in scored if "p_fake" in one.p]
    truth, p_fake = [int(one.row.fake) for one in answered], [one.p["p_fake"] for one in answered]
    ranking = {name: _ranking(scored, key) for name, key in names.items()}
    return {
        "n": len(scored),
        "n_fake": sum(one.row.fake for one in scored),
        "n_groups": len({one.row.group for one in scored}),
        "coverage": _coverage(scored),
        "auc": {name: value for name, (value, _) in ranking.items()},
        "auc_ci95": {name: interval for name, (_, interval) in ranking.items()},
        "eer": rounded(metrics.eer(truth, p_fake)),
        "ece": rounded(metrics.ece(truth, p_fake)),
        "ece_even_odds": rounded(metrics.ece(truth, p_fake, even_odds=True)),
        "ece_by_chance": rounded(metrics.ece_by_chance(truth, p_fake)),
        "brier": rounded(metrics.brier(truth, p_fake)),
        "aurc": rounded(metrics.aurc(truth, p_fake)),
        "tpr_at_fpr": {f"{fpr:.2f}": rounded(metrics.tpr_at_fpr(truth, p_fake, fpr)) for fpr in FPR_TARGETS},
        "ci95": _intervals(answered),
    }


def _intervals(answered: Sequence[Scored]) -> dict[str, list[float] | None]:
    """95 % intervals of the figures other than the AUC."""
    truth, p_fake = [int(one.row.fake) for one in answered], [one.p["p_fake"] for one in answered]
    groups = [one.row.group for one in answered]
    statistics: dict[str, Callable[[Floats, Floats], float | None]] = {
        "eer": metrics.eer,
        "ece": metrics.ece,
        "ece_even_odds": partial(metrics.ece, even_odds=True),
        "brier": metrics.brier,
        **{f"tpr_at_fpr_{fpr:.2f}": partial(metrics.tpr_at_fpr, fpr=fpr) for fpr in FPR_TARGETS},
    }
    return {
        name: rounded_pair(metrics.bootstrap(statistic, truth, p_fake, groups))
        for name, statistic in statistics.items()
    }


def _ranking(scored: Sequence[Scored], key: str | None) -> tuple[float | None, list[float] | None]:
    """AUC and its interval over the files that have this probability."""
    answered = [one for one in scored if key in one.p] if key else []
    truth = [int(one.row.fake) for one in answered]
    p = [one.p[str(key)] for one in answered]
    interval = metrics.bootstrap_auc(truth, p, [one.row.group for one in answered])
    return rounded(metrics.auc(truth, p)), rounded_pair(interval)


def _sliced(scored: Sequence[Scored], name_of: Callable[[Scored], str], method: str) -> dict[str, dict[str, Any]]:
    """Figures per name: the fakes of that name against the real files of their datasets and kind.

    Where those datasets hold no real file, all real files of the kind stand in, and `against` says "all real files".
    """
    by_name: dict[str, dict[str, Any]] = {}
    for name in sorted({name_of(one) for one in scored if one.row.fake} - {""}):
        fakes = [one for one in scored if one.row.fake and name_of(one) == name]
        homes = {(dataset_name(one.row.dataset), one.row.kind) for one in fakes}
        kinds = {one.row.kind for one in fakes}
        reals = [one for one in scored if not one.row.fake and one.row.kind in kinds]
        own = [one for one in reals if (dataset_name(one.row.dataset), one.row.kind) in homes]
        figures = slice_figures([*fakes, *(own or reals)], method)
        by_name[name] = {**figures, "against": "real files of the same dataset" if own else "all real files"}
    return by_name


def dataset_name(name: str) -> str:
    """A dataset's name without the words that mark its genuine half."""
    return " ".join(word for word in name.split() if word.lower() not in GENUINE_WORDS)


def _coverage(scored: Sequence[Scored]) -> float | None:
    """Share of files with a probability."""
    return rounded(sum("p_fake" in one.p for one in scored) / len(scored)) if scored else None


def _quality(one: Scored) -> str:
    """The name of a file's mean reliability, "" when there is none."""
    if one.reliability is None:
        return ""
    return [name for name, start in QUALITIES.items() if one.reliability >= start][-1]


def rounded_pair(interval: tuple[float, float] | None) -> list[float] | None:
    """An interval for JSON, to four digits."""
    return [round(value, 4) for value in interval] if interval else None


def rounded(value: float | None) -> float | None:
    """A figure for JSON, to four digits."""
    return None if value is None else round(value, 4)
