"""How quickly pairs of a genuine face and its forgery are made: on one core, at 256 px, in processor time.

Processor time counts only what the work itself took, so that other work on the machine (but for shared caches and
clock) leaves the figure alone; the time on the clock is given beside it.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import skimage.data
from machine import describe, write_result

from unmask.models.align import CROP_SIZE, TEMPLATE_XY
from unmask.models.training.degrade import draw_degradation
from unmask.models.training.forgery import draw_forgery
from unmask.models.training.pack import PACK_MARGIN_PX, PACK_SIZE, Pack, PackedFace, read_pack
from unmask.models.training.pairs import PairMaker

LANDMARKS_XY = (TEMPLATE_XY + PACK_MARGIN_PX).astype(np.float32)
PORTRAIT = (slice(5, 245), slice(100, 340))
WARM_UP = 40


def portraits(count: int = 16) -> Pack:
    """A pack of versions of one public-domain photograph, for machines without a pack of their own."""
    face = cv2.resize(skimage.data.astronaut()[PORTRAIT], (PACK_SIZE, PACK_SIZE), interpolation=cv2.INTER_CUBIC)
    faces = np.stack([cv2.convertScaleAbs(face, alpha=1 + 0.02 * i, beta=-2 * i) for i in range(count)])
    rows = [PackedFace("photograph", str(i), "", 0.0, 120.0, 1.0) for i in range(count)]
    return Pack(faces, np.stack([LANDMARKS_XY] * count), rows, faces[::-1].copy())


def measure(work: Callable[[int], object], pairs: int) -> dict[str, float]:
    """Pairs per second of one core's time and of the clock's."""
    for number in range(WARM_UP):
        work(number)
    busy, clock = time.process_time(), time.perf_counter()
    for number in range(WARM_UP, WARM_UP + pairs):
        work(number)
    busy, clock = time.process_time() - busy, time.perf_counter() - clock
    return {"pairs_per_cpu_s": round(pairs / busy, 1), "pairs_per_s": round(pairs / clock, 1)}


def stages(pack: Pack) -> dict[str, Callable[[int], object]]:
    """What is measured, each as a function of the pair's number."""
    makers = PairMaker(pack, {row.group for row in pack.rows}, seed=0)
    faces = [np.array(pack.faces[i * len(pack.rows) // 16]) for i in range(16)]
    marks = [pack.landmarks[i * len(pack.rows) // 16] for i in range(16)]
    crops = [np.ascontiguousarray(face[16:-16, 16:-16]) for face in faces]

    def forge(number: int) -> object:
        rng = np.random.default_rng([0, number])
        return draw_forgery(rng).apply(faces[number % 16], marks[number % 16], faces[(number + 1) % 16])

    def degrade(number: int, codec: bool) -> object:
        drawn = draw_degradation(np.random.default_rng([1, number]), CROP_SIZE)
        drawn = drawn if codec else replace(drawn, codec=None)
        return drawn.apply(crops[number % 16]), drawn.apply(crops[(number + 1) % 16])

    def both(number: int, codec: bool) -> object:
        return forge(number), degrade(number, codec)

    return {
        "forgery": forge,
        "degradation_without_codec": lambda n: degrade(n, codec=False),
        "degradation": lambda n: degrade(n, codec=True),
        "forgery_and_degradation_without_codec": lambda n: both(n, codec=False),
        "forgery_and_degradation": lambda n: both(n, codec=True),
        "training_pair": makers.pair,
    }


def options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description="Measure how quickly training pairs are made.")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.add_argument("--pairs", type=int, default=600)
    parser.add_argument("--pack", type=Path, help="written by `unmask train pack`; a photograph without it")
    parser.add_argument("--name", default="forgery", help="of the file in benchmarks/results")
    asked = parser.parse_args()
    if asked.pairs < 1:
        parser.error("--pairs is at least 1")
    return asked


def main() -> None:
    """Measures, prints and writes the result."""
    asked = options()
    cv2.setNumThreads(1)
    pack = read_pack(asked.pack) if asked.pack else portraits()
    figures: dict[str, Any] = {name: measure(work, asked.pairs) for name, work in stages(pack).items()}
    result = {
        "benchmark": "forgery",
        "size_px": CROP_SIZE,
        "pairs": asked.pairs,
        "faces": f"{len(pack.rows)} of a pack" if asked.pack else "versions of one photograph",
        "cores_used": 1,
        **figures,
        "machine": describe(),
    }
    path = write_result(asked.name, result)
    if asked.json:
        print(json.dumps(result))
        return
    for name, found in figures.items():
        print(
            f"{name:40}{found['pairs_per_cpu_s']:8.1f} pairs per second of one core ({found['pairs_per_s']:.1f} seen)"
        )
    print(f"written: {path}")


if __name__ == "__main__":
    main()
