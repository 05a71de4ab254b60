"""How the cost of a frame grows with the faces in it, from none to sixteen."""

import time
from typing import Any

import cv2
import numpy as np
import skimage.data
from common import Result, cpu_s, parser, publish
from live import warm_up
from matplotlib.figure import Figure
from timecode import Image

from unmask.models.engine import Engine
from unmask.pipeline.detector import Detector
from unmask.pipeline.types import Frame
from unmask.stream.source_demo import FACE_XY

SIZE_WH, GRID_WH, FPS = (1280, 720), (4, 4), 15.0
AROUND_PX = 85
"""Half the side of what is cut out of the photograph around the face."""
WANDER_PX = 3.0
COUNTS = (0, 1, 2, 4, 6, 8, 12, 16)


class Crowd:
    """Draws frames with so many faces, one a tile, that move a little."""

    def __init__(self, faces: int) -> None:
        photo = np.asarray(skimage.data.astronaut(), np.uint8)
        x, y = (int(value) for value in FACE_XY)
        around = photo[y - AROUND_PX : y + AROUND_PX, x - AROUND_PX : x + AROUND_PX]
        self._tile_wh = SIZE_WH[0] // GRID_WH[0], SIZE_WH[1] // GRID_WH[1]
        side = self._tile_wh[1]
        self._face = np.asarray(cv2.resize(around, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)
        places = np.random.default_rng(5).permutation(GRID_WH[0] * GRID_WH[1])[:faces]
        self._places = [(int(place) % GRID_WH[0], int(place) // GRID_WH[0]) for place in places]

    def picture_rgb(self, seq: int) -> Image:
        """(720, 1280, 3)."""
        width, height = self._tile_wh
        image_rgb = np.full((SIZE_WH[1], SIZE_WH[0], 3), 96, np.uint8)
        for column, row in self._places:
            turn = seq / 7 + column + 2 * row
            shift = np.array(
                [[1, 0, (width - height) / 2 + WANDER_PX * np.sin(turn)], [0, 1, WANDER_PX * np.cos(turn)]]
            )
            tile = cv2.warpAffine(self._face, shift, self._tile_wh, borderValue=(96, 96, 96))
            image_rgb[row * height : (row + 1) * height, column * width : (column + 1) * width] = tile
        return image_rgb


def measure(engine: Engine, faces: int, frames: int, skipped: int) -> Result:
    """Cost of a frame with so many faces, once the detector follows them."""
    detector, crowd = Detector(engine, f"crowd of {faces}"), Crowd(faces)
    taken_ms, used_ms, found = [], [], []
    for seq in range(skipped + frames):
        image_rgb, now_s = crowd.picture_rgb(seq), time.monotonic()
        frame = Frame(image_rgb, seq / FPS, now_s, now_s, "crowd", seq)
        start_s, start_cpu_s = time.perf_counter(), cpu_s()
        verdicts = detector.step(frame)
        if seq >= skipped:
            taken_ms.append((time.perf_counter() - start_s) * 1e3)
            used_ms.append((cpu_s() - start_cpu_s) * 1e3)
            found.append(len(verdicts))
    return {
        "faces": faces, "faces_found": round(float(np.mean(found)), 2),
        "ms_per_frame": round(float(np.median(taken_ms)), 2), "ms_mean": round(float(np.mean(taken_ms)), 2),
        "ms_p95": round(float(np.percentile(taken_ms, 95)), 2), "cpu_ms_per_frame": round(float(np.mean(used_ms)), 2),
    }  # fmt: skip


def with_cost(rows: list[Result]) -> Result:
    """Adds to each row what a face costs beyond the frame without faces; and the line through all rows."""
    empty = rows[0]
    for row in rows:
        more = row["cpu_ms_per_frame"] - empty["cpu_ms_per_frame"]
        row["cpu_ms_per_face"] = round(more / row["faces_found"], 2) if row["faces_found"] else None
    found = np.array([row["faces_found"] for row in rows])
    lines = {}
    for key in ("ms_per_frame", "cpu_ms_per_frame"):
        slope, base = np.polyfit(found, [row[key] for row in rows], 1)
        lines[key] = {"base_ms": round(float(base), 2), "per_face_ms": round(float(slope), 2)}
    return {"rows": rows, "line": lines, "all_found": all(row["faces_found"] >= 0.98 * row["faces"] for row in rows)}


def draw(result: Result, figure: Figure) -> None:
    """Both costs over the number of faces."""
    axes = figure.add_subplot()
    found = [row["faces_found"] for row in result["rows"]]
    for key, label in (("ms_per_frame", "time, median"), ("cpu_ms_per_frame", "CPU time, all cores, mean")):
        axes.plot(found, [row[key] for row in result["rows"]], "o-", label=label)
    axes.set(xlabel="faces in the frame", ylabel="ms per frame", ylim=(0, None))
    axes.legend()
    axes.set_title(f"{result['size']}, {result['device']}, {result['machine']['cpu']}", fontsize=10)


def options() -> Any:
    """What was asked for."""
    made = parser("Measure how the cost grows with the faces in a frame.", "faces")
    made.add_argument("--frames", type=int, help="measured for each number of faces; 120 without it")
    asked = made.parse_args()
    asked.frames = asked.frames or (4 if asked.quick else 120)
    asked.counts = (0, 1, 4) if asked.quick else COUNTS
    asked.skipped = 6 if asked.quick else 45
    return asked


def main() -> None:
    """Measures, prints and writes the result and its plot."""
    asked = options()
    with Engine.open(asked.device) as engine:
        warm_up(engine, [Crowd(4).picture_rgb(seq) for seq in range(5)])
        rows = [measure(engine, faces, asked.frames, asked.skipped) for faces in asked.counts]
        device = engine.device
    figures = with_cost(rows)
    result = {"device": device, "size": "x".join(map(str, SIZE_WH)), "frames": asked.frames, **figures}
    lines = [
        f"{row['faces']:3} faces ({row['faces_found']:g} found): {row['ms_per_frame']} ms, "
        f"CPU {row['cpu_ms_per_frame']} ms per frame, {row['cpu_ms_per_face']} ms per face"
        for row in rows
    ]
    publish(asked, result, lines, draw)


if __name__ == "__main__":
    main()
