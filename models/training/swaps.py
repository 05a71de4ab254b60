"""Live swaps of a whole clip: one recipe, and what real-time tools add to it in time.

Kinds and shares follow detection.md section 3: one recipe replayed (SBV, arXiv 2501.01184), place and colour that
tremble, organs that drift frame by frame (VB, arXiv 2408.17065), a source from another moment of the clip (SSBI,
arXiv 2409.14444), swaps that fall out or lag, and faces found only every few frames (a fork of Deep-Live-Cam).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from unmask.models.align import CROP_SIZE, TEMPLATE_XY
from unmask.models.training.blending import Grid, Image
from unmask.models.training.forgery import Forgery, draw_forgery
from unmask.models.training.paste import aligned, forge_frame

Landmarks = NDArray[np.float32]
Redraw = Callable[[Image], Image]
"""Draws a (256, 256, 3) aligned face anew."""

KINDS = {"steady": 0.33, "tremble": 0.22, "drift": 0.15, "shift": 0.1, "gaps": 0.1, "held": 0.1}
FAMILIES = {"self_blend": 0.35, "reconstruct": 0.45, "organ": 0.1, "whole": 0.1}
REDRAWN_FAMILIES = {"resynth": 0.45, "reconstruct": 0.22, "self_blend": 0.18, "organ": 0.09, "whole": 0.06}
PLACE = (0.003, 0.01)
"""Standard deviation of the paste's place, as a share of the crop."""
COLOUR = (1.0, 3.0)
"""Grey levels."""
DRIFT = (0.005, 0.02)
"""Of each organ, as a share of the distance between the eyes."""
RHO = (0.0, 0.9)
"""How much of a frame's error the next one keeps."""
SHIFT_FRAMES = (2, 15)
GAP_FRAMES = (1, 5)
GAP_CHANCE = 0.02
"""Per frame: about one gap every two seconds."""
MIN_OPACITY = 0.6
ORGAN_PX, KNOTS = 16.0, 12
ORGANS_XY = np.vstack([TEMPLATE_XY, TEMPLATE_XY[:2] - (0, 22), TEMPLATE_XY[3:].mean(0)]).astype(np.float32)
"""Eyes, nose, mouth corners, brows and the mouth's middle, in the aligned crop."""


