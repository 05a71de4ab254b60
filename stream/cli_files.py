"""The commands for files: `unmask analyze` and `unmask evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from unmask.stream.cli_live import Device

Method = Annotated[str, typer.Option(help="fusion, spatial (or plain_frames), mri (or MRI), temporal.")]
Fusion = Annotated[str, typer.Option(help="How branches are fused: logit (the default), confidence or mean.")]
WeightsDir = Annotated[Path | None, typer.Option(help="Folder with other weights and their manifest.json.")]

ANALYZE_EXAMPLES = (
    "Examples: [bold]unmask analyze talk.mp4[/bold]  |  [bold]unmask analyze *.mp4 --json[/bold]  |  "
    "[bold]unmask analyze call.mov --report call.html[/bold]"
)
EVALUATE_EXAMPLES = (
    "Examples: [bold]unmask evaluate --labels labels.csv --out results[/bold]  |  "
    "[bold]unmask evaluate --labels labels.csv --limit 20 --json[/bold]"
)


def analyze(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Videos or images.", show_default=False)],
    method: Method = "fusion",
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object a line and file on stdout.")] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="OUT.HTML", help="Write a report that needs nothing but a browser.")
    ] = None,
    device: Device = "auto",
    weights_dir: WeightsDir = None,
    fusion: Fusion = "default",
) -> None:
    """Judge whole files. A file that cannot be read is named on stderr, and the others are still judged (exit 3)."""
    from unmask.stream.analyze import AnalyzeRequest, run_analyze

    request = AnalyzeRequest(tuple(files), method, device, weights_dir, json_lines, report, fusion)
    raise typer.Exit(run_analyze(request))


def evaluate(
    labels: Annotated[
        Path,
        typer.Option(
            metavar="LABELS.CSV",
            help="Columns path,label (real or fake); method, dataset, group and kind are used when present. "
            "Paths are relative to the CSV.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for metrics.json, scores.csv, plots and report.html.")] = Path(
        "runs/evaluate"
    ),
    json_object: Annotated[bool, typer.Option("--json", help="The figures as one JSON object on stdout.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only N files, spread evenly over the list.")
    ] = None,
    method: Method = "fusion",
    fresh: Annotated[bool, typer.Option("--fresh", help="Score every file again, ignoring scores.csv.")] = False,
    device: Device = "auto",
    weights_dir: WeightsDir = None,
    fusion: Fusion = "default",
) -> None:
    """Score a labelled set: AUC with intervals, calibration, coverage. An interrupted run goes on where it stopped."""
    from unmask.stream.evaluate import EvaluateRequest, run_evaluate

    request = EvaluateRequest(labels, out, method, device, weights_dir, json_object, limit, fresh, fusion)
    raise typer.Exit(run_evaluate(request))
