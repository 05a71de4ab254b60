"""`unmask evaluate`: every file of a labelled set through the analysis, then figures, plots and a report."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from unmask.models.engine import Engine
from unmask.pipeline.analysis import analyze, method_name
from unmask.pipeline.errors import InputError, UnreadableFile
from unmask.pipeline.fusion import rule_name
from unmask.stream.evaluate_report import table, write_report
from unmask.stream.figures import evaluation, headline_files
from unmask.stream.labels import LabelledFile, read_labels, spread
from unmask.stream.progress import bar
from unmask.stream.scores import BRANCHES, Scored, ScoreFile, run_key
from unmask.stream.source_file import read_file
from unmask.stream.writing import writing


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """What the command line asked for; `fresh` ignores stored scores."""

    labels: Path
    out: Path
    method: str = "fusion"
    device: str = "auto"
    weights_dir: Path | None = None
    json_object: bool = False
    limit: int | None = None
    fresh: bool = False
    fusion: str = "default"


def run_evaluate(request: EvaluateRequest) -> int:
    """Evaluates and gives back the exit code.

    Raises:
        UsageError: the labels or the output folder make no sense.
        InputError: not one file could be read.
        WeightsError, DeviceError: there is nothing to analyse with.
    """
    rows = spread(read_labels(request.labels), request.limit)
    method = method_name(request.method)
    rule_name(request.fusion)
    with writing(request.out):
        request.out.mkdir(parents=True, exist_ok=True)
    engine = Engine.open(request.device, request.weights_dir)
    try:
        scored = _score_all(rows, engine, method, request)
    finally:
        engine.close()
    if all(one.error for one in scored):
        raise InputError(f"none of the {len(scored)} files could be read; paths are relative to the labels file")
    figures = {**evaluation(scored, method), "weights": dict(engine.weights_sha256)}
    with writing(request.out / "metrics.json"):
        (request.out / "metrics.json").write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    _draw(scored, request.out, method)
    write_report(figures, scored, request.out)
    typer.echo(json.dumps(figures) if request.json_object else table(figures, request.out))
    return 0


def _score_all(rows: list[LabelledFile], engine: Engine, method: str, request: EvaluateRequest) -> list[Scored]:
    """One result per row, in the order of the rows; what scores.csv holds already is not computed again."""
    store = ScoreFile(request.out / "scores.csv", run_key(engine, f"{method} {rule_name(request.fusion)}"))
    found = {} if request.fresh else store.read(rows)
    if found:
        typer.echo(f"{len(found)} of {len(rows)} files taken from {store.path} (--fresh scores them again)", err=True)
    store.start(found.values())
    with bar("evaluating", len(rows), counted=True) as progress:
        for row in rows:
            if row.path not in found:
                found[row.path] = _score(row, engine, method, request.fusion)
                store.add(found[row.path])
            progress.at(len(found))
    scored = [found[row.path] for row in rows]
    store.start(scored)
    return scored


def _score(row: LabelledFile, engine: Engine, method: str, fusion: str) -> Scored:
    """One file's result; a file that cannot be read has an error and no score."""
    try:
        with read_file(row.file, row.path) as frames:
            found = analyze(frames, engine, file=row.path, method=method, fusion=fusion).to_json()
    except UnreadableFile as error:
        typer.echo(f"error: {error}", err=True)
        return Scored(row, {}, error=str(error))
    return scored_from(row, found)


def scored_from(row: LabelledFile, found: dict[str, Any]) -> Scored:
    """The scores in one object of `unmask analyze --json`."""
    p = {name: found["branches"][name]["p_fake"] for name in BRANCHES if name in found["branches"]}
    if found["p_fake"] is not None:
        p["p_fake"] = found["p_fake"]
    known = {name: float(value) for name, value in p.items() if value is not None}
    return Scored(row, known, found["verdict"], found["frames"]["with_face"])


def _draw(scored: list[Scored], out: Path, method: str) -> None:
    """Writes roc.png, reliability.png and scores.png of the headline's files, where matplotlib is installed."""
    try:
        from unmask.models.training import plots
    except ModuleNotFoundError as error:
        typer.echo(f"no plots: {error.name} is not installed (pip install 'unmask[train]')", err=True)
        return
    _, chosen = headline_files(scored)
    keys = {method: "p_fake", **{name: name for name in BRANCHES if name != method}}
    answered = {name: [one for one in chosen if key in one.p] for name, key in keys.items()}
    curves = {
        name: ([int(one.row.fake) for one in ones], [one.p[keys[name]] for one in ones])
        for name, ones in answered.items()
    }
    with writing(out):
        plots.plot_roc(curves, out / "roc.png")
        plots.plot_reliability(*curves[method], out / "reliability.png")
        plots.plot_scores(*curves[method], out / "scores.png")
