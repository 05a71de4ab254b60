"""Forged faces made from genuine ones: what the detectors learn from.

A `Forgery` is a drawn recipe: everything random is in its fields, so that a clip replays one recipe over its
frames (with `jittered` for what a live swap does anew in each frame). Families and their sources:

- `self_blend`: a face blended onto its own transformed copy (SBI, Shiohara & Yamasaki 2022, arXiv 2204.08376).
- `reconstruct`: the inner face through a low-resolution core and back, pasted with a soft mask: what the
  128 px engines of live swap tools do (RBI, arXiv 2312.08020, uses an autoencoder instead).
- `resynth`: the face as an autoencoder drew it anew (`unmask.models.training.resynth`), pasted the same way.
- `cross_identity`: another person's face, colour-matched and blended in (Face X-ray, arXiv 1912.13458).
- `organ`: mouth, eyes or brows alone, as lip-sync and reenactment edits do.
- `whole`: the whole crop through the low-resolution core, no boundary (reenactment, talking heads).

Ranges without a source of their own are those of detection.md 2.1 (SBI's code) and 7.3.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.models.training.blending import (
    Grid,
    Image,
    Mask,
    blend,
    displaced,
    full_size,
    match_colour,
    match_shading,
    placed,
    polygon_mask,
    softened,
)
from unmask.models.training.hulls import draw_hull, fitted
from unmask.models.training.looks import COARSE_CORE_PX, CORE_PX, ColourShift, Texture, draw_colour, draw_texture

FAMILIES = {
    "self_blend": 0.34, "reconstruct": 0.16, "resynth": 0.23, "cross_identity": 0.13, "organ": 0.12, "whole": 0.02,
}  # fmt: skip
"""Share of each family in training."""
DRAWN_SHARE = {"resynth": 1.0, "cross_identity": 0.5, "organ": 0.5, "whole": 0.5}
"""How often a family's source is a face drawn anew by an autoencoder, where there is one."""

SHIFT_X, SHIFT_Y, SCALE = 0.03, 0.015, 0.05
"""Misplacement of the pasted face as shares of the crop, and its size error (SBI 2.1 step 5)."""
OPACITIES = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)
"""Blend ratios of SBI."""
PASTE_OPACITIES = (0.3, 0.4, 0.55, 0.7, 0.85, 1.0)
"""Of all other families. Tools paste opaquely; a faint paste stands for a generator that draws almost right."""
WARP_PX = (0.3, 2.5)
"""Amplitude at 256 px of a smooth deformation of the pasted face: features sit a little wrong in most swaps."""
ELASTIC_PX = (0.5, 7.0)
"""Amplitude of the mask's elastic deformation at 256 px (SBI: alpha 50, sigma 7; hulls have their own jitter)."""
FEATHER_PX = (0.8, 9.0)
"""Gaussian sigma of the mask's edge at 256 px: SBI's kernels of 5 to 25."""
SHADING_PX = (10.0, 24.0)
SHADING_SHARE = {"cross_identity": 0.35, "resynth": 0.15, "reconstruct": 0.1}
"""How often the pasted face takes the target's coarse light: detection.md 7.3 gives Poisson blending a fifth."""


