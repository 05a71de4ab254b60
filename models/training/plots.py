"""Pictures of an evaluation: ROC, reliability and scores, drawn by matplotlib without a display."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from unmask.models.training import metrics

REAL_COLOUR, FAKE_COLOUR = "#1b7f5c", "#c1352b"
BRANCH_COLOURS = {"fusion": "#1f2430", "spatial": "#2b6cb0", "mri": "#b7791f", "temporal": "#805ad5"}
STATE_COLOURS = {
    "no_face": "#ffffff",
    "warming": "#d9dde5",
    "uncertain": "#9aa3b2",
    "authentic": "#57a98a",
    "suspicious": "#e0a63c",
    "manipulated": "#c1352b",
}


@dataclass(frozen=True, slots=True)
class Strip:
    """One stream over time: (start, end, state) in seconds, and moments that are marked."""

    label: str
    segments: Sequence[tuple[float, float, str]]
    marks_s: Sequence[float] = ()


def plot_roc(curves: Mapping[str, tuple[Sequence[int], Sequence[float]]], path: Path) -> None:
    """Draws one ROC curve per name from its (labels, scores); names without both classes are left out."""
    figure, axes = _square("share of real files called fake", "share of fakes found")
    axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=1)
    for name, (labels, scores) in curves.items():
        curve, area = metrics.roc(labels, scores), metrics.auc(labels, scores)
        if curve is not None:
            axes.plot(curve.fpr, curve.tpr, color=BRANCH_COLOURS.get(name), label=f"{name}, AUC {area:.3f}")
    _finish(figure, axes, path)


def plot_reliability(labels: Sequence[int], p_fake: Sequence[float], path: Path) -> None:
    """Draws stated probability against the share of fakes, one point per equal-mass bin, sized by its files."""
    figure, axes = _square("stated probability of fake", "share that is fake")
    axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=1)
    bins = metrics.reliability(labels, p_fake)
    if bins:
        axes.plot([part.mean_p for part in bins], [part.share_fake for part in bins], color=BRANCH_COLOURS["fusion"])
        axes.scatter(
            [part.mean_p for part in bins],
            [part.share_fake for part in bins],
            s=[8 + 4 * part.count for part in bins],
            color=BRANCH_COLOURS["fusion"],
            label=f"ECE {metrics.ece(labels, p_fake):.3f}, {len(labels)} files",
        )
    _finish(figure, axes, path)


def plot_scores(labels: Sequence[int], p_fake: Sequence[float], path: Path) -> None:
    """Draws how the probabilities of real and fake files spread."""
    figure, axes = _square("stated probability of fake", "files")
    truth, p = np.asarray(labels), np.asarray(p_fake, np.float64)
    edges = [step / 20 for step in range(21)]
    parts = [p[truth == 0], p[truth == 1]]
    names = [f"{name} ({len(part)})" for name, part in zip(("real", "fake"), parts, strict=True)]
    axes.hist(parts, edges, color=[REAL_COLOUR, FAKE_COLOUR], label=names)
    _finish(figure, axes, path)


def plot_risk(curves: Mapping[str, tuple[Sequence[int], Sequence[float]]], path: Path) -> None:
    """Draws one risk-coverage curve per name: the error rate when only the surest share of the files is answered."""
    figure, axes = _square("share of files answered, the surest first", "share of these that is wrong")
    for name, (labels, p_fake) in curves.items():
        coverage, risk = metrics.risk_coverage(labels, p_fake)
        if len(risk):
            label = f"{name}, area {metrics.aurc(labels, p_fake):.3f}"
            axes.plot(coverage, risk, color=BRANCH_COLOURS.get(name), label=label)
    axes.set_ylim(0, None)
    _finish(figure, axes, path)


def plot_states(strips: Sequence[Strip], path: Path) -> None:
    """Draws the states over time, one strip per stream, with its marks as black lines."""
    figure = Figure(figsize=(10, 1.2 + 0.28 * max(len(strips), 1)), layout="constrained")
    axes = figure.subplots()
    for row, strip in enumerate(strips):
        for start_s, end_s, state in strip.segments:
            axes.barh(row, end_s - start_s, left=start_s, height=0.8, color=STATE_COLOURS[state])
        axes.vlines(strip.marks_s, row - 0.45, row + 0.45, color="black", linewidth=1.5)
    axes.set_yticks(range(len(strips)), [strip.label for strip in strips], fontsize=7)
    axes.set_ylim(max(len(strips), 1) - 0.5, -0.5)
    axes.set_xlabel("seconds of the stream")
    axes.spines[["top", "right"]].set_visible(False)
    handles = [Patch(color=colour, label=state.replace("_", " ")) for state, colour in STATE_COLOURS.items()]
    axes.legend(handles=handles, ncols=len(handles), frameon=False, loc="lower left", bbox_to_anchor=(0, 1), fontsize=8)
    figure.savefig(path, dpi=120)


def plot_grid(
    rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float | None]], path: Path
) -> None:
    """Draws figures of 0..1 (AUCs) as a heat map, (rows, columns); None stays grey."""
    figure = Figure(figsize=(2.4 + 1.1 * len(columns), 1.4 + 0.36 * len(rows)), layout="constrained")
    axes = figure.subplots()
    cells = np.array([[np.nan if cell is None else cell for cell in row] for row in values], np.float64)
    axes.set_facecolor("#dddddd")
    axes.imshow(cells.reshape(len(rows), len(columns)), cmap="RdYlGn", vmin=0.4, vmax=1.0, aspect="auto")
    for (row, column), cell in np.ndenumerate(cells.reshape(len(rows), len(columns))):
        axes.text(column, row, "-" if np.isnan(cell) else f"{cell:.2f}", ha="center", va="center", fontsize=8)
    axes.set_xticks(range(len(columns)), columns, rotation=30, ha="right", fontsize=8)
    axes.set_yticks(range(len(rows)), rows, fontsize=8)
    figure.savefig(path, dpi=120)


def _square(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.set_xlim(0, 1)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _finish(figure: Figure, axes: Axes, path: Path) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)
    figure.savefig(path, dpi=120)
