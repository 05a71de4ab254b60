"""The commands for files: `unmask analyze` and `unmask evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from unmask.stream.cli_live import Device

Method = Annotated[str, typer.Option(help="fusion, spatial (or plain_frames), mri (or MRI), temporal.")]
Fusion = Annotated[str, typer.Option(help="How branches are fused: confidence (the default), logit or mean.")]
WeightsDir = Annotated[Path | None, typer.Option(help="Folder with other weights and their manifest.json.")]

ANALYZE_EXAMPLES = (
    "Examples: [bold]unmask analyze talk.mp4[/bold]  |  [bold]unmask analyze *.mp4 --json[/bold]  |  "
    "[bold]unmask analyze call.mov --report call.html[/bold]"
)
EVALUATE_EXAMPLES = (
    "Examples: [bold]unmask evaluate --labels labels.csv --out results[/bold]  |  "
    "[bold]unmask evaluate --labels labels.csv --robustness --limit 20 --out results[/bold]  |  "
    "[bold]unmask evaluate --streams clips/ --out results --json[/bold]"
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
        Path | None,
        typer.Option(
            metavar="LABELS.CSV",
            help="Files to score: columns path,label (real or fake); method, dataset, group and kind are used when "
            "present. Paths are relative to the CSV.",
            show_default=False,
        ),
    ] = None,
    streams: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Play clips as live streams: a labels file, or a folder of genuine videos. Counts false alarms per "
            "hour, and how soon a fake spliced into the genuine video of its group and dataset raises an alarm.",
            show_default=False,
        ),
    ] = None,
    robustness: Annotated[
        bool,
        typer.Option(
            "--robustness",
            help="Score the videos of --labels under every condition (codecs, bit rates, face sizes, light, frame "
            "rates) instead of as they are; the first 10 s of each.",
        ),
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for figures, scores, plots and report.html.")] = Path(
        "runs/evaluate"
    ),
    json_object: Annotated[bool, typer.Option("--json", help="The figures as one JSON object on stdout.")] = False,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Only N files (clips, splices), spread evenly.", show_default=False),
    ] = None,
    method: Method = "fusion",
    fresh: Annotated[bool, typer.Option("--fresh", help="Score everything again, ignoring stored results.")] = False,
    device: Device = "auto",
    weights_dir: WeightsDir = None,
    fusion: Fusion = "default",
    rung: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Score as a live stream is judged on this rung of overload, 0 (nothing left out) to 3.",
        ),
    ] = 0,
) -> None:
    """Measure the detector on files whose truth is known: AUC with intervals, calibration, coverage, ablation.

    The three parts (--labels, --labels with --robustness, --streams) can run one after the other into one folder:
    report.html shows all that the folder holds. An interrupted run goes on where it stopped. The report shows faces
    of the files beside their maps.
    """
    from unmask.stream.evaluate import EvaluateRequest, run_evaluate

    request = EvaluateRequest(
        labels, out, method, device, weights_dir, json_object, limit, fresh, fusion, streams, robustness, rung
    )
    raise typer.Exit(run_evaluate(request))
