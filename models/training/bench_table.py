"""The bench's table: one row per run, the best first, as Markdown and as JSON."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unmask.models.training.bench import State

ABOUT = """Area under the ROC curve; 0.5 is chance. `pairs` is the mean over the forgery families, each on the same
pairs of held-out people; a family in [brackets] was left out of that run's training. `pooled` is over all labelled
videos at once, `within` the mean over data sets of the figure inside each: the difference between the two is how much
the scores shift between sources. Rows differ by chance too: with few files, small differences mean nothing."""


def write_results(states: Iterable["State"], out: Path) -> None:
    """Write `results.md` and `results.json`; runs without figures stand last."""
    rows = sorted(states, key=_rank)
    listed = [
        {"name": s.name, "status": s.status, "step": s.step, "steps": s.steps, "error": s.error, "figures": s.figures}
        for s in rows
    ]
    _replace(out / "results.json", json.dumps(listed, indent=1) + "\n")
    _replace(out / "results.md", f"# Results\n\n{results_table(rows)}\n\n{ABOUT}\n")


def results_table(states: list["State"]) -> str:
    """A Markdown table of the runs, in the order given."""
    judged = [s.figures for s in states if s.figures]
    families = list(dict.fromkeys(name for f in judged for name in f["pairs"] if name != "mean"))
    labelled = [f["labelled"] for f in judged if f["labelled"]]
    datasets = list(dict.fromkeys(name for found in labelled for name in found["datasets"]))
    header = ["run", *(["pooled", "within"] if labelled else []), *datasets, "pairs", *families, "state"]
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for state in states:
        cells = [state.name, *_cells(state.figures, families, datasets, bool(labelled)), _told(state)]
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return "\n".join(lines)


def _cells(figures: Mapping[str, Any] | None, families: list[str], datasets: list[str], labelled: bool) -> list[str]:
    figures = figures or {"pairs": {}, "labelled": None, "left_out": ""}
    found = figures["labelled"] or {"datasets": {}}
    cells = [_figure(found.get("pooled")), _figure(found.get("within"))] if labelled else []
    cells += [_figure(found["datasets"].get(name, {}).get("auc")) for name in datasets]
    cells.append(_figure(figures["pairs"].get("mean")))
    for name in families:
        cell = _figure(figures["pairs"].get(name))
        cells.append(f"[{cell}]" if name == figures["left_out"] else cell)
    return cells


def _told(state: "State") -> str:
    if state.status == "failed":
        return f"failed: {state.error}"
    return state.status if state.status != "running" else f"step {state.step} of {state.steps}"


def _rank(state: "State") -> tuple[int, float]:
    if not state.figures:
        return (1, 0.0)
    found = state.figures["labelled"] or {}
    value = found.get("pooled")
    value = state.figures["pairs"]["mean"] if value is None else value
    return (0, -(value or 0.0))


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(text, "utf-8")
    partial.replace(path)
