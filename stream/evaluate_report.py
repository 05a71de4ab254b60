"""What people read after an evaluation: a table for the terminal and report.html."""

import base64
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from unmask.stream.html import page
from unmask.stream.scores import Scored
from unmask.stream.writing import writing

NAMES = ("fusion", "spatial", "mri", "temporal")
PLOTS = {
    "roc.png": "How many fakes are found at what price in false alarms",
    "reliability.png": "Whether a stated probability means what it says",
    "scores.png": "How the probabilities of real and fake files spread",
}
NOTES = (
    "Intervals are 95 %, from drawing whole groups (people, scenes) again 1000 times; with few groups they are wide.",
    "Coverage is the share of files with a probability; files without one are in no other figure.",
    "A set is not the world: figures on one say little about forgeries made in ways that it does not hold.",
)


def table(figures: dict[str, Any], out: Path) -> str:
    """The figures as lines for a terminal."""
    head = figures["headline"]
    lines = [
        f"{figures['n']} files, coverage {_share(figures['coverage'])}; "
        f"headline over {head['over']} ({head['n']} files, {head['n_groups']} groups):",
        f"  EER {_value(figures['eer'])}   ECE {_value(figures['ece'])}   Brier {_value(figures['brier'])}   "
        + "   ".join(f"TPR at {float(fpr):.0%} FPR {_value(tpr)}" for fpr, tpr in figures["tpr_at_fpr"].items()),
        "",
        f"{'AUC':42}{'files':>6}{'cover':>7}  " + "".join(f"{name:21}" for name in NAMES).rstrip(),
    ]
    for label, part in _slices(figures):
        cells = "".join(f"{_auc(part, name):21}" for name in NAMES)
        lines.append(f"{label[:41]:42}{part['n']:>6}{_share(part['coverage']):>7}  {cells}".rstrip())
    written = [name for name in ("report.html", "metrics.json", "scores.csv", *PLOTS) if (out / name).is_file()]
    return "\n".join([*lines, "", f"In {out}: {', '.join(written)}"])


def write_report(figures: dict[str, Any], scored: Sequence[Scored], out: Path) -> None:
    """Writes report.html with its plots inside.

    Raises:
        UsageError: it cannot be written.
    """
    head = "".join(f"<th>{escape(name)}</th>" for name in ("AUC", "files", "coverage", *NAMES))
    rows = "".join(
        f"<tr><td>{escape(label)}</td><td>{part['n']}</td><td>{_share(part['coverage'])}</td>"
        + "".join(f"<td>{_auc(part, name)}</td>" for name in NAMES)
        + "</tr>"
        for label, part in _slices(figures)
    )
    single = "".join(
        f"<tr><td>{escape(name)}</td><td>{_value(value)}</td></tr>"
        for name, value in (
            ("EER", figures["eer"]),
            ("ECE", figures["ece"]),
            ("Brier", figures["brier"]),
            *((f"TPR at {float(fpr):.0%} FPR", tpr) for fpr, tpr in figures["tpr_at_fpr"].items()),
        )
    )
    failed = [one for one in scored if one.error]
    errors = "".join(f"<li>{escape(one.error)}</li>" for one in failed)
    body = (
        f"<h1>Evaluation</h1><p>{figures['n']} files, coverage {_share(figures['coverage'])}; "
        f"the headline is over {escape(figures['headline']['over'])}.</p>"
        f"<table><tr>{head}</tr>{rows}</table><table>{single}</table>"
        + "".join(_plots(out))
        + (f"<h2>Files that could not be read</h2><ul>{errors}</ul>" if failed else "")
        + "<h2>How to read this</h2><ul>"
        + "".join(f"<li>{escape(note)}</li>" for note in NOTES)
        + "</ul>"
    )
    with writing(out / "report.html"):
        (out / "report.html").write_text(page("unmask evaluation", body), "utf-8")


def _plots(out: Path) -> Iterator[str]:
    for name, caption in PLOTS.items():
        if (out / name).is_file():
            data = base64.b64encode((out / name).read_bytes()).decode("ascii")
            yield (
                f'<figure><img alt="{escape(caption)}" width="480" src="data:image/png;base64,{data}">'
                f"<figcaption>{escape(caption)}</figcaption></figure>"
            )


def _slices(figures: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    head = figures["headline"]
    yield f"headline ({head['over']})", {**figures, "n": head["n"], "coverage": head["coverage"]}
    for prefix in ("kind", "method", "dataset"):
        for name, part in figures[f"by_{prefix}"].items():
            yield f"{prefix}: {name}", part


def _auc(part: dict[str, Any], name: str) -> str:
    interval = part["auc_ci95"][name]
    value = _value(part["auc"][name])
    return f"{value} [{interval[0]:.2f}, {interval[1]:.2f}]" if interval else value


def _value(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"
