"""`unmask train`: from a user's own folders to weights, every step resumable."""

from pathlib import Path
from typing import Annotated

import typer

from unmask.pipeline.errors import UsageError

train = typer.Typer(
    no_args_is_help=True,
    help="Train on your own genuine faces; forgeries are made from them. Order: pack, spatial, mri, temporal, "
    "calibration. A run that was cut off goes on when the same command is given again.",
)

Pack = Annotated[Path, typer.Option(help="Folder written by `unmask train pack`.")]
Out = Annotated[Path, typer.Option(help="Folder of the run: checkpoint, curve.json, curve.png.")]
Steps = Annotated[int, typer.Option(min=1, help="Optimiser steps in all.")]
Export = Annotated[Path | None, typer.Option(help="Also write the result into this weights folder.")]
HELD_OUT_SHARE = 0.15


@train.command("pack")
def pack(
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    images: Annotated[list[Path] | None, typer.Option(help="Folder of genuine photographs; repeatable.")] = None,
    clips: Annotated[list[Path] | None, typer.Option(help="Folder of genuine videos; repeatable.")] = None,
) -> None:
    """Find and align the faces of photographs and videos once, for all trainers."""
    from unmask.models.training import collect
    from unmask.models.training.pack import write_pack
    from unmask.stream.progress import bar

    stills = [item for folder in images or [] for item in collect.images(folder)]
    videos = [item for folder in clips or [] for item in collect.clips(folder)]
    if not stills and not videos:
        raise UsageError("name at least one folder with --images or --clips")
    with bar("finding faces", len(stills) + len(videos), counted=True) as progress:
        found = write_pack(stills, videos, out, lambda done, _: progress.at(done))
    typer.echo(f"{found} faces in {out}")


@train.command("preview")
def preview(
    pack: Pack,
    out: Annotated[Path, typer.Option(help="PNG to write.")] = Path("preview.png"),
    pairs: Annotated[int, typer.Option(min=1)] = 16,
    seed: int = 0,
) -> None:
    """Draw a contact sheet of genuine faces, their forgeries, masks and target maps."""
    from unmask.models.training.preview import write_preview

    write_preview(_existing(pack), out, pairs, seed)
    typer.echo(f"wrote {out}")


