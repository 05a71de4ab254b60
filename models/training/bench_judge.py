"""What a bench run is judged on: forgeries of held-out people, family by family, and a labelled set of files."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from unmask.models.align import CROP_SIZE, align_face
from unmask.models.mtcnn import FaceFinder
from unmask.models.preprocess import normalise
from unmask.models.spatial import SpatialNet
from unmask.models.training.forgery import FAMILIES
from unmask.models.training.loop import training_device
from unmask.models.training.metrics import auc
from unmask.models.training.pack import read_pack
from unmask.models.training.pairs import PairSource, split_three
from unmask.models.training.recipes import SpatialRecipe
from unmask.models.video import read_clip

PAIRS_PER_FAMILY = 48
PAIRS_SEED = 60_000
FRAMES = 12
"""Looked at in each labelled video, evenly spread."""
MIN_PERIOD_S = 0.2
MIN_CONFIDENCE = 0.9
IMAGE_RIM = 0.15
"""Of an image's longer side, mirrored around it: labelled images are often tight face crops."""
BATCH = 16

Crops = NDArray[np.uint8]
Scorer = Callable[[Crops], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A labelled file.

    Attributes:
        file: where it lies.
        key: its name in the labels file.
        dataset: genuine and forged files of one data set are compared with each other.
        video: a video, not an image.
    """

    file: Path
    key: str
    fake: bool
    dataset: str
    video: bool


def open_scorer(weights: Path) -> Scorer:
    """Logits (n,) of crops (n, 256, 256, 3) by a `SpatialNet`'s saved weights."""
    net = SpatialNet()
    net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    device = training_device()
    net.to(device).eval()

    @torch.inference_mode()
    def score(crops_rgb: Crops) -> NDArray[np.float32]:
        parts = [
            net(torch.from_numpy(normalise(crops_rgb[i : i + BATCH])).to(device))[0].cpu().numpy()
            for i in range(0, len(crops_rgb), BATCH)
        ]
        return np.concatenate(parts)

    return score


class PairJudge:
    """The same pairs of held-out people for every run: so many of each family that the pack can make."""

    def __init__(self, pack_folder: Path, recipe: SpatialRecipe, pairs: int = PAIRS_PER_FAMILY) -> None:
        self._pack_folder, self._recipe, self._pairs = pack_folder, recipe, pairs
        self._crops: dict[str, tuple[Crops, Crops]] = {}

    def figures(self, score: Scorer) -> dict[str, float | None]:
        """AUC of each family's pairs, and their mean as `mean`."""
        if not self._crops:
            self._crops = self._draw()
        found: dict[str, float | None] = {}
        for family, (real, fake) in self._crops.items():
            scores = np.concatenate([score(real), score(fake)])
            found[family] = auc(np.repeat([0, 1], [len(real), len(fake)]), scores)
        return {"mean": _mean(list(found.values())), **found}

    def _draw(self) -> dict[str, tuple[Crops, Crops]]:
        pack = read_pack(self._pack_folder)
        held_out, _, _ = split_three(pack, self._recipe.validation_share, self._recipe.classifier_share)
        crops = {}
        for family in FAMILIES:
            if family == "resynth" and pack.resynthesised is None:
                continue
            maker = PairSource(self._pack_folder, held_out, PAIRS_SEED, {family: 1.0}).open()
            pairs = next(maker.batches(self._pairs))
            crops[family] = (np.stack([p.real_rgb for p in pairs]), np.stack([p.fake_rgb for p in pairs]))
        return crops


def judge_labelled(items: list[Labelled], cache: Path, score: Scorer) -> dict[str, Any]:
    """AUC of the mean logit of each file's crops, within each data set and pooled.

    Returns:
        `pooled`, `within` (mean over the data sets), `over` ("video", or "all" where the videos lack a class),
        `datasets` with the AUC and the counts of each, and `without_face`, files that have no score.
    """
    rows = []
    for item in items:
        crops = crops_of(item, cache)
        rows.append((item, float(score(crops).mean()) if len(crops) else None))
    videos = [item.fake for item in items if item.video]
    over = "video" if len(set(videos)) == 2 else "all"
    scored = [(item, value) for item, value in rows if value is not None]
    headline = [(item, value) for item, value in scored if item.video or over == "all"]
    datasets: dict[str, Any] = {}
    for name in sorted({item.dataset for item in items}):
        part = [(item, value) for item, value in scored if item.dataset == name]
        datasets[name] = {
            "auc": _auc(part),
            "real": sum(not item.fake for item, _ in part),
            "fake": sum(item.fake for item, _ in part),
        }
    within = [datasets[name]["auc"] for name in sorted({item.dataset for item, _ in headline})]
    return {
        "pooled": _auc(headline),
        "within": _mean(within),
        "over": over,
        "datasets": datasets,
        "without_face": len(rows) - len(scored),
    }


def crops_of(item: Labelled, cache: Path) -> Crops:
    """Aligned crops (n, 256, 256, 3) of a file's largest face, n = 0 where there is none; found once and kept.

    A file that cannot be read counts as one without a face.
    """
    kept = cache / f"{_digest(item.file)}.png"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        crops = _find(item)
        strip = np.zeros((1, CROP_SIZE, 3), np.uint8) if not crops else np.concatenate(crops)
        _, encoded = cv2.imencode(".png", cv2.cvtColor(strip, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1])
        partial = kept.with_suffix(".partial")
        partial.write_bytes(encoded.tobytes())
        partial.replace(kept)
    strip_bgr = cv2.imdecode(np.frombuffer(kept.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    strip = np.asarray(cv2.cvtColor(np.asarray(strip_bgr), cv2.COLOR_BGR2RGB), np.uint8)
    return strip[: len(strip) // CROP_SIZE * CROP_SIZE].reshape(-1, CROP_SIZE, CROP_SIZE, 3)


def _find(item: Labelled) -> list[Crops]:
    finder = FaceFinder(training_device().type)
    crops = []
    for image_rgb in _clip_frames(item.file) if item.video else _image(item.file):
        faces = [f for f in finder.find(image_rgb, 640, 48 if item.video else 20) if f.confidence > MIN_CONFIDENCE]
        if faces:
            largest = max(faces, key=lambda f: float(f.box_xyxy[2] - f.box_xyxy[0]))
            crops.append(align_face(image_rgb, largest.landmarks_xy))
    return crops


def _clip_frames(path: Path) -> list[Crops]:
    try:
        with av.open(str(path)) as container:
            duration_s = float(container.duration or 0) / av.time_base
        return [image for _, image in read_clip(path, max(duration_s / FRAMES, MIN_PERIOD_S))][:FRAMES]
    except (OSError, av.FFmpegError, IndexError):
        return []


def _image(path: Path) -> list[Crops]:
    image_bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image_bgr is None:
        return []
    rim = round(IMAGE_RIM * max(image_bgr.shape[:2]))
    wide = cv2.copyMakeBorder(image_bgr, rim, rim, rim, rim, cv2.BORDER_REFLECT_101)
    return [np.asarray(cv2.cvtColor(wide, cv2.COLOR_BGR2RGB), np.uint8)]


def _digest(path: Path) -> str:
    try:
        about = path.stat()
    except OSError:
        return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:20]
    known = f"{path.resolve()} {about.st_size} {about.st_mtime_ns}"
    return hashlib.sha256(known.encode()).hexdigest()[:20]


def _auc(scored: list[tuple[Labelled, float]]) -> float | None:
    return auc([int(item.fake) for item, _ in scored], [value for _, value in scored])


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