class Wander:
    """Noise of standard deviation 1 that remembers: x' = rho x + sqrt(1 - rho^2) n."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, ...], rho: float) -> None:
        self._rng, self._rho = rng, rho
        self._state = rng.normal(size=shape)

    def step(self) -> NDArray[np.float64]:
        """The next value."""
        noise = self._rng.normal(size=self._state.shape)
        self._state = self._rho * self._state + np.sqrt(1 - self._rho**2) * noise
        return self._state


@dataclass(frozen=True, slots=True)
class LiveSwap:
    """How one clip is swapped.

    Attributes:
        forgery: the recipe of all frames.
        kind: one of `KINDS`.
        place, colour, drift: standard deviations per frame: share of the crop, grey levels, pixels at 256 px.
        rho: memory of these errors from frame to frame.
        shift: the pasted face is that many frames away.
        held: the face is found every so many frames; lag: and used so many frames late.
        gap: chance per frame that the swap falls out for 1 to 5 frames.
        smoothing: weight of new landmarks against the older ones; 1 does not smooth.
    """

    forgery: Forgery
    kind: str
    place: float = 0.0
    colour: float = 0.0
    drift: float = 0.0
    rho: float = 0.0
    shift: int = 0
    held: int = 1
    lag: int = 0
    gap: float = 0.0
    smoothing: float = 1.0

    def play(
        self,
        frames_rgb: Sequence[Image],
        landmarks: Sequence[Landmarks | None],
        rng: np.random.Generator,
        redraw: Redraw | None = None,
    ) -> list[Image]:
        """The swapped frames; those without a face stay as they are.

        Args:
            frames_rgb: (h, w, 3) each.
            landmarks: (5, 2) pixels of each frame's face.
            redraw: draws the pasted face anew in each frame where the recipe asks for it.
        """
        place, colour = Wander(rng, (3,), self.rho), Wander(rng, (3,), self.rho)
        organs = Wander(rng, ORGANS_XY.shape, self.rho)
        missing, out = 0, []
        for index, (image_rgb, found) in enumerate(zip(frames_rgb, self._followed(landmarks), strict=True)):
            missing = missing - 1 if missing else int(rng.integers(*GAP_FRAMES)) * int(rng.random() < self.gap)
            drift = organ_drift(self.drift * organs.step()) if self.drift else None
            recipe = self.forgery.moved(self.place * place.step(), self.colour * colour.step(), drift)
            if found is None or missing:
                out.append(image_rgb)
                continue
            out.append(forge_frame(image_rgb, found, recipe, self._source(frames_rgb, landmarks, index, found, redraw)))
        return out

    def _followed(self, landmarks: Sequence[Landmarks | None]) -> Iterator[Landmarks | None]:
        last: Landmarks | None = None
        for index in range(len(landmarks)):
            found = landmarks[max(0, index - index % self.held - self.lag)]
            if found is not None and last is not None:
                found = (self.smoothing * found + (1 - self.smoothing) * last).astype(np.float32)
            last = found
            yield found

    def _source(
        self,
        frames_rgb: Sequence[Image],
        landmarks: Sequence[Landmarks | None],
        index: int,
        found: Landmarks,
        redraw: Redraw | None,
    ) -> Image | None:
        other = min(max(0, index + self.shift), len(frames_rgb) - 1)
        there = landmarks[other]
        redraws = redraw is not None and self.forgery.drawn
        if not self.shift and not redraws:
            return None
        spot = found if there is None or not self.shift else there
        face = aligned(frames_rgb[index if there is None else other], spot)
        return redraw(face) if redraw is not None and redraws else face


def draw_swap(rng: np.random.Generator, redrawn: bool = False, kind: str | None = None) -> LiveSwap:
    """Draw how a clip is swapped; `redrawn` says that an autoencoder is at hand."""
    families = REDRAWN_FAMILIES if redrawn else FAMILIES
    forgery = draw_forgery(rng, str(rng.choice(list(families), p=list(families.values()))), redrawn)
    kind = kind or str(rng.choice(list(KINDS), p=list(KINDS.values())))
    swap = LiveSwap(
        forgery=replace(forgery, opacity=max(forgery.opacity, MIN_OPACITY)),
        kind=kind,
        rho=float(rng.uniform(*RHO)),
        smoothing=float(rng.choice([1.0, 0.6, 0.35], p=[0.5, 0.3, 0.2])),
    )
    if kind == "tremble":
        return replace(swap, place=float(rng.uniform(*PLACE)), colour=float(rng.uniform(*COLOUR)))
    if kind == "drift":
        return replace(swap, drift=float(rng.uniform(*DRIFT) * (TEMPLATE_XY[1, 0] - TEMPLATE_XY[0, 0])))
    if kind == "shift":
        return replace(swap, shift=int(rng.integers(SHIFT_FRAMES[0], SHIFT_FRAMES[1] + 1)) * int(rng.choice([-1, 1])))
    if kind == "gaps":
        return replace(swap, gap=GAP_CHANCE, lag=int(rng.integers(0, 4)))
    return replace(swap, held=int(rng.integers(2, 5)) if kind == "held" else 1)


def organ_drift(shifts_px: NDArray[np.floating]) -> Grid:
    """A smooth displacement (2, 12, 12) in pixels at 256 px that moves each of `ORGANS_XY` by its own (8, 2)."""
    knots = (np.arange(KNOTS) + 0.5) * (CROP_SIZE / KNOTS)
    away = (knots[None, None] - ORGANS_XY[:, 0, None, None]) ** 2 + (
        knots[None, :, None] - ORGANS_XY[:, 1, None, None]
    ) ** 2
    near = np.exp(-away / (2 * ORGAN_PX**2))
    return np.asarray(np.einsum("kc,kyx->cyx", shifts_px, near), np.float32)
