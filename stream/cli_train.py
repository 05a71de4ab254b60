"""`unmask train`: from a user's own folders to weights, every step resumable."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from unmask.pipeline.errors import InputError, UsageError
from unmask.stream.cli_bench import bench as bench_command
from unmask.stream.cli_bench import existing_pack

train = typer.Typer(
    no_args_is_help=True,
    help="Train on your own genuine faces; forgeries are made from them. Order: pack, resynth, spatial, mri, temporal, "
    "calibration. A run that was cut off goes on when the same command is given again.",
)

train.command("bench")(bench_command)

Pack = Annotated[Path, typer.Option(help="Folder written by `unmask train pack`.")]
Out = Annotated[Path, typer.Option(help="Folder of the run: config.json, checkpoint, curve.json, curve.png.")]
Config = Annotated[Path | None, typer.Option(help="TOML file of settings; `unmask train config` prints the built-in.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One setting; stronger than --config; repeatable."),
]
Steps = Annotated[int | None, typer.Option(min=1, help="Optimiser steps in all.")]
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
    if not found:
        raise InputError("no face was found in these folders")
    typer.echo(f"{found} faces in {out}")


@train.command("preview")
def preview(
    pack: Pack,
    out: Annotated[Path, typer.Option(help="PNG to write.")] = Path("preview.png"),
    pairs: Annotated[int, typer.Option(min=1)] = 16,
    clips: Annotated[Path | None, typer.Option(help="Folder of genuine videos: draws OUT_clips.png too.")] = None,
    films: Annotated[int, typer.Option(min=1, help="How many of the videos, spread over the folder.")] = 6,
    seed: int = 0,
) -> None:
    """Draw a contact sheet of genuine faces, their forgeries, masks and target maps; and film strips of live swaps."""
    from unmask.models.training import collect
    from unmask.models.training.preview import write_clip_preview, write_preview

    write_preview(existing_pack(pack), out, pairs, seed)
    typer.echo(f"wrote {out}")
    if clips is not None:
        found = collect.clips(clips)
        spread = found[:: max(1, len(found) // films)][:films]
        strips = out.with_name(f"{out.stem}_clips.png")
        shown = write_clip_preview([path for path, _, _ in spread], strips, seed)
        typer.echo(f"wrote {strips}" if shown else "no face in these videos")


@train.command("resynth")
def resynth(
    pack: Pack, steps: Annotated[int, typer.Option(min=10, help="Optimiser steps of each autoencoder.")] = 700
) -> None:
    """Let small autoencoders draw each packed face anew: the texture of neural swaps, for the `resynth` forgeries."""
    from unmask.models.training.resynth import KINDS, train_all, write_resynthesis
    from unmask.stream.progress import bar

    with bar("training autoencoders", steps * len(KINDS), counted=True) as progress:
        order = {kind: number for number, kind in enumerate(KINDS)}
        nets = train_all(
            existing_pack(pack), steps, lambda kind, done, _: progress.at(order[kind] * steps + done, kind)
        )
    with bar("drawing faces", _faces(pack), counted=True) as progress:
        write_resynthesis(pack, nets, progress=lambda done, _: progress.at(done))
    typer.echo(f"wrote {pack / 'resynth.raw'}")


class Branch(StrEnum):
    """What has a configuration file."""

    SPATIAL = "spatial"
    MRI = "mri"
    TEMPORAL = "temporal"
    BENCH = "bench"


@train.command("config")
def config(name: Annotated[Branch, typer.Argument(help="Branch, or bench for the sample queue.")]) -> None:
    """Print a built-in configuration file, to be changed and given back with --config (or --queue)."""
    from unmask.models.training.recipes import shipped_config

    typer.echo(shipped_config(name.value), nl=False)


@train.command("spatial")
def spatial(
    pack: Pack,
    out: Out,
    config: Config = None,
    steps: Steps = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Pairs in a batch.")] = None,
    start: Annotated[str | None, typer.Option(help="imagenet, shipped, or a file.")] = None,
    settings: Settings = None,
    export: Export = None,
) -> None:
    """Train the spatial branch on genuine faces and forgeries made from them."""
    from unmask.models.training.recipes import SpatialRecipe, load_recipe
    from unmask.models.training.start import export as write_weights
    from unmask.models.training.start import save_average
    from unmask.models.training.train_spatial import train_spatial

    recipe = load_recipe(SpatialRecipe, config, _given(settings, steps=steps, pairs_per_batch=batch, start=start))
    state, generator, figures = train_spatial(existing_pack(pack), out, None, recipe)
    save_average(state, out)
    save_average(generator, out, "generator.pt")
    if export:
        write_weights("spatial", state, f"{recipe.steps} steps of {recipe.pairs_per_batch} pairs", figures, export)
    typer.echo(f"wrote {out / 'average.pt'}")


@train.command("mri")
def mri(
    pack: Pack,
    out: Out,
    config: Config = None,
    steps: Steps = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Pairs in a batch.")] = None,
    start: Annotated[str | None, typer.Option(help="Encoder to start from: imagenet, shipped, or a file.")] = None,
    settings: Settings = None,
    export: Export = None,
) -> None:
    """Train the MRI branch: the map of what was touched, and its classifier."""
    from unmask.models.training.recipes import MriRecipe, load_recipe
    from unmask.models.training.start import export as write_weights
    from unmask.models.training.start import save_average
    from unmask.models.training.train_mri import train_classifier, train_generator

    recipe = load_recipe(MriRecipe, config, _given(settings, steps=steps, pairs_per_batch=batch, start=start))
    state, figures = train_generator(existing_pack(pack), out, None, recipe)
    net, judged = train_classifier(pack, state, recipe)
    save_average(net.state_dict(), out)
    if export:
        trained = f"{recipe.steps} steps of {recipe.pairs_per_batch} pairs"
        write_weights("mri", net.state_dict(), trained, {**figures, **judged}, export)
    typer.echo(f"wrote {out / 'average.pt'}; classifier AUC on held-out people {judged['auc_validation']:.3f}")


@train.command("temporal")
def temporal(
    pack: Pack,
    clips: Annotated[list[Path], typer.Option(help="Folder of genuine videos; repeatable.")],
    out: Out,
    config: Config = None,
    steps: Steps = None,
    settings: Settings = None,
    weights_dir: Annotated[Path | None, typer.Option(help="Weights whose features are used; the shipped ones.")] = None,
    export: Export = None,
) -> None:
    """Train the temporal branch on genuine clips and live-like swaps of them, encoded as calls encode."""
    from unmask.models.training.recipes import TemporalRecipe, load_recipe
    from unmask.models.training.start import export as write_weights
    from unmask.models.training.start import save_average
    from unmask.models.training.train_temporal import train_temporal
    from unmask.stream.training import sequences

    recipe = load_recipe(TemporalRecipe, config, _given(settings, steps=steps))
    held_out = _held_out(pack)
    _cache(clips, out / "features", weights_dir, seed=7, only=None, drawn_by=pack)
    state, figures = train_temporal(sequences(out / "features"), held_out, out, recipe)
    save_average(state, out)
    if export:
        write_weights("temporal", state, f"{recipe.steps} steps of {recipe.batch} windows", figures, export)
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
    from unmask.stream.training import UNCALIBRATED, file_scores

    held_out = _held_out(pack)
    _cache(clips, out / "features", weights_dir, seed=11, only=held_out)
    with Engine.open(weights_dir=weights_dir, calibration=UNCALIBRATED) as engine:
        scores = file_scores(out / "features", engine, held_out)
    fitted = fit_calibration(scores)
    (out / "calibration.json").write_text(json.dumps(asdict(fitted), indent=1))
    if export:
        about = {"fitted_on": f"{len(scores)} clips of held-out people, {sum(f.fake for f in scores)} of them forged"}
        save_calibration(fitted, about, export)
    typer.echo(json.dumps(asdict(fitted), indent=1))


def _faces(pack: Path) -> int:
    from unmask.models.training.pack import read_pack

    return len(read_pack(pack).rows)


def _given(settings: list[str] | None, **flags: Any) -> dict[str, Any]:
    """What the command line says: `--set` and the named flags, which are stronger."""
    from unmask.models.training.recipes import parse_setting

    return {**dict(map(parse_setting, settings or [])), **{k: v for k, v in flags.items() if v is not None}}


def _held_out(pack: Path) -> set[str]:
    from unmask.models.training.pack import read_pack
    from unmask.models.training.pairs import split_groups

    return split_groups(read_pack(existing_pack(pack)), HELD_OUT_SHARE)


def _cache(
    clips: list[Path],
    out: Path,
    weights_dir: Path | None,
    seed: int,
    only: set[str] | None,
    drawn_by: Path | None = None,
) -> None:
    """Cache the clips' features; autoencoders of the pack `drawn_by` draw some of the swapped faces."""
    from unmask.models.engine import Engine
    from unmask.models.training import collect
    from unmask.models.training.resynth import open_drawers
    from unmask.stream.progress import bar
    from unmask.stream.training import UNCALIBRATED, cache_features

    items = [item for folder in clips for item in collect.clips(folder) if only is None or item[2] in only]
    with (
        Engine.open(weights_dir=weights_dir, calibration=UNCALIBRATED) as engine,
        bar("reading clips", len(items), counted=True) as progress,
    ):
        drawers = tuple(open_drawers(drawn_by)) if drawn_by else ()
        cache_features(engine, items, out, seed, lambda done, _: progress.at(done), drawers)