@dataclass(frozen=True, slots=True)
class Forgery:
    """One drawn recipe.

    Attributes:
        family: one of `FAMILIES`.
        hull_xy: (k, 2) polygon in the aligned crop's template frame; the mask is its convex hull,
            fitted to the face's landmarks.
        elastic: (2, g, g) displacement grid of the mask in pixels at 256 px; `warp` is the pasted face's.
        feather_px: (first, second) Gaussian sigmas; between them the mask is cut at `threshold`, when above 0.
        opacity: of the pasted face, 0..1.
        affine: (scale, shift x, shift y) of the pasted face, shifts as shares of the crop.
        colour, texture: what happens to the pasted face (or, with `on_target`, to the face it is pasted onto).
        on_target: transform the target, which is then the genuine example too (kills "blurred means forged").
        drawn: the source is a face drawn anew by an autoencoder.
        shading_px: above 0, the pasted face takes the target's light coarser than that many pixels at 256 px.
    """

    family: str
    hull_xy: NDArray[np.float32]
    elastic: Grid
    feather_px: tuple[float, float]
    threshold: float
    opacity: float
    affine: tuple[float, float, float]
    colour: ColourShift
    texture: Texture
    on_target: bool
    warp: Grid | None = None
    drawn: bool = False
    shading_px: float = 0.0

    def moved(
        self, place: NDArray[np.float64], rgb: NDArray[np.float64] | None = None, drift: Grid | None = None
    ) -> "Forgery":
        """The same recipe a little off, as a live swap repeats it in the next frame.

        Args:
            place: (3,) added to `affine`.
            rgb: (3,) grey levels added to the pasted face.
            drift: (2, g, g) added to `warp`, in pixels at 256 px; of `warp`'s size when there is one.
        """
        warp = self.warp
        if drift is not None:
            warp = drift if warp is None else drift + _regrid(warp, drift.shape[1])
        scale, dx, dy = self.affine
        colour = self.colour if rgb is None else self.colour.moved((float(rgb[0]), float(rgb[1]), float(rgb[2])))
        affine = (scale + float(place[0]), dx + float(place[1]), dy + float(place[2]))
        return replace(self, affine=affine, colour=colour, warp=warp)

    def jittered(self, rng: np.random.Generator, strength: float) -> "Forgery":
        """The same recipe with independent tremble of 0.4 % of the crop and 1.5 grey levels at strength 1."""
        return self.moved(0.004 * rng.normal(0, strength, 3), 1.5 * rng.normal(0, strength, 3))

    def apply(
        self, face_rgb: Image, landmarks_xy: NDArray[np.float32], source_rgb: Image | None = None
    ) -> tuple[Image, Image, Mask]:
        """Forge a face.

        Args:
            face_rgb: (n, n, 3) genuine aligned face.
            landmarks_xy: (5, 2) pixels in `face_rgb`.
            source_rgb: (n, n, 3) aligned face to paste: somebody else's for `cross_identity`, the same face drawn
                anew where `drawn` asks for it; the face itself when None.

        Returns:
            The genuine counterpart (pixel-aligned; not always the input, see `on_target`), the forged face and
            the (n, n) mask of what was pasted, 0..1.
        """
        target = self._look(face_rgb) if self.on_target else face_rgb
        source = face_rgb if source_rgb is None else source_rgb
        if self.family == "cross_identity":
            source = match_colour(source, face_rgb)
        source = source if self.on_target else self._look(source)
        size = face_rgb.shape[0]
        if self.family == "whole":
            return target, source, np.ones((size, size), np.float32)
        matrix = self._affine_matrix(size)
        source = placed(source, matrix, self.warp)
        if self.shading_px:
            source = match_shading(source, target, self.shading_px)
        mask = self._mask(landmarks_xy, matrix, size)
        return target, blend(source, target, mask), mask

    def _look(self, image_rgb: Image) -> Image:
        return self.texture.apply(self.colour.apply(image_rgb))

    def _affine_matrix(self, size: int) -> NDArray[np.float32]:
        scale, dx, dy = self.affine
        centre = (1 - scale) * size / 2
        return np.array([[scale, 0, centre + dx * size], [0, scale, centre + dy * size]], np.float32)

    def _mask(self, landmarks_xy: NDArray[np.float32], matrix: NDArray[np.float32], size: int) -> Mask:
        points = fitted(self.hull_xy, landmarks_xy)
        mask = polygon_mask(points @ matrix[:, :2].T + matrix[:, 2], size)
        half = mask.shape[0] / 256
        mask = displaced(mask, self.elastic)
        mask = softened(mask, (self.feather_px[0] * half, self.feather_px[1] * half), self.threshold)
        return full_size(mask, (size, size), self.opacity)


def draw_forgery(rng: np.random.Generator, family: str | None = None, redrawn: bool = True) -> Forgery:
    """Draw a recipe.

    Args:
        family: follows `FAMILIES` unless it is named.
        redrawn: whether the source can be a face drawn anew; without, textures imitate it.
    """
    family = family or str(rng.choice(list(FAMILIES), p=list(FAMILIES.values())))
    drawn = bool(rng.random() < DRAWN_SHARE.get(family, 0.0)) and redrawn
    low_resolution = family in ("reconstruct", "resynth", "whole") or (
        family in ("cross_identity", "organ") and rng.random() < 0.5
    )
    loose = 0.4 if low_resolution else 1.0
    steps = int(rng.integers(4, 9))
    warped = family not in ("self_blend", "whole") and rng.random() < 0.5
    shaded = rng.random() < SHADING_SHARE.get(family, 0.0)
    return Forgery(
        family=family,
        hull_xy=draw_hull(rng, organ=family == "organ"),
        elastic=rng.normal(0, 1, (2, steps, steps)).astype(np.float32) * np.float32(rng.uniform(*ELASTIC_PX)),
        feather_px=(float(rng.uniform(*FEATHER_PX)), float(rng.uniform(*FEATHER_PX))),
        threshold=float(rng.uniform(0.2, 0.9)) if rng.random() < 0.5 else 0.0,
        opacity=float(rng.choice(OPACITIES if family == "self_blend" else PASTE_OPACITIES)),
        affine=(
            1 + float(rng.uniform(-SCALE, SCALE)) * loose,
            float(rng.uniform(-SHIFT_X, SHIFT_X)) * loose,
            float(rng.uniform(-SHIFT_Y, SHIFT_Y)) * loose,
        ),
        colour=_draw_shift(rng, family, low_resolution),
        texture=draw_texture(rng, _core_px(rng, family, low_resolution, drawn)),
        on_target=family == "self_blend" and rng.random() < 0.5,
        warp=(rng.normal(0, 1, (2, 5, 5)) * rng.uniform(*WARP_PX)).astype(np.float32) if warped else None,
        drawn=drawn,
        shading_px=float(rng.uniform(*SHADING_PX)) if shaded else 0.0,
    )


def _draw_shift(rng: np.random.Generator, family: str, low_resolution: bool) -> ColourShift:
    """Of the pasted face; a whole picture has no surroundings whose colours it could miss."""
    shift = draw_colour(rng, 0.5 if low_resolution else 1.0)
    return ColourShift() if family == "whole" else shift


def _core_px(rng: np.random.Generator, family: str, low_resolution: bool, drawn: bool) -> tuple[int, int] | None:
    """Of the pasted face's low-resolution core; what was drawn anew goes through one only now and then."""
    if not low_resolution or (drawn and rng.random() < 0.6):
        return None
    return COARSE_CORE_PX if family == "whole" and not drawn else CORE_PX


def _regrid(grid: Grid, side: int) -> Grid:
    resized = cv2.resize(np.ascontiguousarray(grid.transpose(1, 2, 0)), (side, side), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(resized.transpose(2, 0, 1))
