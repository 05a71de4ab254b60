"""Face finding on 1280x720 frames: facenet-pytorch's cascade beside this one, frame by frame in turn.

Both find faces with the same weights. What the product does (search the frame at 640 px, faces from 40 px) stands
beside facenet-pytorch as people call it (whole frame, faces from 20 px), and both are also measured with the other's
settings. Processor time is given beside the clock's, which other work on the machine disturbs.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import skimage.data
import torch
from facenet_pytorch import MTCNN
from machine import describe, write_result
from numpy.typing import NDArray

from unmask.models.machine import cores
from unmask.models.mtcnn import STAGE_THRESHOLDS, FaceFinder
from unmask.models.video import read_clip
from unmask.pipeline.tracks import iou_matrix, match_boxes

Image = NDArray[np.uint8]
Boxes = NDArray[np.float32]
Find = Callable[[Image], Boxes]

SIZE_WH = (1280, 720)
CLIP = Path(__file__).parents[2] / "shared" / "data" / "tests" / "two_faces_720p.mp4"
SETTINGS = {"product": (640, 40), "whole_frame": (1280, 20)}
"""Long side that the frame is shrunk to, and smallest face, both in pixels."""
SAME_FACE_IOU = 0.5


@dataclass
class Measured:
    """One finder's times in ms and boxes, a row for each frame."""

    clock_ms: list[float] = field(default_factory=list)
    busy_ms: list[float] = field(default_factory=list)
    boxes: list[Boxes] = field(default_factory=list)

    def summary(self) -> dict[str, float]:
        """Medians and the 95th percentile."""
        return {
            "median_ms": round(median(self.clock_ms), 2),
            "p95_ms": round(float(np.percentile(self.clock_ms, 95)), 2),
            "processor_median_ms": round(median(self.busy_ms), 2),
            "processor_least_ms": round(min(self.busy_ms), 2),
        }


def frames(clip: Path | None, count: int) -> list[Image]:
    """Frames of a clip, or of a photograph that moves through the picture, all 1280x720."""
    found = [image for _, image in islice(read_clip(clip, every_s=0.4), count)] if clip else list(_moving(count))
    if not found:
        raise SystemExit(f"{clip} has no frame")
    return [cv2.resize(image, SIZE_WH, interpolation=cv2.INTER_AREA) for image in found]  # type: ignore[misc]


def _moving(count: int) -> Iterator[Image]:
    photograph = skimage.data.astronaut()  # type: ignore[no-untyped-call]
    for index in range(count):
        picture = np.full((SIZE_WH[1], SIZE_WH[0], 3), 96, np.uint8)
        left = (index * 40) % (SIZE_WH[0] - 512)
        picture[100:612, left : left + 512] = photograph
        yield picture


def ours(finder: FaceFinder, long_side: int, min_face_px: int) -> Find:
    """This project's cascade."""

    def find(image_rgb: Image) -> Boxes:
        found = finder.find(image_rgb, long_side, min_face_px)
        return np.array([face.box_xyxy for face in found], np.float32).reshape(-1, 4)

    return find


def theirs(peer: MTCNN, threads: int, long_side: int, min_face_px: int) -> Find:
    """facenet-pytorch's cascade on the frame shrunk in the same way."""
    scale = min(1.0, long_side / max(SIZE_WH))
    small_wh = (round(SIZE_WH[0] * scale), round(SIZE_WH[1] * scale))

    def find(image_rgb: Image) -> Boxes:
        torch.set_num_threads(threads)
        small = image_rgb if scale == 1 else cv2.resize(image_rgb, small_wh, interpolation=cv2.INTER_AREA)
        peer.min_face_size = max(20, round(min_face_px * scale))
        boxes, _, _ = peer.detect(small, landmarks=True)
        return np.empty((0, 4), np.float32) if boxes is None else np.asarray(boxes / scale, np.float32)

    return find


def measure(finders: dict[str, Find], images: list[Image], rounds: int) -> dict[str, Measured]:
    """Times of all finders, which take turns at every frame; the first frame of each is not counted."""
    measured = {name: Measured() for name in finders}
    for find in finders.values():
        find(images[0])
    for image in images * rounds:
        for name, find in finders.items():
            clock, busy = time.perf_counter(), time.process_time()
            boxes = find(image)
            measured[name].clock_ms.append((time.perf_counter() - clock) * 1e3)
            measured[name].busy_ms.append((time.process_time() - busy) * 1e3)
            measured[name].boxes.append(boxes)
    return measured


