"""`demo:`, a live stream made at run time: a person who moves, and a forged face that comes and goes."""

import math
import threading
import time
from collections.abc import Callable, Generator

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

from unmask.models.training.forgery import draw_forgery
from unmask.models.training.paste import forge_frame
from unmask.stream.source_base import Capture, Captured, Unusable

Image = NDArray[np.uint8]

SIZE_WH = (640, 480)
FPS = 25.0
TURN_S = 8.0
"""Seconds of the genuine face, then of the forged one, and so on."""
LANDMARKS_XY = np.array([[205.0, 101.7], [246.8, 103.7], [224.7, 129.0], [201.7, 139.2], [245.3, 141.9]], np.float32)
"""Eyes, nose and mouth corners in the photograph, pixels."""
FACE_XY = (224.7, 121.0)
FACE_SHARE = 0.27
"""Width of the face as a share of the frame's height."""
FACE_PX = 86.7
FORGED_REACH = 4.0
"""Half the side of what is worked on, in distances of the farthest landmark from their middle."""
NOISE_BANK = 6


class DemoScene:
    """Draws the stream's picture at any time: it moves, it is noisy, and its face is forged every other turn."""

    def __init__(self, size_wh: tuple[int, int] = SIZE_WH, seed: int = 7) -> None:
        self.size_wh = size_wh
        self._photo_rgb: Image = np.asarray(skimage.data.astronaut(), np.uint8)  # type: ignore[no-untyped-call]
        self._rng = np.random.default_rng(seed)
        self._forgery = draw_forgery(np.random.default_rng(seed), "reconstruct")
        shape = (size_wh[1], size_wh[0], 3)
        self._noise = [self._rng.normal(0, 2.2, shape).astype(np.int8) for _ in range(NOISE_BANK)]

    @staticmethod
    def forged_at(pts_s: float) -> bool:
        """Whether the face at this time is a forged one."""
        return int(pts_s // TURN_S) % 2 == 1

    def landmarks_xy(self, pts_s: float) -> NDArray[np.float32]:
        """(5, 2) pixels of the face at this time."""
        matrix = self._matrix(pts_s)
        return np.asarray(LANDMARKS_XY @ matrix[:, :2].T + matrix[:, 2], np.float32)

    def picture_rgb(self, pts_s: float) -> Image:
        """(h, w, 3) uint8 at this time."""
        image_rgb = np.asarray(
            cv2.warpAffine(self._photo_rgb, self._matrix(pts_s), self.size_wh, borderMode=cv2.BORDER_REFLECT_101),
            np.uint8,
        )
        forged = self.forged_at(pts_s)
        if forged:
            self._forge(image_rgb, self.landmarks_xy(pts_s))
        gain = 1.0 + 0.05 * math.sin(2 * math.pi * pts_s / 11.0)
        image_rgb = np.asarray(cv2.convertScaleAbs(image_rgb, alpha=gain), np.uint8)
        image_rgb = self._with_noise(image_rgb)
        caption = "demo: forged face" if forged else "demo: genuine face"
        origin = (8, self.size_wh[1] - 10)
        cv2.putText(image_rgb, caption, origin, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
        return image_rgb

    def _forge(self, image_rgb: Image, landmarks_xy: NDArray[np.float32]) -> None:
        """Forges the face in place, working on its surroundings only."""
        centre_xy = landmarks_xy.mean(0)
        reach = FORGED_REACH * float(np.abs(landmarks_xy - centre_xy).max())
        left, top = np.maximum(centre_xy - reach, 0).astype(int)
        right, bottom = (centre_xy + reach).astype(int)
        around = image_rgb[top:bottom, left:right]
        recipe = self._forgery.jittered(self._rng, 1.0)
        around[:] = forge_frame(around, landmarks_xy - np.array([left, top], np.float32), recipe)

    def _with_noise(self, image_rgb: Image) -> Image:
        noise = self._noise[int(self._rng.integers(NOISE_BANK))]
        noise = np.roll(noise, int(self._rng.integers(noise.shape[0])), axis=0)
        return np.asarray(cv2.add(image_rgb, noise, dtype=cv2.CV_8U), np.uint8)

    def _matrix(self, pts_s: float) -> NDArray[np.float64]:
        """(2, 3) from the photograph to the frame."""
        width, height = self.size_wh
        turn = 2 * math.pi * pts_s
        scale = FACE_SHARE * height / FACE_PX * (1 + 0.05 * math.sin(turn / 7.3))
        degrees = 3.5 * math.sin(turn / 5.1) + 0.5 * math.sin(turn / 1.3)
        matrix = cv2.getRotationMatrix2D(FACE_XY, degrees, scale)
        matrix[0, 2] += width * (0.5 + 0.07 * math.sin(turn / 6.1) + 0.008 * math.sin(turn / 1.7)) - FACE_XY[0]
        matrix[1, 2] += height * (0.37 + 0.02 * math.sin(turn / 4.3)) - FACE_XY[1]
        return np.asarray(matrix, np.float64)


def demo_capture(picture_rgb: Callable[[float], Image], fps: float = FPS) -> Capture:
    """A camera whose picture is drawn at the pace of `fps`; where drawing is slower, pictures are left out."""

    def capture(stop: threading.Event) -> Generator[Captured | Unusable, None, None]:
        start_s, index = time.monotonic(), 0
        while not stop.wait(max(start_s + index / fps - time.monotonic(), 0.0)):
            pts_s = index / fps
            image_rgb = picture_rgb(pts_s)
            yield Captured(image_rgb, pts_s, time.monotonic())
            index = max(index + 1, int((time.monotonic() - start_s) * fps))

    return capture