@train.command("spatial")
def spatial(
    pack: Pack,
    out: Out,
    steps: Steps = 1500,
    batch: Annotated[int, typer.Option(min=1, help="Pairs in a batch.")] = 10,
    start: Annotated[str, typer.Option(help="imagenet, shipped, or a file.")] = "imagenet",
    export: Export = None,
) -> None:
    """Train the spatial branch on genuine faces and forgeries made from them."""
    from unmask.models.training.start import export as write_weights
    from unmask.models.training.start import save_average, spatial_start
    from unmask.models.training.train_spatial import SpatialRecipe, train_spatial

    recipe = SpatialRecipe(steps=steps, pairs_per_batch=batch, validate_every=max(1, min(150, steps // 4)))
    state, generator, figures = train_spatial(_existing(pack), out, spatial_start(start), recipe)
    save_average(state, out)
    save_average(generator, out, "generator.pt")
    if export:
        write_weights("spatial", state, f"{steps} steps of {batch} pairs", figures, export)
    typer.echo(f"wrote {out / 'average.pt'}")


@train.command("mri")
def mri(
    pack: Pack,
    out: Out,
    steps: Steps = 1000,
    batch: Annotated[int, typer.Option(min=1, help="Pairs in a batch.")] = 10,
    start: Annotated[str, typer.Option(help="Encoder to start from: imagenet, shipped, or a file.")] = "shipped",
    classifier_pairs: Annotated[int, typer.Option(min=32, help="Pairs whose maps train the classifier.")] = 2400,
    export: Export = None,
) -> None:
    """Train the MRI branch: the map of what was touched, and its classifier."""
    from unmask.models.training.start import backbone_of, save_average, spatial_start
    from unmask.models.training.start import export as write_weights
    from unmask.models.training.train_mri import MriRecipe, train_classifier, train_generator

    every = max(1, min(150, steps // 4))
    recipe = MriRecipe(steps=steps, pairs_per_batch=batch, classifier_pairs=classifier_pairs, validate_every=every)
    state, figures = train_generator(_existing(pack), out, backbone_of(spatial_start(start)), recipe)
    net, judged = train_classifier(pack, state, recipe)
    save_average(net.state_dict(), out)
    if export:
        write_weights("mri", net.state_dict(), f"{steps} steps of {batch} pairs", {**figures, **judged}, export)
    typer.echo(f"wrote {out / 'average.pt'}; classifier AUC on held-out people {judged['auc_validation']:.3f}")


@train.command("temporal")
def temporal(
    pack: Pack,
    clips: Annotated[list[Path], typer.Option(help="Folder of genuine videos; repeatable.")],
    out: Out,
    steps: Steps = 120,
    weights_dir: Annotated[Path | None, typer.Option(help="Weights whose features are used; the shipped ones.")] = None,
    export: Export = None,
) -> None:
    """Train the temporal branch on genuine clips and live-like swaps of them, encoded as calls encode."""
    from unmask.models.training.start import export as write_weights
    from unmask.models.training.start import save_average
    from unmask.models.training.train_temporal import TemporalRecipe, train_temporal
    from unmask.stream.training import sequences

    held_out = _held_out(pack)
    _cache(clips, out / "features", weights_dir, seed=7, only=None)
    every = max(1, min(100, steps // 4))
    state, figures = train_temporal(
        sequences(out / "features"), held_out, out, TemporalRecipe(steps=steps, validate_every=every)
    )
    save_average(state, out)
    if export:
        write_weights("temporal", state, f"{steps} steps of 32 windows", figures, export)
    typer.echo(f"wrote {out / 'average.pt'}")


@train.command("calibration")
def calibration(
    pack: Pack,
    clips: Annotated[list[Path], typer.Option(help="Folder of genuine videos; repeatable.")],
    out: Out,
    weights_dir: Annotated[Path | None, typer.Option(help="Weights to calibrate; the shipped ones.")] = None,
    export: Export = None,
) -> None:
    """Fit temperatures, biases and fusion weights on forgeries of people held out from training."""
    import json
    from dataclasses import asdict

    from unmask.models.engine import Engine
    from unmask.models.store import save_calibration
    from unmask.models.training.calibrate import fit_calibration
    from unmask.stream.training import file_scores

    held_out = _held_out(pack)
    _cache(clips, out / "features", weights_dir, seed=11, only=held_out)
    with Engine.open(weights_dir=weights_dir) as engine:
        scores = file_scores(out / "features", engine, held_out)
    fitted = fit_calibration(scores)
    (out / "calibration.json").write_text(json.dumps(asdict(fitted), indent=1))
    if export:
        about = {"fitted_on": f"{len(scores)} clips of held-out people, {sum(f.fake for f in scores)} of them forged"}
        save_calibration(fitted, about, export)
    typer.echo(json.dumps(asdict(fitted), indent=1))


def _existing(pack: Path) -> Path:
    if not (pack / "faces.csv").is_file():
        raise UsageError(f"{pack} is not a pack; make one with `unmask train pack`")
    return pack


def _held_out(pack: Path) -> set[str]:
    from unmask.models.training.pack import read_pack
    from unmask.models.training.pairs import split_groups

    return split_groups(read_pack(_existing(pack)), HELD_OUT_SHARE)


def _cache(clips: list[Path], out: Path, weights_dir: Path | None, seed: int, only: set[str] | None) -> None:
    from unmask.models.engine import Engine
    from unmask.models.training import collect
    from unmask.stream.progress import bar
    from unmask.stream.training import cache_features

    items = [item for folder in clips for item in collect.clips(folder) if only is None or item[2] in only]
    with Engine.open(weights_dir=weights_dir) as engine, bar("reading clips", len(items), counted=True) as progress:
        cache_features(engine, items, out, seed, lambda done, _: progress.at(done))
