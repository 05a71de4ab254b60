"""How well the change of the evidence during a head turn tells a live swap from a genuine face.

Natural head turns are looked for in clips: frontal for a second, then turned. Genuine clips are played as they are
and with swaps of our own (`models.training.swaps`); labelled clips of others (`dev/labels.csv`) are played as they
are. Nobody in these clips was asked to turn: docs/challenge.md says what that leaves unmeasured.
"""

import argparse
import csv
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from machine import describe, write_result
from numpy.typing import NDArray

from unmask.models.engine import Engine
from unmask.models.mtcnn import Detection, FaceFinder
from unmask.models.training.clips import Clip
from unmask.models.training.metrics import auc, bootstrap_auc
from unmask.models.training.swaps import draw_swap
from unmask.models.training.transmission import transmit
from unmask.models.video import read_clip
from unmask.pipeline.challenge import Challenge, ChallengeSettings, Prompt
from unmask.pipeline.challenge_follow import TURN_YAW
from unmask.pipeline.challenge_sample import take_sample
from unmask.pipeline.challenge_score import BIAS, WEIGHTS, Evidence
from unmask.pipeline.detector import Detector
from unmask.pipeline.quality import head_yaw
from unmask.pipeline.types import Frame

BASELINE_S, SEARCH_S, LONGEST_S = 1.0, 6.0, 60.0
"""Of a natural turn: frontal before it, at most how long before, and how much of a clip is searched."""
STEADY_YAW, FRONTAL_YAW = 0.35, 0.6
LIVE_HZ, CLIP_HZ, SCAN_HZ = 7.0, 25.0, 5.0
MAX_SIDE_PX = 640
SWAPS_PER_TURN = 1
RESAMPLES = 2000
PARTS = ("fused", "map", "flicker", "jitter")

Image = NDArray[np.uint8]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """A natural head turn: from the start of the frontal part to where the head is turned, in seconds of the clip."""

    start_s: float
    turned_s: float
    prompt: Prompt


@dataclass(frozen=True, slots=True)
class Labelled:
    """A clip of somebody's; `group` is whose face it is."""

    path: Path
    fake: bool
    dataset: str
    method: str
    group: str


