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
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.models.align import TEMPLATE_XY, similarity_matrix
from unmask.models.training.hulls import HULLS, ORGANS, random_polygon
from unmask.models.training.looks import ColourShift, Texture, draw_colour, draw_texture

Image = NDArray[np.uint8]
Mask = NDArray[np.float32]

FAMILIES = {
    "self_blend": 0.28, "reconstruct": 0.17, "resynth": 0.24, "cross_identity": 0.14, "organ": 0.11, "whole": 0.06,
}  # fmt: skip
"""Share of each family in training."""
DRAWN_SHARE = {"resynth": 1.0, "cross_identity": 0.5, "organ": 0.5, "whole": 0.5}
"""How often a family's source is a face drawn anew by an autoencoder, where there is one."""

SHIFT_X, SHIFT_Y, SCALE = 0.03, 0.015, 0.05
"""Misplacement of the pasted face as shares of the crop, and its size error (SBI 2.1 step 5)."""
OPACITIES = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)
"""Blend ratios of SBI; reconstructions are pasted nearly opaque, as tools do."""
OPAQUE = (0.7, 0.85, 1.0, 1.0, 1.0)
WARP_PX = (0.3, 2.5)
"""Amplitude at 256 px of a smooth deformation of the pasted face: features sit a little wrong in most swaps."""
ELASTIC_PX = (0.5, 7.0)
"""Amplitude of the mask's elastic deformation at 256 px."""
FEATHER_PX = (0.8, 9.0)
"""Gaussian sigma of the mask's edge at 256 px."""


@dataclass(frozen=True, slots=True)
class Forgery:
    """One drawn recipe.

    Attributes:
        family: one of `FAMILIES`.
        hull_xy: (k, 2) polygon in the aligned crop's template frame; the mask is its convex hull.
        elastic: (2, g, g) displacement grid of the mask in pixels at 256 px; `warp` is the pasted face's.
        feather_px: (first, second) Gaussian sigmas; between them the mask is cut at `threshold`, when above 0.
        opacity: of the pasted face, 0..1.
        affine: (scale, shift x, shift y) of the pasted face, shifts as shares of the crop.
        colour, texture: what happens to the pasted face (or, with `on_target`, to the face it is pasted onto).
        on_target: transform the target, which is then the genuine example too (kills "blurred means forged").
    """

    family: str
    hull_xy: NDArray[np.float32]
    elastic: NDArray[np.float32]
    feather_px: tuple[float, float]
    threshold: float
    opacity: float
    affine: tuple[float, float, float]
    colour: ColourShift
    texture: Texture
    on_target: bool
    warp: NDArray[np.float32] | None = None
    drawn: bool = False

    def jittered(self, rng: np.random.Generator, strength: float) -> "Forgery":
        """The same recipe as a live swap repeats it in the next frame: place, colour and opacity tremble."""
        scale, dx, dy = self.affine
        noise = rng.normal(0, strength, 3)
        return replace(
            self,
            affine=(scale + 0.004 * noise[0], dx + 0.004 * noise[1], dy + 0.004 * noise[2]),
            colour=self.colour.jittered(rng, strength),
        )

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
        mask = np.ones((size, size), np.float32)
        if self.family != "whole":
            matrix = self._affine_matrix(size)
            source = source if self.warp is None else displaced(source, self.warp)
            source = np.asarray(
                cv2.warpAffine(source, matrix, (size, size), borderMode=cv2.BORDER_REFLECT_101), np.uint8
            )
            mask = cv2.warpAffine(self._hull_mask(landmarks_xy, size), matrix, (size, size))  # type: ignore[assignment]
            mask = self._soften(mask) * self.opacity
        return target, blend(source, target, mask), mask

    def _look(self, image_rgb: Image) -> Image:
        return self.texture.apply(self.colour.apply(image_rgb))

    def _affine_matrix(self, size: int) -> NDArray[np.float32]:
        scale, dx, dy = self.affine
        centre = (1 - scale) * size / 2
        return np.array([[scale, 0, centre + dx * size], [0, scale, centre + dy * size]], np.float32)

    def _hull_mask(self, landmarks_xy: NDArray[np.float32], size: int) -> Mask:
        matrix = cv2.invertAffineTransform(similarity_matrix(landmarks_xy))
        points = self.hull_xy @ matrix[:, :2].T + matrix[:, 2]
        mask = np.zeros((size, size), np.float32)
        cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points).astype(np.int32)), 1.0)
        return mask

    def _soften(self, mask: Mask) -> Mask:
        size = mask.shape[0]
        unit = size / 256
        mask = displaced(mask, self.elastic)
        mask = cv2.GaussianBlur(mask, (0, 0), self.feather_px[0] * unit)  # type: ignore[assignment]
        if self.threshold > 0:
            mask = (mask > self.threshold).astype(np.float32)
            mask = cv2.GaussianBlur(mask, (0, 0), self.feather_px[1] * unit)  # type: ignore[assignment]
        return mask / max(float(mask.max()), 1e-6)


