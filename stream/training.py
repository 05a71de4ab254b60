"""Training steps that need the pipeline: features of genuine and swapped clips, read as a live stream would be."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from unmask.models.engine import Engine
from unmask.models.mtcnn import FaceFinder
from unmask.models.store import Calibration
from unmask.models.training.calibrate import FileScores
from unmask.models.training.clips import half_rate, load_clip, swap_clip, transmit
from unmask.models.training.collect import Item
from unmask.models.training.swaps import Redraw
from unmask.models.training.train_temporal import Floats, Sequence, window_logits
from unmask.pipeline.features import ClipFeatures, clip_features
from unmask.pipeline.types import Frame

VARIANTS = ((1, False), (2, False), (1, True), (2, True))
"""Of each clip: by what its frame rate is divided, and whether its face is swapped."""
DRAWN_SHARE = 0.5
"""Of the swapped variants, drawn by an autoencoder where there is one."""
MIN_FRAMES = 12
BRANCHES = ("spatial", "mri", "temporal")
_ONES, _ZEROS = dict.fromkeys(BRANCHES, 1.0), dict.fromkeys(BRANCHES, 0.0)
UNCALIBRATED = Calibration(_ONES, _ZEROS, _ONES, dict.fromkeys(BRANCHES, 9.0), 0.0)

Progress = Callable[[int, int], None]
Drawers = tuple[Redraw, ...]


def cache_features(
    engine: Engine,
    items: Iterable[Item],
    out: Path,
    seed: int,
    progress: Progress | None = None,
    drawers: Drawers = (),
) -> None:
    """Read four variants of each clip into `out/NAME.npz`; clips that are there already are skipped.

    The engine's calibration is set aside, so that the cached logits are raw.

    Args:
        drawers: autoencoders, one of which draws the faces of half of the swapped variants.
    """
    engine.calibration = UNCALIBRATED
    finder = FaceFinder()
    out.mkdir(parents=True, exist_ok=True)
    items = list(items)
    for done, (path, _, group) in enumerate(items, 1):
        target = out / f"{path.stem}.npz"
        if not target.exists():
            rng = np.random.default_rng([seed, *path.stem.encode()])
            _save(target, group, list(_variants(engine, finder, path, rng, drawers)))
        if progress:
            progress(done, len(items))


def read_features(folder: Path) -> Iterator[tuple[str, bool, ClipFeatures]]:
    """(group, swapped, features) of every cached variant."""
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as saved:
            for i, fake in enumerate(saved["fake"]):
                logits = {b: saved[f"{b}_{i}"] for b in BRANCHES if f"{b}_{i}" in saved}
                rows = saved[f"rows_{i}"].astype(np.float32)
                yield str(saved["group"]), bool(fake), ClipFeatures(saved[f"times_{i}"], rows, logits)


def sequences(folder: Path) -> list[Sequence]:
    """What the temporal branch trains on."""
    return [Sequence(f.times_s, f.rows, fake, group) for group, fake, f in read_features(folder)]


def file_scores(folder: Path, engine: Engine, groups: set[str]) -> list[FileScores]:
    """Mean raw logits by branch of the cached variants of some groups, for calibration."""

    def score(features: Floats, mask: Floats) -> Floats:
        logits = engine.score_windows(features, mask)
        return np.zeros(0, np.float32) if logits is None else logits

    scores = []
    for group, fake, found in read_features(folder):
        if group not in groups:
            continue
        logits = {b: float(np.average(z[:, 0], weights=z[:, 1])) for b, z in found.logits.items() if len(z)}
        logits.pop("temporal", None)
        if len(found.times_s) >= MIN_FRAMES:
            windows = window_logits(score, Sequence(found.times_s, found.rows, fake, group))
            if len(windows):
                logits["temporal"] = float(windows.mean())
        if logits:
            scores.append(FileScores(logits, fake))
    return scores


def _variants(
    engine: Engine, finder: FaceFinder, path: Path, rng: np.random.Generator, drawers: Drawers
) -> Iterator[tuple[bool, ClipFeatures]]:
    whole = load_clip(path, finder)
    for divisor, fake in VARIANTS:
        clip = whole if divisor == 1 else half_rate(whole)
        if len(clip.times_s) < MIN_FRAMES:
            continue
        redraw = drawers[rng.integers(len(drawers))] if fake and drawers and rng.random() < DRAWN_SHARE else None
        frames_rgb = swap_clip(clip, rng, redraw) if fake else clip.frames_rgb
        sent = transmit(frames_rgb, clip.times_s, rng, clip.landmarks)
        frames = (Frame(image, float(t), 0.0, 0.0, "training", i) for i, (t, image) in enumerate(sent))
        yield fake, clip_features(frames, engine)


def _save(target: Path, group: str, variants: list[tuple[bool, ClipFeatures]]) -> None:
    arrays: dict[str, np.ndarray] = {"group": np.array(group), "fake": np.array([f for f, _ in variants], bool)}  # type: ignore[type-arg]
    for i, (_, found) in enumerate(variants):
        arrays[f"times_{i}"], arrays[f"rows_{i}"] = found.times_s, found.rows.astype(np.float16)
        arrays |= {f"{b}_{i}": z for b, z in found.logits.items()}
    partial = target.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    partial.replace(target)
