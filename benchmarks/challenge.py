"""How well the change of the evidence during a head turn tells a live swap from a genuine face.

Natural head turns are looked for in clips: frontal for a second, then turned. Genuine clips are played as they are
and with swaps of our own (`models.training.swaps`); labelled clips of others (`dev/labels.csv`) are played as they
are. Nobody in these clips was asked to turn: docs/challenge.md says what that leaves unmeasured.
"""

import argparse
import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe, write_result
from turns import BASELINE_S, SEARCH_S, Image, Turn, Turns, followed, read_turn

from unmask.models.engine import Engine
from unmask.models.mtcnn import FaceFinder
from unmask.models.training.metrics import auc, bootstrap_auc
from unmask.models.training.swaps import draw_swap
from unmask.models.training.transmission import transmit
from unmask.pipeline.challenge import Challenge, ChallengeSettings
from unmask.pipeline.challenge_sample import take_sample
from unmask.pipeline.challenge_score import BIAS, WEIGHTS, Evidence
from unmask.pipeline.detector import Detector
from unmask.pipeline.types import Frame

LIVE_HZ = 7.0
SWAPS_PER_TURN = 1
RESAMPLES = 2000
PARTS = ("fused", "map", "flicker", "jitter")

Row = dict[str, Any]
Job = tuple[str, Row, Callable[[Engine], Row]]
"""Key, what is known before, and what plays it."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A clip of somebody's; `group` is whose face it is."""

    path: Path
    fake: bool
    dataset: str
    method: str
    group: str


def play(engine: Engine, frames: Sequence[tuple[float, Image]], turn: Turn) -> Row:
    """The turn taken as the answer to its prompt; without figures where it cannot be compared."""
    settings = ChallengeSettings(baseline_s=BASELINE_S, answer_limit_s=SEARCH_S + 2)
    detector, challenge, last_s, p_fake = Detector(engine, "clip"), None, -np.inf, []
    for seq, (pts_s, image_rgb) in enumerate(frames):
        if pts_s - last_s < 0.98 / LIVE_HZ:
            continue
        last_s = pts_s
        verdicts = detector.step(Frame(image_rgb, pts_s, 0.0, 0.0, "clip", seq))
        if challenge is None and verdicts:
            challenge = Challenge(turn.prompt, verdicts[0].track, settings=settings)
        if challenge is None:
            continue
        fused = [detector.fuse(reading.scores) for reading in detector.readings]
        samples = [take_sample(pts_s, r, f and f[0]) for r, f in zip(detector.readings, fused, strict=True)]
        challenge.update(pts_s, samples)
        p_fake += [v.p_fake for v in verdicts if v.track == challenge.track and v.p_fake is not None]
        if challenge.result is not None:
            break
    result = challenge.result if challenge is not None else None
    if result is None:
        return {"outcome": "clip_ended"}
    compared = {} if result.evidence is None else numbers(result.evidence)
    return {**compared, "outcome": result.outcome.value, "rolling": p_fake[-1] if p_fake else None}


def numbers(evidence: Evidence) -> Row:
    """The parts of the evidence, and the score made of them."""
    level = evidence.baseline_fused + evidence.fused
    return {**evidence.as_numbers(), "level": level, "p_swap": evidence.p_swap}


def own_swaps(folder: Path, turns: Turns) -> Iterator[Job]:
    """Genuine training clips against our own swaps of them; all go through the same simulated call."""
    paths = sorted(p for p in (folder / "train" / "clips").glob("*") if p.suffix in (".mp4", ".mkv", ".mov", ".webm"))
    for index, path in enumerate(paths):
        for number, turn in enumerate(turns.of(path)):
            for swap in range(SWAPS_PER_TURN + 1):
                known = {"set": "own swaps", "fake": bool(swap), "group": path.stem}
                seeds = ([index, number], [index, number, swap] if swap else None)
                yield f"{path.stem} {number} {swap}", known, partial(play_own, path, turn, turns.finder, seeds)


def play_own(
    path: Path, turn: Turn, finder: FaceFinder, seeds: tuple[list[int], list[int] | None], engine: Engine
) -> Row:
    """A genuine turn, swapped where there is a second seed, as it comes through a call drawn by the first."""
    clip = followed(read_turn(path, turn), finder)
    frames = clip.frames_rgb
    if seeds[1] is not None:
        rng = np.random.default_rng(seeds[1])
        frames = draw_swap(rng).play(frames, clip.landmarks, rng)
    return play(engine, list(transmit(frames, clip.times_s, np.random.default_rng(seeds[0]))), turn)


def labelled(folder: Path) -> list[Labelled]:
    """The labelled videos of others."""
    with (folder / "dev" / "labels.csv").open(encoding="utf-8", newline="") as file:
        return [
            Labelled(folder / "dev" / r["path"], r["label"] == "fake", r["dataset"], r["method"], r["group"])
            for r in csv.DictReader(file)
            if r["kind"] == "video"
        ]


def others_swaps(folder: Path, turns: Turns, live: bool) -> Iterator[Job]:
    """Labelled clips of others, each with its own natural turns; a live swap's turns are those of its original."""
    rows = labelled(folder)
    originals = {(r.dataset, r.group): r for r in rows if not r.fake}
    for row in rows:
        if ("DeepFaceLive" in row.dataset) is not live:
            continue
        guide = originals.get((row.dataset, row.group), row) if live else row
        for number, turn in enumerate(turns.of(guide.path)):
            name = "DeepFaceLive" if live else "FaceForensics++"
            known = {"set": name, "fake": row.fake, "group": row.group, "method": row.method}
            yield f"{row.path.stem} {number}", known, partial(play_clip, row.path, turn)


