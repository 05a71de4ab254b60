"""A contact sheet of what the detectors learn from."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.models.training.maps import mri_target
from unmask.models.training.pack import read_pack
from unmask.models.training.pairs import PairMaker

TILE_PX = 144
COLUMNS = 2


def write_preview(pack_folder: Path, out: Path, pairs: int = 16, seed: int = 0) -> None:
    """Rows of genuine, forged, mask and target map, with the forgery's family, as one PNG."""
    pack = read_pack(pack_folder)
    maker = PairMaker(pack, {row.group for row in pack.rows}, seed)
    strips = []
    for i in range(pairs):
        pair = maker.pair(i)
        tiles = [_tile(t) for t in (pair.real_rgb, pair.fake_rgb, pair.mask, mri_target(pair))]
        strip = np.hstack(tiles)
        cv2.putText(strip, pair.family, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 0), 1, cv2.LINE_AA)
        strips.append(strip)
    strips += [np.zeros_like(strips[0])] * (-len(strips) % COLUMNS)
    sheet = np.vstack([np.hstack(strips[i : i + COLUMNS]) for i in range(0, len(strips), COLUMNS)])
    out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))


def _tile(image: NDArray) -> NDArray[np.uint8]:  # type: ignore[type-arg]
    if image.ndim == 2:
        image = np.repeat(np.clip(image * 255, 0, 255).astype(np.uint8)[..., None], 3, 2)
    return np.asarray(cv2.resize(image, (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA), np.uint8)