def draw_forgery(rng: np.random.Generator, family: str | None = None) -> Forgery:
    """Draw a recipe; the family follows `FAMILIES` unless it is named."""
    family = family or str(rng.choice(list(FAMILIES), p=list(FAMILIES.values())))
    low_resolution = family in ("reconstruct", "resynth", "whole") or (
        family in ("cross_identity", "organ") and rng.random() < 0.5
    )
    on_target = family == "self_blend" and rng.random() < 0.5
    steps = int(rng.integers(4, 9))
    drawn = bool(rng.random() < DRAWN_SHARE.get(family, 0.0))
    warped = family != "self_blend" and rng.random() < 0.5
    return Forgery(
        family=family,
        hull_xy=_draw_hull(rng, family),
        elastic=rng.normal(0, 1, (2, steps, steps)).astype(np.float32) * np.float32(rng.uniform(*ELASTIC_PX)),
        feather_px=(float(rng.uniform(*FEATHER_PX)), float(rng.uniform(*FEATHER_PX))),
        threshold=float(rng.uniform(0.2, 0.9)) if rng.random() < 0.5 else 0.0,
        opacity=float(rng.choice(OPACITIES if family == "self_blend" else OPAQUE)),
        affine=(
            1 + float(rng.uniform(-SCALE, SCALE)) * (0.4 if low_resolution else 1.0),
            float(rng.uniform(-SHIFT_X, SHIFT_X)) * (0.4 if low_resolution else 1.0),
            float(rng.uniform(-SHIFT_Y, SHIFT_Y)) * (0.4 if low_resolution else 1.0),
        ),
        colour=draw_colour(rng, 0.5 if low_resolution else 1.0),
        texture=draw_texture(rng, low_resolution and not drawn),
        on_target=on_target,
        warp=(rng.normal(0, 1, (2, 5, 5)) * rng.uniform(*WARP_PX)).astype(np.float32) if warped else None,
        drawn=drawn,
    )


def _draw_hull(rng: np.random.Generator, family: str) -> NDArray[np.float32]:
    if family == "organ":
        name = str(rng.choice(["mouth", "eyes", "nose", "brows"], p=[0.5, 0.3, 0.1, 0.1]))
        hull = ORGANS[name]
    elif rng.random() < 0.12:
        hull = random_polygon(rng)
    else:
        name = str(rng.choice(list(HULLS), p=[0.5, 0.2, 0.15, 0.15]))
        hull = HULLS[name]
    return (hull + rng.normal(0, 2.8, hull.shape)).astype(np.float32)


def blend(source_rgb: Image, target_rgb: Image, mask: Mask) -> Image:
    """`mask * source + (1 - mask) * target`, rounded."""
    alpha = mask[..., None]
    mixed = source_rgb * alpha + target_rgb * (1 - alpha)
    return np.clip(mixed + 0.5, 0, 255).astype(np.uint8)


def displaced(image: NDArray, grid: NDArray[np.float32]) -> NDArray:  # type: ignore[type-arg]
    """An image (n, n[, c]) under a smooth displacement (2, g, g), in pixels at 256 px."""
    size = image.shape[0]
    dx, dy = (cv2.resize(d * (size / 256), (size, size), interpolation=cv2.INTER_CUBIC) for d in grid)
    rows = np.arange(size, dtype=np.float32)
    return cv2.remap(image, rows[None] + dx, rows[:, None] + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def match_colour(donor_rgb: Image, target_rgb: Image) -> Image:
    """Mean and spread of the donor's inner face moved to the target's, per LAB channel (Reinhard et al. 2001)."""
    size = donor_rgb.shape[0]
    inner = (slice(size // 3, 5 * size // 6), slice(size // 4, 3 * size // 4))
    donor = cv2.cvtColor(donor_rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    target = cv2.cvtColor(target_rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    spread = target[inner].std((0, 1)) / np.maximum(donor[inner].std((0, 1)), 1)
    moved = (donor - donor[inner].mean((0, 1))) * np.clip(spread, 0.6, 1.6) + target[inner].mean((0, 1))
    return np.asarray(cv2.cvtColor(np.clip(moved, 0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB), np.uint8)


def forge_frame(image_rgb: Image, landmarks_xy: NDArray[np.float32], forgery: Forgery) -> Image:
    """Paste a forged face into a whole frame, as a live swap tool does.

    Args:
        image_rgb: (h, w, 3).
        landmarks_xy: (5, 2) pixels of the frame.
        forgery: a recipe that needs no donor.
    """
    matrix = similarity_matrix(landmarks_xy)
    size = 2 * int(TEMPLATE_XY[2, 0])
    crop = np.asarray(
        cv2.warpAffine(image_rgb, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101),
        np.uint8,
    )
    _, forged, mask = forgery.apply(crop, TEMPLATE_XY)
    back = (cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR, (image_rgb.shape[1], image_rgb.shape[0]))
    pasted = np.asarray(cv2.warpAffine(forged, matrix, back[1], flags=back[0]), np.uint8)
    alpha = np.asarray(cv2.warpAffine(np.minimum(mask, _rim(size)), matrix, back[1], flags=back[0]), np.float32)
    return blend(pasted, image_rgb, alpha)


def _rim(size: int) -> Mask:
    """1 inside, falling to 0 at the crop's edge, so that a pasted crop shows no square."""
    ramp = np.clip(np.minimum(np.arange(size), np.arange(size)[::-1]) / (size * 0.06), 0, 1).astype(np.float32)
    return np.minimum(ramp[None], ramp[:, None])