def shrink(image_rgb: Image) -> Image:
    """At most 640 pixels on the longer side, with even sides."""
    height, width = image_rgb.shape[:2]
    scale = min(1.0, MAX_SIDE_PX / max(height, width))
    size_wh = (round(width * scale) // 2 * 2, round(height * scale) // 2 * 2)
    return np.asarray(cv2.resize(image_rgb, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


class Follower:
    """The largest face from picture to picture."""

    def __init__(self, finder: FaceFinder) -> None:
        self._finder = finder
        self._last: Detection | None = None
        self._count = 0

    def find(self, image_rgb: Image) -> Detection | None:
        """The face in this picture."""
        self._count += 1
        face = None
        if self._last is not None and self._count % 5:
            refined = self._finder.refine(image_rgb, self._last.box_xyxy[None])[0]
            face = refined if refined.confidence > 0.7 else None
        if face is None:
            found = [f for f in self._finder.find(image_rgb) if f.confidence > 0.9]
            face = max(found, key=lambda f: float(f.box_xyxy[2] - f.box_xyxy[0]), default=None)
        self._last = face
        return face


class Turns:
    """The natural head turns of clips, remembered in a file where one is given."""

    def __init__(self, finder: FaceFinder, memory: Path | None) -> None:
        self._finder = finder
        self._memory = memory
        self._known: dict[str, list[Any]] = {}
        if memory is not None and memory.exists():
            self._known = json.loads(memory.read_text(encoding="utf-8"))

    def of(self, path: Path) -> list[Turn]:
        """The turns of the first minute of a clip."""
        if path.name not in self._known:
            self._known[path.name] = [(t.start_s, t.turned_s, t.prompt) for t in find_turns(path, self._finder)]
            if self._memory is not None:
                self._memory.write_text(json.dumps(self._known), encoding="utf-8")
        return [Turn(start_s, turned_s, Prompt(prompt)) for start_s, turned_s, prompt in self._known[path.name]]


def find_turns(path: Path, finder: FaceFinder) -> list[Turn]:
    """The natural head turns of the first minute of a clip."""
    follower, rows = Follower(finder), []
    for pts_s, image_rgb in read_clip(path, 1 / SCAN_HZ):
        if pts_s > LONGEST_S:
            break
        face = follower.find(shrink(image_rgb))
        if face is not None:
            rows.append((pts_s, head_yaw(face.landmarks_xy)))
    return turns_in(rows)


def turns_in(rows: Sequence[tuple[float, float]]) -> list[Turn]:
    """Turns in a course of (seconds, yaw): the head is turned, and was frontal for a second shortly before."""
    if len(rows) < 3:
        return []
    times = np.array([t for t, _ in rows])
    yaw = np.convolve(np.pad([y for _, y in rows], 1, "edge"), [0.25, 0.5, 0.25], "valid")
    turns: list[Turn] = []
    free_s = -np.inf
    for turned, turned_s in enumerate(times):
        starts = times[(times >= max(free_s, turned_s - SEARCH_S)) & (times <= turned_s - BASELINE_S)]
        for start_s in starts[::-1]:
            middle = frontal(times, yaw, float(start_s))
            if middle is not None and abs(yaw[turned] - middle) >= TURN_YAW:
                side = Prompt.TURN_LEFT if yaw[turned] > middle else Prompt.TURN_RIGHT
                turns.append(Turn(float(start_s), float(turned_s), side))
                free_s = turned_s + 1.0
                break
    return turns


def frontal(times: NDArray[np.float64], yaw: NDArray[np.float64], start_s: float) -> float | None:
    """The yaw of a steady, frontal second from `start_s` on; None where it is not one."""
    there = (times >= start_s) & (times < start_s + BASELINE_S)
    if there.sum() < 0.7 * BASELINE_S * SCAN_HZ or np.ptp(yaw[there]) > STEADY_YAW:
        return None
    middle = float(np.median(yaw[there]))
    return middle if abs(middle) <= FRONTAL_YAW else None


def read_turn(path: Path, turn: Turn) -> list[tuple[float, Image]]:
    """(seconds, frame) around a turn at 25 Hz."""
    frames = []
    for pts_s, image_rgb in read_clip(path, 1 / CLIP_HZ):
        if pts_s > turn.turned_s + 2.2:
            break
        if pts_s >= turn.start_s - 0.2:
            frames.append((pts_s, shrink(image_rgb)))
    return frames


def followed(frames: Sequence[tuple[float, Image]], finder: FaceFinder) -> Clip:
    """The frames with the face followed."""
    follower = Follower(finder)
    faces = [follower.find(image_rgb) for _, image_rgb in frames]
    marks = [None if face is None else face.landmarks_xy for face in faces]
    return Clip([pts_s for pts_s, _ in frames], [image_rgb for _, image_rgb in frames], marks)


def play(engine: Engine, frames: Sequence[tuple[float, Image]], turn: Turn) -> Row | None:
    """The turn taken as the answer to its prompt; None where it cannot be compared."""
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
    if result is None or result.evidence is None:
        return None
    return {**numbers(result.evidence), "outcome": result.outcome.value, "rolling": p_fake[-1] if p_fake else None}


def numbers(evidence: Evidence) -> Row:
    """The parts of the evidence, and the score made of them."""
    level = evidence.baseline_fused + evidence.fused
    return {**evidence.as_numbers(), "level": level, "p_swap": evidence.p_swap}


def own_swaps(folder: Path, engine: Engine, finder: FaceFinder, turns: Turns, limit: int | None) -> Iterator[Row]:
    """Genuine training clips against our own swaps of them; all go through the same simulated call."""
    paths = sorted(p for p in (folder / "train" / "clips").glob("*") if p.suffix in (".mp4", ".mkv", ".mov", ".webm"))
    for index, path in enumerate(paths[:limit]):
        for number, turn in enumerate(turns.of(path)):
            clip = followed(read_turn(path, turn), finder)
            for swap in range(SWAPS_PER_TURN + 1):
                rng = np.random.default_rng([index, number, swap])
                frames = draw_swap(rng).play(clip.frames_rgb, clip.landmarks, rng) if swap else clip.frames_rgb
                arrived = list(transmit(frames, clip.times_s, np.random.default_rng([index, number])))
                found = play(engine, arrived, turn)
                if found is not None:
                    yield {"set": "own swaps", "fake": bool(swap), "group": path.stem, **found}


def labelled(folder: Path) -> list[Labelled]:
    """The labelled videos of others."""
    with (folder / "dev" / "labels.csv").open(encoding="utf-8", newline="") as file:
        return [
            Labelled(folder / "dev" / r["path"], r["label"] == "fake", r["dataset"], r["method"], r["group"])
            for r in csv.DictReader(file)
            if r["kind"] == "video"
        ]


def others_swaps(
    folder: Path, engine: Engine, _: FaceFinder, turns: Turns, limit: int | None, live: bool
) -> Iterator[Row]:
    """Labelled clips of others, each with its own natural turns; a swap's turns are those of its original."""
    rows = labelled(folder)
    originals = {(r.dataset, r.group): r for r in rows if not r.fake}
    for row in [row for row in rows if ("DeepFaceLive" in row.dataset) is live][:limit]:
        guide = originals.get((row.dataset, row.group), row) if "DeepFaceLive" in row.dataset else row
        for turn in turns.of(guide.path):
            found = play(engine, read_turn(row.path, turn), turn)
            if found is not None:
                name = "DeepFaceLive" if "DeepFaceLive" in row.dataset else "FaceForensics++"
                yield {"set": name, "fake": row.fake, "group": row.group, "method": row.method, **found}


def rescored(row: Row) -> Row:
    """A kept answer with the score of the weights in use now."""
    fields = {name: row[name] for name in Evidence.__dataclass_fields__}
    return {**row, "p_swap": Evidence(**fields).p_swap}


def figures(rows: Sequence[Row]) -> dict[str, Any]:
    """AUC with its 95 % interval for the score, each of its parts, and what needs no challenge."""
    labels, groups = [row["fake"] for row in rows], [row["group"] for row in rows]
    names = {
        "p_swap": "score",
        **{part: part for part in PARTS},
        "level": "level_in_answer",
        "baseline_fused": "before",
    }
    found: dict[str, Any] = {
        "answers": len(rows),
        "fake": sum(labels),
        "people_or_scenes": len(set(groups)),
        "outcomes": {kind: outcomes(rows, kind == "fake") for kind in ("genuine", "fake")},
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
    """All answers; each is appended to the journal as it comes."""
    rows: list[Row] = []
    finder = FaceFinder()
    turns = Turns(finder, memory)
    with Engine.open("cpu") as engine:
        for maker in (partial(others_swaps, live=True), own_swaps, partial(others_swaps, live=False)):
            for row in maker(folder, engine, finder, turns, limit):
                rows.append(row)
                if journal is not None:
                    with journal.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(row) + "\n")
    return rows


def by_set(rows: Sequence[Row]) -> dict[str, Any]:
    """The figures of every set."""
    sets = {name: [row for row in rows if row["set"] == name] for name in dict.fromkeys(row["set"] for row in rows)}
    return {name: figures(of) for name, of in sets.items()}


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/clips and dev/labels.csv")
    parser.add_argument("--limit", type=int, help="look at so many clips of each kind only")
    parser.add_argument("--turns", type=Path, help="remember the turns that were found in this file")
    parser.add_argument("--rows", type=Path, help="append every answer to this file, a JSON object a line")
    parser.add_argument("--from-rows", action="store_true", help="sum up the answers of --rows without playing again")
    parser.add_argument("--json", action="store_true", help="print the result as JSON only")
    arguments = parser.parse_args()
    if arguments.from_rows:
        rows = [json.loads(line) for line in arguments.rows.read_text(encoding="utf-8").splitlines()]
        rows = [rescored(row) for row in rows]
    else:
        rows = measure(arguments.data, arguments.turns, arguments.rows, arguments.limit)
    own = [row for row in rows if row["set"] == "own swaps"]
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
