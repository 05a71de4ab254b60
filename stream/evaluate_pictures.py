"""The plots of an evaluation, where matplotlib is installed."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import typer

from unmask.stream.evaluate_sections import GRID_PLOT, grid_values
from unmask.stream.figures import headline_files
from unmask.stream.scores import BRANCHES, Scored
from unmask.stream.writing import writing

MOST_STRIPS = 60


def draw_files(scored: Sequence[Scored], out: Path, method: str) -> None:
    """Writes roc.png, reliability.png, scores.png and risk.png of the headline's files."""
    _, chosen = headline_files(scored)
    keys = {method: "p_fake", **{name: name for name in BRANCHES if name != method}}
    answered = {name: [one for one in chosen if key in one.p] for name, key in keys.items()}
    curves = {
        name: ([int(one.row.fake) for one in ones], [one.p[keys[name]] for one in ones])
        for name, ones in answered.items()
    }

    def draw(plots: Any) -> None:
        plots.plot_roc(curves, out / "roc.png")
        plots.plot_reliability(*curves[method], out / "reliability.png")
        plots.plot_scores(*curves[method], out / "scores.png")
        plots.plot_risk(curves, out / "risk.png")

    _drawn(draw, out)


def draw_streams(figures: Mapping[str, Any], out: Path) -> None:
    """Writes streams.png (genuine clips, those with alarms first) and swaps.png (spliced streams)."""
    clips = sorted(
        figures["clips"], key=lambda clip: [-len(clip["alarms"][level]) for level in ("manipulated", "suspicious")]
    )

    def draw(plots: Any) -> None:
        for name, streams in (("streams.png", clips), ("swaps.png", figures["pairs"])):
            strips = [
                plots.Strip(
                    Path(one["path"]).stem[-40:],
                    [tuple(part) for part in one["segments"]],
                    [one[key] for key in ("swap_s", "swap_end_s") if key in one],
                )
                for one in streams[:MOST_STRIPS]
            ]
            (out / name).unlink(missing_ok=True)
            if strips:
                plots.plot_states(strips, out / name)

    _drawn(draw, out)


def draw_robustness(figures: Mapping[str, Any], out: Path) -> None:
    """Writes the heat map of AUCs; none where one of the two classes is missing."""
    rows, columns, values = grid_values(figures)
    (out / GRID_PLOT).unlink(missing_ok=True)
    if columns:
        _drawn(lambda plots: plots.plot_grid(rows, columns, values, out / GRID_PLOT), out)


def _drawn(draw: Callable[[ModuleType], None], out: Path) -> None:
    try:
        from unmask.models.training import plots
    except ModuleNotFoundError as error:
        typer.echo(f"no plots: {error.name} is not installed (pip install 'unmask[train]')", err=True)
        return
    with writing(out):
        draw(plots)
