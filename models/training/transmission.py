"""What camera, call app, network and codec do to a clip, genuine or swapped alike.

Genuine clips must show all that is not forgery but looks unsteady: lost, repeated and frozen frames, other rates,
exposure that steps, a shaking camera, key frames that pop (detection.md section 3).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.models.align import similarity_matrix
from unmask.models.training.backdrop import Backdrop, draw_backdrop
from unmask.models.training.blending import Image
from unmask.models.training.codecs import Codec, draw_call
from unmask.models.training.degrade import BEAUTY, BLUR_SIGMA, GAMMA
from unmask.models.training.grain import add_grain
from unmask.models.training.looks import ColourShift, draw_colour
from unmask.models.training.swaps import Wander

SCALES = (1.0, 0.75, 0.6, 0.5)
EXPOSURE_STEP = 0.25
"""Largest natural logarithm of an automatic exposure's step: a third of a stop."""
RAMP_FRAMES = (1, 10)
SHAKE_PX = (0.5, 4.0)
"""Standard deviation at 640 px of a hand-held or knocked camera."""
FREEZE_FRAMES = (3, 16)

Landmarks = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Line:
    """One drawn way from the camera to the receiver; 0 or None leaves a step out.

    Attributes:
        colour: with the exposure's gamma. steps: (first frame, frames, log gain) of exposure changes.
        shake_px: standard deviation at 640 px. noise_sigma, beauty: grey levels. blur_sigma: pixels.
        scale: of the picture's sides.
        drop, repeat, freeze: chances per frame that it is lost, shows the one before, or starts a freeze.
        keep: of every `keep[1]` frames, the first `keep[0]` are sent.
    """

    colour: ColourShift = ColourShift()
    steps: tuple[tuple[int, int, float], ...] = ()
    shake_px: float = 0.0
    noise_sigma: float = 0.0
    beauty: float = 0.0
    blur_sigma: float = 0.0
    scale: float = 1.0
    backdrop: Backdrop | None = None
    drop: float = 0.0
    repeat: float = 0.0
    freeze: float = 0.0
    keep: tuple[int, int] = (1, 1)
    codec: Codec | None = None

    def send(
        self,
        frames_rgb: Sequence[Image],
        times_s: Sequence[float],
        rng: np.random.Generator,
        landmarks: Sequence[Landmarks | None] | None = None,
    ) -> Iterator[tuple[float, Image]]:
        """(time, frame) of what arrives; the first frame always does."""
        shake = Wander(rng, (2,), 0.85)
        sent: list[Image] = []
        times: list[float] = []
        frozen, around = 0, None
        for index, (image_rgb, pts_s) in enumerate(zip(frames_rgb, times_s, strict=True)):
            frozen = frozen - 1 if frozen else int(rng.integers(*FREEZE_FRAMES)) * int(rng.random() < self.freeze)
            lost, again = rng.random(2) < (self.drop, self.repeat)
            shift, seed = shake.step(), int(rng.integers(2**31))
            around = landmarks[index] if landmarks is not None and landmarks[index] is not None else around
            if sent and (lost or index % self.keep[1] >= self.keep[0]):
                continue
            if sent and (frozen or again):
                sent.append(sent[-1])
            else:
                sent.append(self._seen(image_rgb, index, shift, around, seed))
            times.append(pts_s)
        yield from zip(times, self.codec.encode(sent) if self.codec and sent else sent, strict=True)

    def _seen(
        self, image_rgb: Image, index: int, shift: NDArray[np.float64], around: Landmarks | None, seed: int
    ) -> Image:
        """One frame as the camera takes it and the call app sends it."""
        out = image_rgb
        if self.backdrop and around is not None:
            back = cv2.invertAffineTransform(similarity_matrix(around)).astype(np.float32)
            out = self.backdrop.apply(out, back, np.random.default_rng(seed))
        if self.shake_px:
            matrix = np.hstack([np.eye(2), shift[:, None] * self.shake_px * max(out.shape) / 640]).astype(np.float32)
            out = np.asarray(cv2.warpAffine(out, matrix, out.shape[1::-1], borderMode=cv2.BORDER_REFLECT_101), np.uint8)
        gain = sum(log * float(np.clip((index - first + 1) / frames, 0, 1)) for first, frames, log in self.steps)
        if gain:
            out = np.asarray(cv2.convertScaleAbs(out, alpha=float(np.exp(gain))), np.uint8)
        if self.scale != 1:
            width, height = (max(16, round(side * self.scale) // 2 * 2) for side in out.shape[1::-1])
            out = np.asarray(cv2.resize(out, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        return self._processed(out, seed)

    def _processed(self, image_rgb: Image, seed: int) -> Image:
        out = self.colour.apply(image_rgb)
        if self.blur_sigma:
            out = np.asarray(cv2.GaussianBlur(out, (0, 0), self.blur_sigma), np.uint8)
        if self.noise_sigma:
            out = add_grain(out, self.noise_sigma, seed)
        if self.beauty:
            out = np.asarray(cv2.bilateralFilter(out, 5, self.beauty, 3.0), np.uint8)
        return out


def draw_line(rng: np.random.Generator, frames: int) -> Line:
    """Draw the way of a clip of so many frames."""
    gamma = float(np.exp(rng.uniform(*np.log(GAMMA)))) if rng.random() < 0.2 else 1.0
    noise = float(rng.uniform(1, 5)) if rng.random() < 0.3 else 0.0
    if gamma > 1.2:
        noise = max(noise, float(rng.uniform(2, 8)))
    count = int(rng.choice([0, 1, 2, 3], p=[0.7, 0.15, 0.1, 0.05]))
    steps = tuple(
        (int(rng.integers(max(1, frames))), int(rng.integers(*RAMP_FRAMES)), float(rng.uniform(-1, 1) * EXPOSURE_STEP))
        for _ in range(count)
    )
    keeps = ((1, 1), (2, 3), (3, 4), (1, 2))
    return Line(
        colour=draw_colour(rng, 0.5).exposed(gamma),
        steps=steps,
        shake_px=float(rng.uniform(*SHAKE_PX)) if rng.random() < 0.2 else 0.0,
        noise_sigma=noise,
        beauty=float(rng.uniform(*BEAUTY)) if rng.random() < 0.08 else 0.0,
        blur_sigma=float(rng.uniform(*BLUR_SIGMA)) if rng.random() < 0.1 else 0.0,
        scale=float(rng.choice(SCALES, p=[0.4, 0.2, 0.2, 0.2])),
        backdrop=draw_backdrop(rng) if rng.random() < 0.06 else None,
        drop=float(rng.choice([0.0, 0.05, 0.2], p=[0.6, 0.25, 0.15])),
        repeat=float(rng.choice([0.0, 0.04, 0.15], p=[0.6, 0.25, 0.15])),
        freeze=float(rng.choice([0.0, 0.01], p=[0.8, 0.2])),
        keep=keeps[int(rng.choice(len(keeps), p=[0.76, 0.08, 0.08, 0.08]))],
        codec=draw_call(rng) if rng.random() < 0.88 else None,
    )


def transmit(
    frames_rgb: Sequence[Image],
    times_s: Sequence[float],
    rng: np.random.Generator,
    landmarks: Sequence[Landmarks | None] | None = None,
) -> Iterator[tuple[float, Image]]:
    """(time, frame) of a clip after a drawn way from camera to receiver.

    Args:
        frames_rgb: (h, w, 3) each, all of one size.
        times_s: of each frame.
        landmarks: (5, 2) pixels of the face in each frame; without them there are no virtual backgrounds.
    """
    yield from draw_line(rng, len(frames_rgb)).send(frames_rgb, times_s, rng, landmarks)
