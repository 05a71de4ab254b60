"""The HTML report of `unmask analyze --report`: one file, no script, nothing loaded from anywhere."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

from unmask.pipeline.analysis import Analysis
from unmask.stream.html import page
from unmask.stream.report_pictures import keyframe_figure, timeline_svg
from unmask.stream.words import probability, sentence
from unmask.stream.writing import writing

CAVEATS = (
    "A verdict is a statistical finding, not proof. Do not decide about a person on it alone.",
    "No sign found does not mean genuine: ways of forging that the networks have not met can pass.",
    "Genuine video can be called suspicious: heavy compression, filters, make-up and poor light weaken every method.",
    "Only faces are judged; voice, text and backgrounds are not.",
    "The red of a map shows where the MRI branch sees traces of touching: an indication, not a mask of a forgery.",
)
LEGEND = (
    "Thick: all methods together, rolling. Thin: single looks; dotted spatial, short dashes MRI, long dashes temporal."
)


def write_report(analyses: Sequence[Analysis], path: Path) -> None:
    """Writes the report of these files.

    Raises:
        UsageError: it cannot be written.
    """
    with writing(path):
        path.write_text(report_html(analyses), "utf-8")


def report_html(analyses: Sequence[Analysis]) -> str:
    """The report as one page."""
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    caveats = "".join(f"<li>{escape(caveat)}</li>" for caveat in CAVEATS)
    body = (
        "<h1>Face authenticity report</h1>"
        f'<p class="note">Made {made} by unmask {escape(version("unmask"))} where unmask runs; nothing was sent on.</p>'
        + "".join(_section(analysis) for analysis in analyses)
        + f"<h2>What this can and cannot say</h2><ul>{caveats}</ul>"
    )
    return page("unmask report", body)


def _section(analysis: Analysis) -> str:
    found: dict[str, Any] = analysis.to_json()
    verdict = escape(found["verdict"])
    return (
        f"<section><h2>{escape(found['file'])}</h2>"
        f'<p><span class="verdict {verdict}">{verdict}</span> p_fake {probability(found["p_fake"])}<br>'
        f"{escape(sentence(found['verdict'], found['reasons']))}</p>"
        + (
            f'<h3>Over time</h3>{timeline_svg(analysis.timeline)}<p class="note">{LEGEND}</p>'
            if analysis.timeline
            else ""
        )
        + _branches(found["branches"])
        + _tracks(found["tracks"])
        + _keyframes(analysis)
        + _facts(found)
        + "</section>"
    )


def _branches(branches: dict[str, dict[str, Any]]) -> str:
    rows = [
        (name, probability(part["p_fake"]), f"{part['confidence']:.2f}", f"{part['weight']:.2f}")
        for name, part in branches.items()
    ]
    return _table("Methods", ("method", "p_fake", "confidence", "weight"), rows)


def _tracks(tracks: Sequence[dict[str, Any]]) -> str:
    rows = [
        (
            str(track["track"]),
            str(track["verdict"]),
            probability(track["p_fake"]),
            f"{track['first_s']:.2f} s",
            f"{track['last_s']:.2f} s",
        )
        for track in tracks
    ]
    return _table("Faces", ("face", "verdict", "p_fake", "first seen", "last seen"), rows)


def _keyframes(analysis: Analysis) -> str:
    if not analysis.keyframes:
        return ""
    return "<h3>Frames that decided</h3>" + "".join(keyframe_figure(keyframe) for keyframe in analysis.keyframes)


def _facts(found: dict[str, Any]) -> str:
    frames, seconds, weights = found["frames"], found["seconds"], found["weights"]
    rows = [
        ("method", str(found["method"])),
        ("frames", f"{frames['decoded']} decoded, {frames['analyzed']} looked at, {frames['with_face']} with a face"),
        ("time", f"{seconds['video']:.1f} s of video, judged in {seconds['wall']:.1f} s"),
        *((f"weights: {name}", str(sha256)) for name, sha256 in weights.items()),
    ]
    return _table("Facts", ("what", "value"), rows)


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    cells = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<h3>{title}</h3><table><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr>{cells}</table>"
