"""What people read after an evaluation: a table for the terminal and report.html, made of what the folder holds."""

import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from unmask.stream.evaluate_cells import figure, html_table, notes, ranged, share, text_table, value
from unmask.stream.evaluate_examples import read_index
from unmask.stream.evaluate_sections import (
    ablation_section,
    examples_section,
    gain_sentence,
    robustness_section,
    robustness_text,
    streams_section,
    streams_text,
)
from unmask.stream.html import page
from unmask.stream.writing import writing

NAMES = ("fusion", "spatial", "mri", "temporal")
PLOTS = {
    "roc.png": "How many fakes are found at what price in false alarms",
    "reliability.png": "Whether a stated probability means what it says",
    "scores.png": "How the probabilities of real and fake files spread",
    "risk.png": "How often the surest answers are wrong, when the others are left open",
}
METRICS, STREAMS, ROBUSTNESS = "metrics.json", "streams.json", "robustness.json"
WRITTEN = ("report.html", METRICS, "scores.csv", STREAMS, ROBUSTNESS, *PLOTS)
NOTES = (
    "Intervals are 95 %, from drawing whole groups (people, scenes) again; with few groups they are wide.",
    "Coverage is the share of files with a probability; files without one are in no other figure.",
    "ECE (expected calibration error) is over equal-mass bins of at least 12 files. Probabilities are stated for even "
    "odds of real and fake; ECE at even odds weighs both classes alike. By chance even perfect probabilities would "
    "have the ECE that stands beside it: a figure below that says that nothing worse can be seen with so few files.",
    "A set is not the world: figures on one say little about forgeries made in ways that it does not hold.",
)


def text(found: dict[str, dict[str, Any]], out: Path) -> str:
    """The parts that were evaluated (by file name) as lines for a terminal."""
    lines: list[str] = []
    if METRICS in found:
        lines += [*_files_text(found[METRICS]), ""]
    if ROBUSTNESS in found:
        lines += [*robustness_text(found[ROBUSTNESS]), ""]
    if STREAMS in found:
        lines += [*streams_text(found[STREAMS]), ""]
    written = [name for name in WRITTEN if (out / name).is_file()]
    return "\n".join([*lines, f"In {out}: {', '.join(written)}"])


def write_report(out: Path) -> None:
    """Writes report.html from every part whose figures are in the folder, with all pictures inside.

    Raises:
        UsageError: it cannot be written.
    """
    parts = {name: found for name in (METRICS, STREAMS, ROBUSTNESS) if (found := _read(out / name)) is not None}
    body = "<h1>Evaluation</h1>" + _weights_note(parts)
    if METRICS in parts:
        body += _files_section(parts[METRICS], out)
        body += ablation_section(parts[METRICS]["ablation"]) + examples_section(read_index(out), out)
    if STREAMS in parts:
        body += streams_section(parts[STREAMS], out)
    if ROBUSTNESS in parts:
        body += robustness_section(parts[ROBUSTNESS], out)
    with writing(out / "report.html"):
        (out / "report.html").write_text(page("unmask evaluation", body), "utf-8")


def _read(path: Path) -> dict[str, Any] | None:
    """The figures of a part; None when they are not there or from another version."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(found, dict) and ("ablation" in found or path.name != METRICS)
    return found if known else None


def _weights_note(parts: dict[str, dict[str, Any]]) -> str:
    """Which weights were measured, and a warning where the parts were measured with different ones."""
    seen = {name: part["weights"] for name, part in parts.items()}
    if len({json.dumps(weights, sort_keys=True) for weights in seen.values()}) > 1:
        lines = (f"{name}: {', '.join(f'{b} {h[:8]}' for b, h in sorted(w.items()))}" for name, w in seen.items())
        return notes(["The parts of this page were measured with different weights; run them again.", *lines])
    weights: dict[str, str] = next(iter(seen.values()), {})
    return notes([f"Weights: {', '.join(f'{branch} {sha256[:12]}' for branch, sha256 in sorted(weights.items()))}."])


def _files_section(figures: dict[str, Any], out: Path) -> str:
    head = ("AUC", "files", "coverage", *NAMES)
    rows = [
        (label, str(part["n"]), share(part["coverage"]), *(_auc(part, name) for name in NAMES))
        for label, part in _slices(figures)
    ]
    pictures = "".join(figure(out / name, caption, 460) for name, caption in PLOTS.items())
    failed = figures["errors"]
    return (
        f"<p>{figures['n']} files, coverage {share(figures['coverage'])}; "
        f"the headline is over {escape(figures['headline']['over'])}.</p>"
        + html_table(head, rows)
        + html_table(*_others(figures))
        + pictures
        + (f"<h2>Files that could not be read</h2>{notes(failed)}" if failed else "")
        + f"<h2>How to read this</h2>{notes(NOTES)}"
    )


def _files_text(figures: dict[str, Any]) -> list[str]:
    head = figures["headline"]
    columns = ("AUC", "files", "cover", *NAMES)
    rows = [
        (label[:41], str(part["n"]), share(part["coverage"]), *(_auc(part, name) for name in NAMES))
        for label, part in _slices(figures)
    ]
    return [
        f"{figures['n']} files, coverage {share(figures['coverage'])}; "
        f"headline over {head['over']} ({head['n']} files, {head['n_groups']} groups):",
        f"  EER {value(figures['eer'])}   ECE {value(figures['ece'])}, at even odds {value(figures['ece_even_odds'])} "
        f"(by chance {value(figures['ece_by_chance'])})   Brier {value(figures['brier'])}   "
        + "   ".join(f"TPR at {float(fpr):.0%} FPR {value(tpr)}" for fpr, tpr in figures["tpr_at_fpr"].items()),
        *gain_sentence(figures["ablation"]["gain"]),
        "",
        *text_table(columns, rows),
    ]


def _others(figures: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Head and rows: the figures of the asked-for method beside its AUC."""
    head = (
        f"{figures['method']}", "EER", "TPR at 1% FPR", "TPR at 5% FPR", "ECE", "ECE at even odds", "by chance",
        "Brier", "risk-coverage area",
    )  # fmt: skip
    rows = [
        (
            label,
            ranged(part["eer"], part["ci95"]["eer"]),
            *(ranged(part["tpr_at_fpr"][fpr], part["ci95"][f"tpr_at_fpr_{fpr}"]) for fpr in ("0.01", "0.05")),
            *(ranged(part[key], part["ci95"][key]) for key in ("ece", "ece_even_odds")),
            value(part["ece_by_chance"]),
            ranged(part["brier"], part["ci95"]["brier"]),
            value(part["aurc"]),
        )
        for label, part in _slices(figures)
    ]
    return head, rows


def _slices(figures: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    head = figures["headline"]
    yield f"headline ({head['over']})", {**figures, "n": head["n"], "coverage": head["coverage"]}
    for prefix in ("kind", "method", "dataset", "quality"):
        for name, part in figures[f"by_{prefix}"].items():
            yield f"{prefix}: {name}", part


def _auc(part: dict[str, Any], name: str) -> str:
    return ranged(part["auc"][name], part["auc_ci95"][name])