def agreement(wanted: list[Boxes], found: list[Boxes]) -> dict[str, Any]:
    """How much the boxes are facenet-pytorch's."""
    overlaps: list[float] = []
    for a, b in zip(wanted, found, strict=True):
        pairs = match_boxes(a, b, SAME_FACE_IOU)
        overlaps += [float(iou_matrix(a, b)[pair]) for pair in pairs.items()]
    faces, ours_count = sum(map(len, wanted)), sum(map(len, found))
    return {
        "faces": faces,
        "recall": round(len(overlaps) / faces, 4) if faces else None,
        "precision": round(len(overlaps) / ours_count, 4) if ours_count else None,
        "mean_iou": round(float(np.mean(overlaps)), 4) if overlaps else None,
    }


def compare(images: list[Image], rounds: int) -> dict[str, Any]:
    """All figures of the benchmark."""
    torch.set_num_threads(1)
    finder, peer = FaceFinder(), MTCNN(keep_all=True, thresholds=list(STAGE_THRESHOLDS), post_process=False).eval()
    thread_counts = sorted({1, cores()})
    result: dict[str, Any] = {}
    for name, (long_side, min_face_px) in SETTINGS.items():
        finders = {"unmask": ours(finder, long_side, min_face_px)}
        finders |= {f"facenet_pytorch_{n}_threads": theirs(peer, n, long_side, min_face_px) for n in thread_counts}
        measured = measure(finders, images, rounds)
        result[name] = {
            "long_side": long_side,
            "min_face_px": min_face_px,
            **{who: times.summary() for who, times in measured.items()},
            "boxes": agreement(measured["facenet_pytorch_1_threads"].boxes, measured["unmask"].boxes),
        }
    result["ratios"] = ratios(result, thread_counts)
    return result


def ratios(result: dict[str, Any], thread_counts: list[int]) -> dict[str, float]:
    """How many times longer facenet-pytorch takes, at the thread count that suits it best."""

    def best(setting: str, key: str) -> float:
        return min(float(result[setting][f"facenet_pytorch_{n}_threads"][key]) for n in thread_counts)

    pairs = {
        "product_against_facenet_pytorch_as_called": ("whole_frame", "product"),
        "same_settings_product": ("product", "product"),
        "same_settings_whole_frame": ("whole_frame", "whole_frame"),
    }
    found = {}
    for name, (peer, own) in pairs.items():
        found[name] = round(best(peer, "median_ms") / result[own]["unmask"]["median_ms"], 2)
        busy = best(peer, "processor_median_ms") / result[own]["unmask"]["processor_median_ms"]
        found[f"{name}_processor"] = round(busy, 2)
    return found


def options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description="Measure face finding beside facenet-pytorch.")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3, help="times that every frame is searched")
    parser.add_argument("--clip", type=Path, help="default: the shared clip of two faces, else a photograph")
    parser.add_argument("--name", default="mtcnn", help="of the file in benchmarks/results")
    asked = parser.parse_args()
    if asked.frames < 1 or asked.rounds < 1:
        parser.error("--frames and --rounds are at least 1")
    if asked.clip and not asked.clip.is_file():
        parser.error(f"there is no file {asked.clip}")
    return asked


def main() -> None:
    """Measures, prints and writes the result."""
    asked = options()
    clip = asked.clip or (CLIP if CLIP.is_file() else None)
    images = frames(clip, asked.frames)
    result = {
        "benchmark": "mtcnn",
        "size": f"{SIZE_WH[0]}x{SIZE_WH[1]}",
        "frames": len(images),
        "rounds": asked.rounds,
        "pictures": clip.name if clip else "a photograph",
        **compare(images, asked.rounds),
        "machine": describe(),
    }
    path = write_result(asked.name, result)
    if asked.json:
        print(json.dumps(result))
        return
    for name in SETTINGS:
        rows = {who: row["median_ms"] for who, row in result[name].items() if isinstance(row, dict) and who != "boxes"}
        print(f"{name}: " + ", ".join(f"{who} {ms} ms" for who, ms in rows.items()), f"boxes {result[name]['boxes']}")
    print(f"ratios: {result['ratios']}; written: {path}")


if __name__ == "__main__":
    main()
