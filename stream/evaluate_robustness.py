"""`unmask evaluate --robustness`: the same files under every condition, and whether genuine ones stay genuine."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from statistics import fmean, median
from typing import Any

import typer

from unmask.models.training import metrics
from unmask.pipeline.errors import InputError, UnreadableFile
from unmask.pipeline.fusion import to_logit
from unmask.pipeline.tracks import Finder
from unmask.pipeline.types import Frame
from unmask.stream.evaluate_conditions import Condition, at_most
from unmask.stream.evaluate_journal import Journal, Result
from unmask.stream.figures import dataset_name, rounded, rounded_pair, slice_figures
from unmask.stream.labels import LabelledFile
from unmask.stream.progress import bar
from unmask.stream.scores import Scored
from unmask.stream.source_file import read_file

SECONDS = 10.0
"""Of every file so much is looked at, from its start."""
MODULES = ("evaluate_robustness.py", "evaluate_conditions.py")
"""Whose code decides about a result."""
SEARCH_HZ, SEARCH_S, SEARCH_SIDE, SEARCH_FACE_PX = 2.0, 3.0, 960, 32
DOUBTED = ("suspicious", "manipulated")
CLEAN = "clean"
KEPT = ("n", "coverage", "auc", "auc_ci95", "eer", "ece", "tpr_at_fpr")

Score = Callable[[LabelledFile, Iterable[Frame]], Scored]


@dataclass(frozen=True, slots=True)
class Bench:
    """What scores frames, what finds faces in them, and where results are kept."""

    score: Score
    finder: Finder
    journal: Journal


def run_robustness(
    rows: Sequence[LabelledFile], grid: Sequence[Condition], bench: Bench, method: str
) -> dict[str, Any]:
    """Scores every video under every condition; the figures as robustness.json holds them.

    Raises:
        InputError: there is no video, or none that can be read.
    """
    videos = [row for row in rows if row.kind != "image"]
    with bar("degrading", len(videos) * len(grid), counted=True) as progress:
        for done, row in enumerate(videos, 1):
            _score_file(row, grid, bench)
            progress.at(done * len(grid))
    found = {
        condition.name: {row.path: bench.journal.found[_key(condition, row)] for row in videos} for condition in grid
    }
    clean = {row.path: scored_again(row, found[CLEAN][row.path]) for row in videos}
    if not any(one for one in clean.values()):
        raise InputError("no video of the labels file can be read: the conditions are for videos")
    by_path = {row.path: row for row in videos}
    return {
        "seconds": SECONDS,
        "method": method,
        "conditions": [
            condition_figures(
                condition,
                [one for path, result in found[condition.name].items() if (one := scored_again(by_path[path], result))],
                {path: one for path, one in clean.items() if one},
                method,
            )
            for condition in grid
        ],
        "not_applied": {
            name: sum("skipped" in result for result in results.values()) for name, results in found.items()
        },
        "errors": sorted({str(result["error"]) for result in found[CLEAN].values() if "error" in result}),
    }


def condition_figures(
    condition: Condition, scored: Sequence[Scored], clean: Mapping[str, Scored], method: str
) -> dict[str, Any]:
    """One row of the grid, and how far genuine files moved from where they were unchanged."""
    figures = slice_figures(scored, method)
    before = slice_figures([clean[one.row.path] for one in scored if one.row.path in clean], method)
    genuine = [one for one in scored if not one.row.fake]
    doubted = sum(one.verdict in DOUBTED for one in genuine)
    shifts = [
        to_logit(one.p["p_fake"]) - to_logit(clean[one.row.path].p["p_fake"])
        for one in genuine
        if "p_fake" in one.p and one.row.path in clean and "p_fake" in clean[one.row.path].p
    ]
    datasets = sorted({dataset_name(one.row.dataset) for one in scored} - {""})
    return {
        "name": condition.name,
        "kind": condition.kind,
        **{key: figures[key] for key in KEPT},
        "clean_same_files": {key: before[key] for key in ("auc", "coverage", "tpr_at_fpr")},
        "auc_by_dataset": {
            name: _auc([one for one in scored if dataset_name(one.row.dataset) == name]) for name in datasets
        },
        "mean_p": {"genuine": _mean_p(genuine), "fake": _mean_p([one for one in scored if one.row.fake])},
        "genuine": {
            "n": len(genuine),
            "doubted": doubted,
            "doubted_share": rounded(doubted / len(genuine)) if genuine else None,
            "doubted_share_ci95": rounded_pair(metrics.share_interval(doubted, len(genuine))),
            "mean_logit_shift": rounded(fmean(shifts)) if shifts else None,
        },
    }


def scored_again(row: LabelledFile, result: Mapping[str, Any]) -> Scored | None:
    """A kept result as a score; None where the condition did not apply or the file could not be read."""
    if "error" in result or "skipped" in result:
        return None
    return Scored(row, result["p"], result["verdict"], result["frames_with_face"], reliability=result["reliability"])


def face_width_px(frames: Iterable[Frame], finder: Finder) -> float | None:
    """Median width of the largest face in the first seconds; None when none is found."""
    widths = []
    for frame in at_most(_first(frames, SEARCH_S), SEARCH_HZ):
        side = min(SEARCH_SIDE, max(frame.size_wh))
        boxes = [face.box_xyxy for face in finder.find_faces(frame.image_rgb, side, SEARCH_FACE_PX)]
        if boxes:
            widths.append(max(float(box[2] - box[0]) for box in boxes))
    return median(widths) if widths else None


def _score_file(row: LabelledFile, grid: Sequence[Condition], bench: Bench) -> None:
    """All conditions of one file that are not known yet."""
    missing = [condition for condition in grid if _key(condition, row) not in bench.journal.found]
    if not missing:
        return
    try:
        face_px = _face_px(row, bench.finder) if any(condition.face_px for condition in missing) else None
        for condition in missing:
            bench.journal.add(_key(condition, row), _scored(row, condition, face_px, bench))
    except UnreadableFile as error:
        typer.echo(f"error: {error}", err=True)
        for condition in missing:
            bench.journal.add(_key(condition, row), {"error": str(error)})


def _scored(row: LabelledFile, condition: Condition, face_px: float | None, bench: Bench) -> Result:
    if condition.face_px and (face_px is None or face_px < condition.face_px):
        return {"skipped": "no face found" if face_px is None else f"the face is only {face_px:.0f} px wide"}
    with read_file(row.file, row.path) as frames:
        if frames.is_image:
            raise UnreadableFile(f"{row.path} is a picture, not a video")
        found = bench.score(row, condition.change(_first(frames, SECONDS), face_px or 0.0))
    return {
        "p": dict(found.p),
        "verdict": found.verdict,
        "frames_with_face": found.frames_with_face,
        "reliability": found.reliability,
    }


def _face_px(row: LabelledFile, finder: Finder) -> float | None:
    with read_file(row.file, row.path) as frames:
        return face_width_px(frames, finder)


def _first(frames: Iterable[Frame], seconds: float) -> Iterator[Frame]:
    return takewhile(lambda frame: frame.pts_s < seconds, frames)


def _key(condition: Condition, row: LabelledFile) -> str:
    return f"{condition.name} | {row.path}"


def _auc(scored: Sequence[Scored]) -> float | None:
    answered = [one for one in scored if "p_fake" in one.p]
    return rounded(metrics.auc([int(one.row.fake) for one in answered], [one.p["p_fake"] for one in answered]))


def _mean_p(scored: Sequence[Scored]) -> float | None:
    p = [one.p["p_fake"] for one in scored if "p_fake" in one.p]
    return rounded(fmean(p)) if p else None