def play_clip(path: Path, turn: Turn, engine: Engine) -> Row:
    """A turn of a clip as it is."""
    return play(engine, read_turn(path, turn), turn)


def rescored(row: Row) -> Row:
    """A kept answer with the score of the weights in use now."""
    if "p_swap" not in row:
        return row
    fields = {name: row[name] for name in Evidence.__dataclass_fields__}
    return {**row, "p_swap": Evidence(**fields).p_swap}


def figures(rows: Sequence[Row]) -> dict[str, Any]:
    """AUC with its 95 % interval for the score, each of its parts, and what needs no challenge."""
    every, rows = rows, [row for row in rows if "p_swap" in row]
    labels, groups = [row["fake"] for row in rows], [row["group"] for row in rows]
    names = {
        "p_swap": "score",
        **{part: part for part in PARTS},
        "level": "level_in_answer",
        "baseline_fused": "before",
    }
    found: dict[str, Any] = {
        "turns": len(every),
        "compared": len(rows),
        "fake": sum(labels),
        "people_or_scenes": len(set(groups)),
        "outcomes": {kind: outcomes(every, kind == "fake") for kind in ("genuine", "fake")},
    }
    for key, name in names.items():
        scores = [row[key] for row in rows]
        area = auc(labels, scores)
        interval = bootstrap_auc(labels, scores, groups, RESAMPLES)
        found[name] = {
            "auc": None if area is None else round(area, 3),
            "interval_95": None if interval is None else [round(edge, 3) for edge in interval],
        }
    return found


def outcomes(rows: Sequence[Row], fake: bool) -> dict[str, int]:
    """How often each outcome came."""
    return dict(Counter(row["outcome"] for row in rows if row["fake"] is fake))


def fit(rows: Sequence[Row], strength: float = 1.0) -> dict[str, float]:
    """Weights of a ridge logistic regression in which both classes weigh the same; none is below 0."""
    x = np.array([[row[part] for part in PARTS] for row in rows])
    y = np.array([row["fake"] for row in rows], float)
    scale = np.maximum(x.std(0), 1e-6)
    x = x / scale
    shares = np.where(y == 1, 0.5 / max(y.sum(), 1), 0.5 / max((1 - y).sum(), 1))
    weights, bias = np.zeros(len(PARTS)), 0.0
    for _ in range(20_000):
        wrong = shares * (1 / (1 + np.exp(-(x @ weights + bias))) - y)
        weights = np.maximum(0.0, weights - 0.05 * (x.T @ wrong + strength / len(y) * weights))
        bias -= 0.05 * float(wrong.sum())
    return {
        **{part: round(float(w), 3) for part, w in zip(PARTS, weights / scale, strict=True)},
        "bias": round(bias, 3),
    }


def measure(folder: Path, memory: Path | None, journal: Path | None, limit: int | None) -> list[Row]:
    """All answers; each is appended to the journal as it comes, and those in it are not played again."""
    known = (
        [json.loads(line) for line in journal.read_text("utf-8").splitlines()] if journal and journal.exists() else []
    )
    rows: dict[str, Row] = {row["key"]: row for row in known}
    turns = Turns(FaceFinder(), memory)
    makers = (others_swaps(folder, turns, True), own_swaps(folder, turns), others_swaps(folder, turns, False))
    with Engine.open("cpu") as engine:
        for jobs in makers:
            for key, known_of, job in islice(jobs, limit):
                if key in rows:
                    continue
                rows[key] = {"key": key, **known_of, **job(engine)}
                if journal is not None:
                    with journal.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(rows[key]) + "\n")
    return [rescored(row) for row in rows.values()]


def by_set(rows: Sequence[Row]) -> dict[str, Any]:
    """The figures of every set."""
    sets = {name: [row for row in rows if row["set"] == name] for name in dict.fromkeys(row["set"] for row in rows)}
    return {name: figures(of) for name, of in sets.items()}


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/clips and dev/labels.csv")
    parser.add_argument("--limit", type=int, help="play so many turns of each kind only")
    parser.add_argument("--turns", type=Path, help="remember the turns that were found in this file")
    parser.add_argument("--rows", type=Path, help="append every answer to this file; it is resumed from there")
    parser.add_argument("--from-rows", action="store_true", help="sum up the answers of --rows without playing again")
    parser.add_argument("--json", action="store_true", help="print the result as JSON only")
    arguments = parser.parse_args()
    if arguments.from_rows:
        rows = [rescored(json.loads(line)) for line in arguments.rows.read_text("utf-8").splitlines()]
    else:
        rows = measure(arguments.data, arguments.turns, arguments.rows, arguments.limit)
    own = [row for row in rows if row["set"] == "own swaps" and "p_swap" in row]
    result = {
        "machine": describe(),
        "prompt": "natural head turns",
        "baseline_s": BASELINE_S,
        "weights_in_use": {**WEIGHTS, "bias": BIAS},
        "weights_fitted_on_own_swaps": fit(own) if len({row["fake"] for row in own}) == 2 else None,
        "sets": by_set(rows),
    }
    if arguments.limit is None:
        write_result("challenge", result)
    print(json.dumps(result, indent=None if arguments.json else 2))


if __name__ == "__main__":
    main()
