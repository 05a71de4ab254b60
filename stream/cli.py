"""The `unmask` command: wiring, the one place where errors become exit codes."""

import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from unmask.models.errors import UnmaskError
from unmask.stream import cli_files, cli_live, cli_tools, cli_train

INTERRUPTED = 130

app = typer.Typer(
    name="unmask",
    help="Is the face in this video real? Live and file verdicts with reasons.",
    epilog="Exit codes: 0 done, 2 wrong usage, 3 the input cannot be read, 4 no weights or no device, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve", epilog=cli_live.SERVE_EXAMPLES)(cli_live.serve)
app.command("watch", epilog=cli_live.WATCH_EXAMPLES)(cli_live.watch)
app.command("analyze", epilog=cli_files.ANALYZE_EXAMPLES)(cli_files.analyze)
app.command("evaluate", epilog=cli_files.EVALUATE_EXAMPLES)(cli_files.evaluate)
app.add_typer(cli_train.train, name="train")
app.add_typer(cli_tools.weights, name="weights")
app.command("doctor")(cli_tools.doctor)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"unmask {version('unmask')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Is the face in this video real? Live and file verdicts with reasons."""


def run(arguments: Sequence[str]) -> NoReturn:
    """Runs one command line and leaves with its exit code; an expected failure is one sentence on stderr.

    Raises:
        SystemExit: always.
    """
    try:
        app(list(arguments), prog_name="unmask")
    except UnmaskError as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    raise SystemExit(0)


def main() -> NoReturn:
    """The console script."""
    run(sys.argv[1:])
