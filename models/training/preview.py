"""Contact sheets of what the detectors learn from: pairs of faces, and film strips of clips."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.models.mtcnn import FaceFinder
from unmask.models.training.clips import Clip, load_clip
from unmask.models.training.forgery import FAMILIES
from unmask.models.training.maps import mri_target
from unmask.models.training.pack import read_pack
from unmask.models.training.pairs import PairMaker
from unmask.models.training.swaps import KINDS, draw_swap
from unmask.models.training.transmission import draw_line

TILE_PX = 144
COLUMNS = 2
FILM_FRAMES = 9
HEADER_PX = 18
HEADS = ("genuine, as recorded", "forged", "pasted where", "map to learn", "genuine, as seen", "forged, as seen")

Image = NDArray[np.uint8]


def write_preview(pack_folder: Path, out: Path, pairs: int = 16, seed: int = 0) -> None:
    """Draw pairs of every family in turn, before and after their common degradation, as one PNG."""
    pack = read_pack(pack_folder)
    names = [name for name in FAMILIES if name != "resynth" or pack.resynthesised is not None]
    groups = {row.group for row in pack.rows}
    makers = [PairMaker(pack, groups, seed, {name: 1.0}) for name in names]
    strips = []
    for i in range(pairs):
        pair = makers[i % len(makers)].pair(i)
        tiles = (pair.clean_real_rgb, pair.clean_fake_rgb, pair.mask, mri_target(pair), pair.real_rgb, pair.fake_rgb)
        strips.append(_labelled(np.hstack([_tile(t) for t in tiles]), pair.family))
    strips += [np.zeros_like(strips[0])] * (-len(strips) % COLUMNS)
    head = np.zeros((HEADER_PX, strips[0].shape[1], 3), np.uint8)
    for i, text in enumerate(HEADS):
        _write(head, text, (i * TILE_PX + 4, 13))
    rows = [np.hstack(strips[i : i + COLUMNS]) for i in range(0, len(strips), COLUMNS)]
    _save(np.vstack([np.hstack([head] * COLUMNS), *rows]), out)


def write_clip_preview(paths: Sequence[Path], out: Path, seed: int = 0) -> int:
    """Draw film strips of clips as one PNG: each genuine clip above its swap, both sent the same way.

    Args:
        paths: videos; those without a face are left out. Each shows the next kind of live swap.
        out: PNG to write, when there is anything to show.
        seed: draws swaps and transmissions.

    Returns:
        How many clips are on the sheet.
    """
    finder = FaceFinder()
    films: list[Image] = []
    for path in paths:
        clip = load_clip(path, finder)
        if any(found is not None for found in clip.landmarks):
            films.append(_film(clip, np.random.default_rng([seed, len(films)]), list(KINDS)[len(films) % len(KINDS)]))
    if films:
        _save(np.vstack(films), out)
    return len(films)


def _film(clip: Clip, rng: np.random.Generator, kind: str) -> Image:
    """Frames in sequence from the clip's middle on, cut out around the face of the first."""
    swap = draw_swap(rng, kind=kind)
    line = draw_line(rng, len(clip.frames_rgb))
    swapped = swap.play(clip.frames_rgb, clip.landmarks, rng)
    start = next(i for i in _from_middle(len(clip.landmarks)) if clip.landmarks[i] is not None)
    rows = []
    for frames in (clip.frames_rgb, swapped):
        sent = list(line.send(frames, clip.times_s, np.random.default_rng(0), clip.landmarks))
        late = [image for at, image in sent if at >= clip.times_s[start]][:FILM_FRAMES]
        tiles = [_cut(image, clip, start) for image in late]
        rows.append(np.hstack(tiles + [np.zeros_like(tiles[0])] * (FILM_FRAMES - len(tiles))))
    codec = f", {line.codec.name} {line.codec.kbit_s or f'crf {line.codec.crf}'}" if line.codec else ""
    return np.vstack([_labelled(rows[0], "genuine"), _labelled(rows[1], f"{swap.forgery.family}, {kind}{codec}")])


def _from_middle(count: int) -> list[int]:
    return [*range(count // 2, count), *range(count // 2)]


def _cut(image_rgb: Image, clip: Clip, start: int) -> Image:
    """The square around the face of frame `start`, of a frame that may have been sent at another size."""
    spots = clip.landmarks[start]
    if spots is None:
        return _tile(image_rgb)
    scale = image_rgb.shape[1] / clip.frames_rgb[start].shape[1]
    x, y = spots.mean(0) * scale
    reach = max(8.0, 1.9 * float(np.ptp(spots, 0).max()) * scale)
    left, top = max(0, int(x - reach)), max(0, int(y - reach))
    return _tile(image_rgb[top : int(y + reach), left : int(x + reach)])


def _labelled(strip: Image, text: str) -> Image:
    strip = np.ascontiguousarray(strip)
    _write(strip, text, (4, 14))
    return strip


def _write(image: Image, text: str, at_xy: tuple[int, int]) -> None:
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 1)
    cv2.rectangle(image, (at_xy[0] - 2, at_xy[1] - height - 3), (at_xy[0] + width + 2, at_xy[1] + 4), (0, 0, 0), -1)
    cv2.putText(image, text, at_xy, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 0), 1, cv2.LINE_AA)


def _save(sheet_rgb: Image, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out), cv2.cvtColor(sheet_rgb, cv2.COLOR_RGB2BGR))


def _tile(image: NDArray) -> Image:  # type: ignore[type-arg]
    if image.ndim == 2:
        image = np.repeat(np.clip(image * 255, 0, 255).astype(np.uint8)[..., None], 3, 2)
    return np.asarray(cv2.resize(image, (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA), np.uint8)
