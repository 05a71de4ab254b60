"""Faces beside their MRI maps: the files that were judged most surely right, and most wrong.

They show real people: they are written into the folder of the evaluation and nowhere else.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.pipeline.analysis import Analysis, Keyframe
from unmask.stream.report_pictures import overlay
from unmask.stream.scores import Scored
from unmask.stream.writing import writing

FOLDER, INDEX = "examples", "examples.json"
EACH = 3
SIDE_PX = 192
TITLES = {
    "fake_right": "Fake, and most surely called so",
    "fake_wrong": "Fake, and most surely called genuine",
    "real_right": "Genuine, and most surely called so",
    "real_wrong": "Genuine, and most surely called fake",
}

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Example:
    """One shown file; `picture` is the name of its strip: face, map, map over the face."""

    kind: str
    path: str
    p_fake: float
    verdict: str
    method: str
    picture: str


def choose(scored: Sequence[Scored], each: int = EACH) -> Iterator[tuple[str, Scored]]:
    """(kind of example, file): the `each` most extreme of every kind, one per person or scene."""
    answered = sorted((one for one in scored if "p_fake" in one.p), key=lambda one: one.p["p_fake"])
    wanted = {
        "fake_right": [one for one in reversed(answered) if one.row.fake and one.p["p_fake"] >= 0.5],
        "fake_wrong": [one for one in answered if one.row.fake and one.p["p_fake"] < 0.5],
        "real_right": [one for one in answered if not one.row.fake and one.p["p_fake"] < 0.5],
        "real_wrong": [one for one in reversed(answered) if not one.row.fake and one.p["p_fake"] >= 0.5],
    }
    for kind, files in wanted.items():
        by_group = {one.row.group: one for one in reversed(files)}
        firsts = [one for one in files if by_group[one.row.group] is one]
        yield from ((kind, one) for one in firsts[:each])


def write_examples(
    scored: Sequence[Scored], analysed: Callable[[Scored], Analysis], out: Path, run: str
) -> list[Example]:
    """Writes the strips and examples.json; a strip that this run made before is not made again.

    Args:
        analysed: analyses a file anew, for its keyframes. run: names weights and code.

    Raises:
        UsageError: they cannot be written.
    """
    folder = out / FOLDER
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    before = {str(one.get("picture")) for one in read_index(out)}
    examples = []
    for kind, one in choose(scored):
        name = hashlib.sha256(f"{run} {one.row.path}".encode()).hexdigest()[:16] + ".jpg"
        if not (folder / name).is_file() and not _write_strip(analysed(one), one.p["p_fake"], folder / name):
            continue
        examples.append(Example(kind, one.row.path, one.p["p_fake"], one.verdict, one.row.method, name))
    with writing(folder / INDEX):
        (folder / INDEX).write_text(json.dumps([asdict(one) for one in examples], indent=1) + "\n", "utf-8")
    for name in before - {one.picture for one in examples}:
        (folder / Path(name).name).unlink(missing_ok=True)
    return examples


def read_index(out: Path) -> list[dict[str, Any]]:
    """The examples that are there already; none when there is no index that can be read."""
    try:
        found = json.loads((out / FOLDER / INDEX).read_text("utf-8"))
    except (OSError, ValueError):
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def strip(keyframe: Keyframe) -> Image:
    """(192, 576, 3): the face, its map from black (untouched) to bright, and the map in red over the face.

    Without a map the second picture is grey and the third the face again.
    """
    crop = np.asarray(cv2.resize(keyframe.crop_rgb, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)
    if keyframe.map is None:
        return np.hstack([crop, np.full_like(crop, 128), crop])
    large = cv2.resize(keyframe.map, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_NEAREST)
    heat = cv2.cvtColor(cv2.applyColorMap(large, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    return np.hstack([crop, np.asarray(heat, np.uint8), overlay(crop, keyframe.map)])


def _write_strip(analysis: Analysis, p_fake: float, path: Path) -> bool:
    """The keyframe nearest to the file's probability, as a picture; False when there is no keyframe."""
    if not analysis.keyframes:
        return False
    keyframe = min(analysis.keyframes, key=lambda one: abs(one.p_fake - p_fake))
    _, data = cv2.imencode(".jpg", cv2.cvtColor(strip(keyframe), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])
    with writing(path):
        path.write_bytes(data.tobytes())
    return True
