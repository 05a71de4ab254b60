"""The commands for live video: `unmask serve` and `unmask watch`."""

from pathlib import Path
from typing import Annotated

import typer

Device = Annotated[str, typer.Option(help="auto, cpu, cuda or torch-cpu.")]
Seconds = Annotated[float | None, typer.Option(min=0.0, help="Stop by itself after so many seconds, with exit code 0.")]

SERVE_EXAMPLES = (
    "Examples: [bold]unmask serve --source demo=demo:[/bold]  |  "
    "[bold]unmask serve --source door=rtsp://camera.local/stream --port 9000[/bold]  |  "
    "[bold]unmask serve --config config.yml[/bold]"
)
WATCH_EXAMPLES = (
    "Examples: [bold]unmask watch webcam:0[/bold]  |  [bold]unmask watch rtsp://camera.local/stream --json[/bold]  |  "
    "[bold]unmask watch talk.mp4 --seconds 30[/bold]  |  [bold]unmask watch demo:[/bold]"
)


def serve(
    config: Annotated[Path | None, typer.Option(help="YAML file with the settings below and more.")] = None,
    source: Annotated[
        list[str] | None, typer.Option(metavar="NAME=URL", help="A stream to open at the start; repeatable.")
    ] = None,
    cameras: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep cameras added in the page in this file, passwords too."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; any but 127.0.0.1 demands a token.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or torch-cpu.")] = None,
    seconds: Seconds = None,
    print_verdicts: Annotated[bool, typer.Option("--print-verdicts", help="Print verdicts as they come.")] = False,
) -> None:
    """Serve live verdicts: WebRTC and cameras in, the overlay page, a websocket and an API out."""
    from unmask.stream.settings import ServeSettings, parse_sources

    sources = parse_sources(source) if source else None
    said = {"host": host, "port": port, "device": device, "sources": sources, "cameras_file": cameras}
    settings = ServeSettings.load(config, **said)

    from unmask.stream.serve import run_serve

    raise typer.Exit(run_serve(settings, seconds=seconds, print_verdicts=print_verdicts))


def watch(
    source: Annotated[str, typer.Argument(help="webcam:N, rtsp://…, a video file (at its own pace) or demo:")],
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON verdict a line on stdout.")] = False,
    seconds: Seconds = None,
    device: Device = "auto",
) -> None:
    """Show live verdicts of one source in the terminal."""
    from unmask.stream.watch import run_watch

    raise typer.Exit(run_watch(source, json_lines=json_lines, seconds=seconds, device=device))
