"""`unmask train bench`: a queue of short comparable runs, one table of results."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from unmask.models.training.bench_judge import Labelled


def bench(
    pack: Annotated[Path, typer.Option(help="Folder written by `unmask train pack`.")],
    out: Annotated[Path, typer.Option(help="Folder of the runs, of results.md and of results.json.")],
    queue: Annotated[
        Path | None, typer.Option(help="TOML file of runs; `unmask train config bench` prints the built-in sample.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="Labelled files to judge on besides, as for `unmask evaluate`; never trained on."),
    ] = None,
    list_only: Annotated[bool, typer.Option("--list", help="Show how far every run is, and train nothing.")] = False,
) -> None:
    """Train short runs that differ in one thing each, and compare them; cut off, it goes on where it was."""
    from unmask.models.training.bench import Bench, read_queue
    from unmask.models.training.bench_table import results_table
    from unmask.stream.progress import bar
    from unmask.stream.writing import writing

    existing_pack(pack)
    work = Bench(pack, read_queue(queue), out, _labelled(labels) if labels else None)
    if list_only:
        typer.echo(results_table(work.states()))
        return
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    with bar("finding faces", len(work.labelled), counted=True) as progress:
        work.find_crops(lambda done, _: progress.at(done))
    states = work.run(typer.echo)
    failed = sum(state.status == "failed" for state in states)
    typer.echo(f"wrote {out / 'results.md'}" + (f"; {failed} of {len(states)} runs failed" if failed else ""))
    raise typer.Exit(1 if failed else 0)


def existing_pack(pack: Path) -> Path:
    """The folder itself.

    Raises:
        UsageError: it is not a pack.
    """
    from unmask.pipeline.errors import UsageError

    if not (pack / "faces.csv").is_file():
        raise UsageError(f"{pack} is not a pack; make one with `unmask train pack`")
    return pack


def _labelled(path: Path) -> "list[Labelled]":
    """The rows of a labels file; the genuine half of a data set goes by the data set's own name."""
    from unmask.models.training.bench_judge import Labelled
    from unmask.models.training.pack import IMAGE_SUFFIXES
    from unmask.stream.figures import dataset_name
    from unmask.stream.labels import read_labels

    return [
        Labelled(
            file=row.file,
            key=row.path,
            fake=row.fake,
            dataset=dataset_name(row.dataset) or "all",
            video=row.kind == "video" if row.kind else row.file.suffix.lower() not in IMAGE_SUFFIXES,
        )
        for row in read_labels(path)
    ]
