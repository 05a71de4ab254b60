"""Pictures of an evaluation: ROC, reliability and scores, drawn by matplotlib without a display."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unmask.models.training import metrics

REAL_COLOUR, FAKE_COLOUR = "#1b7f5c", "#c1352b"
BRANCH_COLOURS = {"fusion": "#1f2430", "spatial": "#2b6cb0", "mri": "#b7791f", "temporal": "#805ad5"}


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
