"""`unmask evaluate`: labelled files and streams through the detector, then figures, plots and a report."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from unmask.models.engine import Engine
from unmask.models.store import Calibration
from unmask.pipeline.analysis import Analysis, analyze, method_name
from unmask.pipeline.detector import Detector
from unmask.pipeline.errors import InputError, UnreadableFile, UsageError
from unmask.pipeline.fusion import rule_name
from unmask.pipeline.ladder import Ladder
from unmask.pipeline.types import Frame
from unmask.stream import evaluate_robustness, evaluate_streams
from unmask.stream.evaluate_ablation import ablation
from unmask.stream.evaluate_conditions import conditions
from unmask.stream.evaluate_examples import write_examples
from unmask.stream.evaluate_journal import Journal
from unmask.stream.evaluate_pictures import draw_files, draw_robustness, draw_streams
from unmask.stream.evaluate_report import METRICS, ROBUSTNESS, STREAMS, text, write_report
from unmask.stream.figures import SCHEMA, evaluation, headline_files
from unmask.stream.labels import LabelledFile, read_labels, spread
from unmask.stream.progress import bar
from unmask.stream.scores import Scored, ScoreFile, run_key
from unmask.stream.source_file import read_file
from unmask.stream.writing import writing


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """What the command line asked for.

    Attributes:
        labels: files to score; with `robustness`, to score under every condition instead.
        streams: a labels file or a folder of genuine clips, to play as live streams.
        fresh: ignore stored scores.
        rung: of overload, with which `labels` are scored.
    """

    labels: Path | None
    out: Path
    method: str = "fusion"
    device: str = "auto"
    weights_dir: Path | None = None
    json_object: bool = False
    limit: int | None = None
    fresh: bool = False
    fusion: str = "default"
    streams: Path | None = None
    robustness: bool = False
    rung: int = 0


def run_evaluate(request: EvaluateRequest) -> int:
    """Evaluates and gives back the exit code.

    Raises:
        UsageError: the labels, the options or the output folder make no sense.
        InputError: not one file could be read.
        WeightsError, DeviceError: there is nothing to analyse with.
    """
    if request.labels is None and (request.robustness or request.streams is None):
        raise UsageError("name the files to score with --labels LABELS.CSV, or clips to play with --streams PATH")
    rows = read_labels(request.labels) if request.labels else []
    stream_rows = evaluate_streams.stream_rows(request.streams) if request.streams else []
    method_name(request.method)
    rule_name(request.fusion)
    Ladder(fixed=request.rung)
    if request.rung and (request.robustness or request.streams):
        raise UsageError("--rung goes with --labels alone")
    with writing(request.out):
        request.out.mkdir(parents=True, exist_ok=True)
    found: dict[str, dict[str, Any]] = {}
    with Engine.open(request.device, request.weights_dir) as engine:
        bench = _Bench(engine, request)
        if rows and not request.robustness:
            found[METRICS] = bench.files(spread(rows, request.limit))
        if rows and request.robustness:
            found[ROBUSTNESS] = bench.robustness(spread(rows, request.limit))
        if stream_rows:
            found[STREAMS] = bench.streams(stream_rows)
    write_report(request.out)
    typer.echo(json.dumps(_object(found)) if request.json_object else text(found, request.out))
    return 0


class _Bench:
    """The parts of an evaluation, on one engine; each gives back its figures and writes its files."""

    def __init__(self, engine: Engine, request: EvaluateRequest) -> None:
        self._engine = engine
        self._out = request.out
        self._request = request
        self._method = method_name(request.method)
        self._rule = rule_name(request.fusion)

    def files(self, rows: list[LabelledFile]) -> dict[str, Any]:
        """Every file as it is: metrics.json, scores.csv, plots and examples."""
        scored = self._score_all(rows)
        if all(one.error for one in scored):
            raise InputError(f"none of the {len(scored)} files could be read; paths are relative to the labels file")
        figures = {
            **evaluation(scored, self._method),
            "rung": self._request.rung,
            "ablation": ablation(scored, self._engine.calibration),
            "errors": [one.error for one in scored if one.error],
        }
        draw_files(scored, self._out, self._method)
        _, chosen = headline_files(scored)
        write_examples(chosen, lambda one: self._reanalysed(one.row), self._out, self._key())
        return self._written(METRICS, figures)

    def robustness(self, rows: list[LabelledFile]) -> dict[str, Any]:
        """Every video under every condition: robustness.json and its heat map."""
        journal = Journal(self._out / "robustness.jsonl", self._key(*evaluate_robustness.MODULES), self._request.fresh)
        bench = evaluate_robustness.Bench(self._scored, self._engine, journal)
        figures = evaluate_robustness.run_robustness(rows, conditions(), bench, self._method)
        draw_robustness(figures, self._out)
        return self._written(ROBUSTNESS, figures)

    def streams(self, rows: list[LabelledFile]) -> dict[str, Any]:
        """Clips through the live path: streams.json and the strips of states."""
        journal = Journal(self._out / "streams.jsonl", self._key(*evaluate_streams.MODULES), self._request.fresh)

        def detector(name: str) -> Detector:
            return Detector(self._engine, name, self._method, self._rule)

        figures = evaluate_streams.run_streams(rows, detector, journal, self._request.limit)
        draw_streams(figures, self._out)
        return self._written(STREAMS, figures)

    def _written(self, name: str, figures: dict[str, Any]) -> dict[str, Any]:
        figures = {**figures, "weights": dict(self._engine.weights_sha256)}
        with writing(self._out / name):
            (self._out / name).write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
        return figures

    def _score_all(self, rows: list[LabelledFile]) -> list[Scored]:
        """One result per row, in the order of the rows; what scores.csv holds already is not computed again."""
        store = ScoreFile(self._out / "scores.csv", self._key())
        found = {} if self._request.fresh else store.read(rows)
        if found:
            typer.echo(
                f"{len(found)} of {len(rows)} files taken from {store.path} (--fresh scores them again)", err=True
            )
        store.start(found.values())
        with bar("evaluating", len(rows), counted=True) as progress:
            for row in rows:
                if row.path not in found:
                    found[row.path] = self._score(row)
                    store.add(found[row.path])
                progress.at(len(found))
        scored = [found[row.path] for row in rows]
        store.start(scored)
        return scored

    def _score(self, row: LabelledFile) -> Scored:
        """One file's result; a file that cannot be read has an error and no score."""
        try:
            with read_file(row.file, row.path) as frames:
                return self._scored(row, frames)
        except UnreadableFile as error:
            typer.echo(f"error: {error}", err=True)
            return Scored(row, {}, error=str(error))

    def _scored(self, row: LabelledFile, frames: Iterable[Frame]) -> Scored:
        return scored_from(row, self._analysed(row, frames), self._engine.calibration)

    def _reanalysed(self, row: LabelledFile) -> Analysis:
        with read_file(row.file, row.path) as frames:
            return self._analysed(row, frames)

    def _analysed(self, row: LabelledFile, frames: Iterable[Frame]) -> Analysis:
        return analyze(
            frames, self._engine, file=row.path, method=self._method, fusion=self._rule, rung=self._request.rung
        )

    def _key(self, *modules: str) -> str:
        return run_key(self._engine, f"{self._method} {self._rule} {self._request.rung}", *modules)


def scored_from(row: LabelledFile, found: Analysis, calibration: Calibration) -> Scored:
    """The scores of one analysis; raw log-odds are those before temperature and bias."""
    p = {name: part.p_fake for name, part in found.branches.items()}
    if found.p_fake is not None:
        p["p_fake"] = found.p_fake
    decisive = found.decisive
    logits = {} if decisive is None else decisive.logits
    raw = {name: (logit - calibration.bias[name]) * calibration.temperature[name] for name, logit in logits.items()}
    reliability = None if decisive is None else decisive.reliability
    return Scored(row, p, str(found.verdict), found.with_face, raw_logits=raw, reliability=reliability)


def _object(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What `--json` prints: the figures of the files, and beside them those of the other parts."""
    figures: dict[str, Any] = {"schema": SCHEMA, **found.get(METRICS, {})}
    if ROBUSTNESS in found:
        figures["robustness"] = found[ROBUSTNESS]
    if STREAMS in found:
        figures["streams"] = {key: part for key, part in found[STREAMS].items() if key not in ("clips", "pairs")}
    return figures
