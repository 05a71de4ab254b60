"""`unmask evaluate --streams`: clips played through the live path, for false alarms and the time to an alarm."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import typer

from unmask.pipeline.errors import InputError, UnreadableFile
from unmask.pipeline.judge import JudgeSettings
from unmask.pipeline.types import Frame, Verdict
from unmask.stream.evaluate_alarms import Moment, false_alarms, played, swap_delays, time_to_alarm
from unmask.stream.evaluate_conditions import at_most
from unmask.stream.evaluate_journal import Journal, Result
from unmask.stream.figures import dataset_name
from unmask.stream.labels import LabelledFile, read_labels, spread
from unmask.stream.progress import bar
from unmask.stream.source_file import read_file

LIVE_HZ = 10.0
"""Frames of media time a second that reach the detector."""
BEFORE_S, LEAST_SWAP_S, MOST_SWAP_S, AFTER_S = 3.0, 6.0, 30.0, 10.0
"""Of a spliced stream: genuine, then the whole fake (a short one repeated, a long one cut), then genuine again."""
VIDEOS = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".m4v"})


class Judge(Protocol):
    """What a detector is to this module."""

    def step(self, frame: Frame) -> list[Verdict]: ...


MODULES = ("evaluate_streams.py", "evaluate_alarms.py", "evaluate_conditions.py")
"""Whose code decides about a result."""

MakeJudge = Callable[[str], Judge]


@dataclass(frozen=True, slots=True)
class Pair:
    """A fake and the genuine clip of the same people and dataset into which it is spliced."""

    genuine: LabelledFile
    fake: LabelledFile

    @property
    def key(self) -> str:
        """Its name."""
        return f"{self.fake.path} into {self.genuine.path}"


def stream_rows(path: Path) -> list[LabelledFile]:
    """The rows of a labels file, or every video below a folder as a genuine clip.

    Raises:
        UsageError: the labels make no sense.
        InputError: the folder holds no video.
    """
    if not path.is_dir():
        return read_labels(path)
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in VIDEOS)
    if not files:
        raise InputError(f"{path} holds no video ({', '.join(sorted(VIDEOS))})")
    names = [file.relative_to(path).as_posix() for file in files]
    return [LabelledFile(name, file, False, group=name, kind="video") for name, file in zip(names, files, strict=True)]


def find_pairs(rows: Sequence[LabelledFile]) -> list[Pair]:
    """Every forged video with a genuine one of its group and dataset."""
    videos = [row for row in rows if row.kind != "image"]
    genuine = {(row.group, dataset_name(row.dataset)): row for row in reversed(videos) if not row.fake}
    keys = [(row, (row.group, dataset_name(row.dataset))) for row in videos if row.fake]
    return [Pair(genuine[key], row) for row, key in keys if key in genuine]


def run_streams(
    rows: Sequence[LabelledFile], make_judge: MakeJudge, journal: Journal, limit: int | None = None
) -> dict[str, Any]:
    """Plays genuine clips and spliced pairs, at most `limit` of each; the figures as streams.json holds them.

    Raises:
        InputError: not one of them could be played.
    """
    clips = spread([row for row in rows if not row.fake and row.kind != "image"], limit)
    pairs = spread(find_pairs(rows), limit)
    jobs: dict[str, Callable[[], Result]] = {
        **{f"clip {row.path}": _clip_job(row, make_judge) for row in clips},
        **{f"pair {pair.key}": _pair_job(pair, make_judge) for pair in pairs},
    }
    with bar("playing", len(jobs), counted=True) as progress:
        for done, (key, job) in enumerate(jobs.items(), 1):
            if key not in journal.found:
                journal.add(key, _tried(job))
            progress.at(done)
    found = {key: journal.found[key] for key in jobs}
    good = {key: result for key, result in found.items() if "error" not in result}
    if not good:
        raise InputError("no stream could be played: there is no genuine video that can be read")
    return stream_figures(
        [result for key, result in good.items() if key.startswith("clip ")],
        [result for key, result in good.items() if key.startswith("pair ")],
        [str(result["error"]) for result in found.values() if "error" in result],
    )


def stream_figures(clips: list[Result], pairs: list[Result], errors: list[str]) -> dict[str, Any]:
    """All figures of the played clips and pairs."""
    datasets = sorted({clip["dataset"] for clip in clips} - {""})
    methods = sorted({pair["method"] for pair in pairs} - {""})
    return {
        "rate_hz": LIVE_HZ,
        "thresholds": asdict(JudgeSettings()),
        "genuine": {
            **false_alarms(clips),
            "by_dataset": {name: false_alarms([one for one in clips if one["dataset"] == name]) for name in datasets},
        },
        "swaps": {
            **time_to_alarm(pairs),
            "by_method": {name: time_to_alarm([one for one in pairs if one["method"] == name]) for name in methods},
        },
        "errors": errors,
        "clips": clips,
        "pairs": pairs,
    }


def play(frames: Iterable[Frame], judge: Judge) -> list[Moment]:
    """What a detector says of every frame."""
    return [
        Moment(frame.pts_s, {verdict.track: str(verdict.state) for verdict in judge.step(frame)}) for frame in frames
    ]


def looped(path: Path, from_s: float, seconds: float, clock_s: float) -> Iterator[Frame]:
    """Frames of a clip from `from_s` on, starting over at its end, for `seconds`; times start at `clock_s`."""
    shown_s, skip_s = 0.0, from_s
    while True:
        first_s = None
        begun_s = shown_s
        with read_file(path, "splice") as frames:
            for frame in at_most(frames, LIVE_HZ):
                if frame.pts_s < skip_s:
                    continue
                first_s = frame.pts_s if first_s is None else first_s
                now_s = begun_s + frame.pts_s - first_s
                if now_s >= seconds - 1e-6:
                    return
                yield _at(frame, clock_s + now_s)
                shown_s = now_s + 1 / LIVE_HZ
        skip_s = 0.0


def _at(frame: Frame, pts_s: float) -> Frame:
    return Frame(frame.image_rgb, pts_s, frame.arrival_s, frame.decoded_s, frame.stream, round(pts_s * LIVE_HZ))


def _clip_job(row: LabelledFile, make_judge: MakeJudge) -> Callable[[], Result]:
    def job() -> Result:
        with read_file(row.file, row.path) as frames:
            if frames.is_image:
                raise UnreadableFile(f"{row.path} is a picture, not a video")
            moments = play(at_most(frames, LIVE_HZ), make_judge(row.path))
        return {**_about(row), **played(moments)}

    return job


def _pair_job(pair: Pair, make_judge: MakeJudge) -> Callable[[], Result]:
    def job() -> Result:
        genuine, fake = pair.genuine.file, pair.fake.file
        before_s = min(BEFORE_S, _seconds(genuine) or BEFORE_S)
        swap_s = min(max(_seconds(fake), LEAST_SWAP_S), MOST_SWAP_S)
        end_s = before_s + swap_s

        def frames() -> Iterator[Frame]:
            yield from looped(genuine, 0.0, before_s, 0.0)
            yield from looped(fake, before_s, swap_s, before_s)
            yield from looped(genuine, before_s, AFTER_S, end_s)

        found = played(play(frames(), make_judge(pair.key)))
        about = {**_about(pair.fake), "genuine": pair.genuine.path, "swap_s": before_s, "swap_end_s": end_s}
        return {**about, **found, "swap": swap_delays(found["segments"], before_s, end_s)}

    return job


def _about(row: LabelledFile) -> Result:
    return {"path": row.path, "group": row.group, "dataset": dataset_name(row.dataset), "method": row.method}


def _seconds(path: Path) -> float:
    with read_file(path, path.name) as frames:
        return frames.duration_s


def _tried(job: Callable[[], Result]) -> Result:
    """A job's result; a file that cannot be read is an error and no figure."""
    try:
        return job()
    except UnreadableFile as error:
        typer.echo(f"error: {error}", err=True)
        return {"error": str(error)}
