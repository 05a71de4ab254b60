"""What the file page gets of an analysis: the published result, the details that show why, and the report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from unmask.models.engine import Engine
from unmask.pipeline.analysis import Analysis, Keyframe, TimelinePoint, analyze
from unmask.pipeline.errors import UnreadableFile
from unmask.stream.report import report_html
from unmask.stream.report_pictures import CROP_PX, jpeg_uri, overlay
from unmask.stream.source import read_file

MOST_POINTS = 3000


@dataclass(frozen=True, slots=True)
class Finding:
    """One analysed file.

    Attributes:
        result: what `unmask analyze --json` prints.
        details: timeline, deciding frames with their pictures, and each face's branches.
        report: the self-contained HTML page.
    """

    result: dict[str, object]
    details: dict[str, object]
    report: str


Progress = Callable[[float], None]
Analyze = Callable[[Path, str, str, Engine, Progress], Finding]


def analyze_file(path: Path, name: str, method: str, engine: Engine, progress: Progress) -> Finding:
    """Analyses a file from start to end; blocking.

    Raises:
        UnreadableFile: it is not a video or image; the sentence names `name`, never `path`.
    """
    try:
        frames = read_file(path, name)
    except UnreadableFile as error:
        raise UnreadableFile(str(error).replace(str(path), name)) from None

    def seconds_done(done_s: float) -> None:
        progress(min(1.0, done_s / frames.duration_s) if frames.duration_s else 0.0)

    with frames:
        analysis = analyze(frames, engine, file=name, method=method, progress=seconds_done)
    return Finding(analysis.to_json(), details_of(analysis), report_html([analysis]))


def details_of(analysis: Analysis) -> dict[str, object]:
    """What the result leaves out, as JSON."""
    return {
        "decided_by": analysis.decisive.track if analysis.decisive else None,
        "timeline": [_point(point) for point in thinned(analysis.timeline, MOST_POINTS)],
        "keyframes": [_keyframe(keyframe) for keyframe in analysis.keyframes],
        "tracks": {
            str(track.track): {
                name: {"p_fake": round(part.p_fake, 4), "weight": round(part.weight, 4)}
                for name, part in track.branches.items()
            }
            for track in analysis.tracks
        },
    }


def thinned(points: Sequence[TimelinePoint], most: int) -> list[TimelinePoint]:
    """At most `most` points spread evenly over each face's presence; of neighbours the highest probability is kept."""
    if len(points) <= most:
        return list(points)
    step = -(-len(points) // most)
    kept: list[TimelinePoint] = []
    for track in sorted({point.track for point in points}):
        own = [point for point in points if point.track == track]
        groups = (own[at : at + step] for at in range(0, len(own), step))
        kept += [max(group, key=lambda point: -1.0 if point.p_fake is None else point.p_fake) for group in groups]
    return kept


def _point(point: TimelinePoint) -> dict[str, object]:
    return {
        "t": round(point.pts_s, 2),
        "track": point.track,
        "state": point.state.value,
        "p": None if point.p_fake is None else round(point.p_fake, 4),
        "branches": {name: round(p, 4) for name, p in point.branches.items()},
    }


def _keyframe(keyframe: Keyframe) -> dict[str, object]:
    crop = np.asarray(cv2.resize(keyframe.crop_rgb, (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA), np.uint8)
    return {
        "t": round(keyframe.pts_s, 2),
        "track": keyframe.track,
        "p": round(keyframe.p_fake, 4),
        "crop": jpeg_uri(crop),
        "map": None if keyframe.map is None else jpeg_uri(overlay(crop, keyframe.map)),
    }
