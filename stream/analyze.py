"""`unmask analyze`: whole files, one after the other, as text, JSON and an HTML report."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from unmask.models.engine import Engine
from unmask.pipeline.analysis import Analysis, analyze, method_name
from unmask.pipeline.errors import InputError, UnreadableFile, UsageError
from unmask.pipeline.fusion import rule_name
from unmask.stream.progress import bar
from unmask.stream.report import write_report
from unmask.stream.source_file import read_file
from unmask.stream.words import probability, sentence

COLOURS = {"authentic": "green", "suspicious": "yellow", "manipulated": "red"}


@dataclass(frozen=True, slots=True)
class AnalyzeRequest:
    """What the command line asked for."""

    files: tuple[str, ...]
    method: str = "fusion"
    device: str = "auto"
    weights_dir: Path | None = None
    json_lines: bool = False
    report: Path | None = None
    fusion: str = "default"


def run_analyze(request: AnalyzeRequest) -> int:
    """Judges every file, prints as it goes, and gives back the exit code: 0, or 3 when a file could not be read.

    Raises:
        UsageError: the method or the report's path makes no sense.
        WeightsError, DeviceError: there is nothing to analyse with.
    """
    method, fusion = method_name(request.method), rule_name(request.fusion)
    _check_report(request)
    analyses: list[Analysis] = []
    with _LazyEngine(request) as engine:
        for file in request.files:
            try:
                analysis = analyze_file(Path(file), engine, method, fusion)
            except UnreadableFile as error:
                typer.echo(f"error: {error}", err=True)
                if request.json_lines:
                    typer.echo(json.dumps({"schema": 1, "file": file, "error": str(error)}))
                continue
            analyses.append(analysis)
            typer.echo(json.dumps(analysis.to_json()) if request.json_lines else text(analysis))
    if request.report and analyses:
        write_report(analyses, request.report)
        typer.echo(f"report: {request.report}", err=True)
    return 0 if len(analyses) == len(request.files) else InputError.exit_code


def analyze_file(path: Path, engine: "_LazyEngine", method: str, fusion: str = "default") -> Analysis:
    """Judges one file, with a progress bar on a terminal.

    Raises:
        UnreadableFile: it is missing, empty, a directory, or neither a video nor an image.
    """
    with read_file(path, path.name) as frames, bar(path.name, frames.duration_s or None) as progress:
        return analyze(frames, engine.get(), file=str(path), method=method, fusion=fusion, progress=progress.at)


def text(analysis: Analysis) -> str:
    """One analysis for people."""
    found: dict[str, Any] = analysis.to_json()
    verdict = typer.style(found["verdict"].upper(), fg=COLOURS.get(found["verdict"]), bold=True)
    lines = [
        f"{found['file']}: {verdict}  p_fake {probability(found['p_fake'])}",
        f"  {sentence(found['verdict'], found['reasons'])}",
    ]
    if found["branches"]:
        lines.append(f"  {'branch':10}{'p_fake':>8}{'confidence':>12}{'weight':>8}")
        lines += [
            f"  {name:10}{probability(part['p_fake']):>8}{part['confidence']:>12.2f}{part['weight']:>8.2f}"
            for name, part in found["branches"].items()
        ]
    lines += [
        f"  face {track['track']}: {track['verdict']}, p_fake {probability(track['p_fake'])}, "
        f"{track['first_s']:.1f} s to {track['last_s']:.1f} s"
        for track in found["tracks"]
    ]
    frames, seconds = found["frames"], found["seconds"]
    lines.append(
        f"  {frames['decoded']} frames, {frames['analyzed']} looked at, {frames['with_face']} with a face; "
        f"{seconds['video']:.1f} s of video in {seconds['wall']:.1f} s"
    )
    return "\n".join(lines)


class _LazyEngine:
    """Opens the engine at the first file that can be read, so that a wrong path is answered at once."""

    def __init__(self, request: AnalyzeRequest) -> None:
        self._request = request
        self._engine: Engine | None = None

    def __enter__(self) -> "_LazyEngine":
        return self

    def __exit__(self, *_: object) -> None:
        if self._engine is not None:
            self._engine.close()

    def get(self) -> Engine:
        """The engine.

        Raises:
            WeightsError, DeviceError: it cannot be opened.
        """
        if self._engine is None:
            self._engine = Engine.open(self._request.device, self._request.weights_dir)
        return self._engine


def _check_report(request: AnalyzeRequest) -> None:
    """Refuses a report that could not be written, or that would overwrite an input, before any work is done."""
    report = request.report
    if report is None:
        return
    if report.is_dir() or not report.absolute().parent.is_dir():
        raise UsageError(f"cannot write the report to {report}: not a file in an existing folder")
    if report.exists() and any(Path(file).exists() and report.samefile(file) for file in request.files):
        raise UsageError(f"the report {report} would overwrite one of the files to analyse")
