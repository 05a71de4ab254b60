"""The commands around the weights and the machine: `unmask weights` and `unmask doctor`."""

from pathlib import Path
from typing import Annotated

import typer

weights = typer.Typer(no_args_is_help=True, help="List, verify and fetch weights.")

WeightsDir = Annotated[Path | None, typer.Option("--weights-dir", help="Another folder than the shipped one.")]


@weights.command("list")
def weights_list(
    weights_dir: WeightsDir = None,
    json_object: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Say which weights are there, what they were trained on and how they do."""
    from unmask.stream.weights_cli import list_weights

    raise typer.Exit(list_weights(weights_dir, json_object))


@weights.command("verify")
def weights_verify(
    weights_dir: WeightsDir = None,
    json_object: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Compute every hash again; exit code 4 when a file is missing or altered."""
    from unmask.stream.weights_cli import verify_weights

    raise typer.Exit(verify_weights(weights_dir, json_object))


@weights.command("fetch")
def weights_fetch(
    origin: Annotated[str, typer.Argument(metavar="PATH_OR_URL", help="A .safetensors file, or its http(s) address.")],
    sha256: Annotated[str | None, typer.Option(help="The hash that the file must have, 64 hex digits.")] = None,
    allow_unverified: Annotated[bool, typer.Option("--allow-unverified", help="Take it without a hash.")] = False,
    weights_dir: WeightsDir = None,
    max_mb: Annotated[float, typer.Option(min=0.001, help="Largest file taken, in megabytes.")] = 256.0,
) -> None:
    """Bring weights into your own weights folder, checked and never executed."""
    from unmask.stream.weights_cli import FetchRequest, fetch_weights

    request = FetchRequest(origin, sha256, allow_unverified, weights_dir, int(max_mb * 1_000_000))
    raise typer.Exit(fetch_weights(request))


def doctor(
    json_object: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Say what works on this machine: devices, cameras, codecs, ports, ICE, weights. Exit code 1 if it cannot run."""
    from unmask.stream.doctor import run_doctor

    raise typer.Exit(run_doctor(json_object))
