"""Batches of genuine faces and their own forgeries, in an order fixed by the seed."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.models.align import CROP_SIZE
from unmask.models.training.collect import TrainingDataError
from unmask.models.training.degrade import draw_degradation
from unmask.models.training.forgery import FAMILIES, draw_forgery
from unmask.models.training.pack import PACK_MARGIN_PX, Pack, read_pack
from unmask.models.training.recipes import CLIP_SHARE

TIGHT_SOURCES = {"utkface": 0.25}
"""Sources of which less is drawn, with their factor: tight chips of one JPEG quality teach a shortcut."""
DONOR_CANDIDATES = 300


@dataclass(frozen=True, slots=True)
class Pair:
    """A genuine crop, its forgery (both (256, 256, 3) uint8 RGB) and what was pasted where (256, 256) 0..1."""

    real_rgb: NDArray[np.uint8]
    fake_rgb: NDArray[np.uint8]
    mask: NDArray[np.float32]
    clean_real_rgb: NDArray[np.uint8]
    clean_fake_rgb: NDArray[np.uint8]
    family: str


def split_groups(pack: Pack, share: float, seed: int = 0) -> set[str]:
    """About `share` of the pack's groups, for validation: a group is a person or a scene.

    Where a small pack's draw holds no filmed group, some are added: the temporal branch is judged on clips.
    """
    groups = sorted({row.group for row in pack.rows})
    picked = np.random.default_rng(seed).permutation(len(groups))[: max(1, round(share * len(groups)))]
    held_out = {groups[i] for i in picked}
    filmed = sorted({row.group for row in pack.rows if row.clip})
    if len(filmed) > 1 and held_out.isdisjoint(filmed):
        held_out |= set(filmed[: max(1, round(share * len(filmed)))])
    return held_out


def split_three(pack: Pack, validation: float, classifier: float) -> tuple[set[str], set[str], set[str]]:
    """Groups for validation, for the map's classifier (its generator never saw them), and for all other training."""
    held_out = split_groups(pack, validation)
    rest = {row.group for row in pack.rows} - held_out
    judged = split_groups(pack, classifier, seed=1) & rest
    return held_out, judged, rest - judged


@dataclass(frozen=True, slots=True)
class PairSource:
    """What a worker process needs to open its own `PairMaker`."""

    pack_folder: Path
    groups: set[str]
    seed: int
    families: dict[str, float] | None = None
    clip_share: float = CLIP_SHARE

    def open(self) -> "PairMaker":
        """The maker; its pack's faces stay on disk until they are touched."""
        return PairMaker(read_pack(self.pack_folder), self.groups, self.seed, self.families, self.clip_share)


class PairMaker:
    """Draws pairs from a pack; pair `i` of a seed is always the same.

    Raises:
        TrainingDataError: no face of the pack belongs to the groups.
    """

    def __init__(
        self,
        pack: Pack,
        groups: set[str],
        seed: int,
        families: dict[str, float] | None = None,
        clip_share: float = CLIP_SHARE,
    ) -> None:
        self._pack = pack
        self._seed = seed
        self._clip_share = clip_share
        self._families = dict(families or FAMILIES)
        if pack.resynthesised is None and "resynth" in self._families:
            share = self._families.pop("resynth")
            if "reconstruct" in self._families or not self._families:
                self._families["reconstruct"] = self._families.get("reconstruct", 0.0) + share
        self._stills, self._clips = _index(pack, groups)
        if not self._stills and not self._clips:
            raise TrainingDataError("the pack shows too few people: some must train and some must be held out")

    def pair(self, index: int) -> Pair:
        """The pair of that number."""
        rng = np.random.default_rng([self._seed, index])
        row = self._draw_face(rng)
        family = str(rng.choice(list(self._families), p=_shares(self._families)))
        forgery = draw_forgery(rng, family, redrawn=self._pack.resynthesised is not None)
        face, landmarks = np.asarray(self._pack.faces[row]), self._pack.landmarks[row]
        giver = self._donor(rng, row) if family == "cross_identity" else row
        drawn = self._pack.resynthesised if forgery.drawn else None
        faces = self._pack.faces if drawn is None else drawn
        real, fake, mask = forgery.apply(face, landmarks, np.asarray(faces[giver]))
        matrix = _draw_view(rng)
        real, fake, mask = (_view(image, matrix) for image in (real, fake, mask))
        degradation = draw_degradation(rng, CROP_SIZE)
        return Pair(degradation.apply(real), degradation.apply(fake), mask, real, fake, family)

    def batches(self, size: int, start: int = 0, stride: int = 1) -> Iterator[list[Pair]]:
        """Endless batches of `size` pairs, from batch `start` on, every `stride`-th."""
        for number in count(start, stride):
            yield [self.pair(i) for i in range(number * size, (number + 1) * size)]

    def _draw_face(self, rng: np.random.Generator) -> int:
        if self._clips and (not self._stills or rng.random() < self._clip_share):
            rows = self._clips[int(rng.integers(len(self._clips)))]
            return int(rows[int(rng.integers(len(rows)))])
        while True:
            row = self._stills[int(rng.integers(len(self._stills)))]
            if rng.random() < TIGHT_SOURCES.get(self._pack.rows[row].source, 1.0):
                return row

    def _donor(self, rng: np.random.Generator, row: int) -> int:
        """Of some hundred faces, the one of another person whose landmarks lie most alike."""
        candidates = rng.integers(0, len(self._pack.rows), DONOR_CANDIDATES)
        distances = np.abs(self._pack.landmarks[candidates] - self._pack.landmarks[row]).sum((1, 2))
        group = self._pack.rows[row].group
        nearest = (int(c) for c in candidates[np.argsort(distances)])
        return next((c for c in nearest if self._pack.rows[c].group != group), row)


def _index(pack: Pack, groups: set[str]) -> tuple[list[int], list[NDArray[np.int64]]]:
    stills: list[int] = []
    clips: dict[str, list[int]] = defaultdict(list)
    for i, row in enumerate(pack.rows):
        if row.group in groups:
            clips[row.clip].append(i) if row.clip else stills.append(i)
    return stills, [np.array(rows) for rows in clips.values()]


def _shares(families: dict[str, float]) -> NDArray[np.float64]:
    shares = np.array(list(families.values()))
    return np.asarray(shares / shares.sum())


def _draw_view(rng: np.random.Generator) -> NDArray[np.float32]:
    """Crop jitter as a live detector has it: shift 3 px, scale 5 %, roll 2 degrees, mirrored half of the time."""
    centre = CROP_SIZE / 2
    rotation = cv2.getRotationMatrix2D((centre, centre), rng.normal(0, 2), rng.uniform(0.95, 1.07))
    matrix = np.asarray(rotation, np.float32)
    matrix[:, 2] += rng.normal(0, 3, 2).astype(np.float32) - matrix[:, :2].sum(1) * np.float32(PACK_MARGIN_PX)
    if rng.random() < 0.5:
        matrix[0] *= -1
        matrix[0, 2] += CROP_SIZE - 1
    return matrix


def _view(image: NDArray, matrix: NDArray[np.float32]) -> NDArray:  # type: ignore[type-arg]
    return np.asarray(cv2.warpAffine(image, matrix, (CROP_SIZE, CROP_SIZE), borderMode=cv2.BORDER_REFLECT_101))
