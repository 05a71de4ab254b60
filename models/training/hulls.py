"""Outlines of what a forgery replaces, in the pixels of the 256 px aligned crop (`unmask.models.align`).

Measured by eye on the average of aligned faces; every use adds its own random deformation.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.models.align import TEMPLATE_XY, similarity_matrix

MIDDLE_X = float(TEMPLATE_XY[:, 0].mean())
EYES_PX = float(TEMPLATE_XY[1, 0] - TEMPLATE_XY[0, 0])
MAX_TURN, REACH_PX = 0.45, 20.0


def _polygon(*points: tuple[float, float]) -> NDArray[np.float32]:
    return np.array(points, np.float32)


FACE = _polygon(
    (55, 94), (70, 79), (94, 72), (116, 76), (140, 76), (162, 72), (186, 79), (201, 94),
    (206, 128), (201, 162), (196, 196), (162, 223), (128, 235), (94, 223), (60, 196), (55, 162), (50, 128),
)  # fmt: skip
FOREHEAD = _polygon((60, 60), (92, 40), (128, 33), (164, 40), (196, 60))
INNER = _polygon(
    (65, 94), (128, 87), (191, 94), (186, 133), (162, 167), (162, 200), (128, 215), (94, 200), (94, 167), (70, 133)
)
LOWER = _polygon((79, 143), (128, 128), (177, 143), (186, 177), (167, 216), (128, 230), (89, 216), (70, 177))

HULLS = {"face": FACE, "face_forehead": np.concatenate([FACE, FOREHEAD]), "inner": INNER, "lower": LOWER}
ORGANS = {
    "mouth": _polygon((89, 167), (128, 157), (167, 167), (172, 191), (128, 216), (84, 191)),
    "eyes": _polygon((65, 98), (128, 94), (191, 98), (189, 122), (128, 126), (67, 122)),
    "nose": _polygon((114, 105), (142, 105), (155, 152), (128, 164), (101, 152)),
    "brows": _polygon((60, 84), (94, 74), (162, 74), (196, 84), (190, 98), (66, 98)),
}


def random_polygon(rng: np.random.Generator) -> NDArray[np.float32]:
    """8 to 14 points around the face's middle, at 0.55 to 1.1 of its radius."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(8, 15))))
    radius = rng.uniform(0.55, 1.1, angles.shape)
    return np.stack([128 + 75 * radius * np.cos(angles), 150 + 85 * radius * np.sin(angles)], 1).astype(np.float32)


def draw_hull(rng: np.random.Generator, organ: bool = False) -> NDArray[np.float32]:
    """An outline with 2.8 px of jitter: of one organ, or of the face as tools cut it, or any polygon (one of eight).

    The shares follow detection.md 7.3: of organs mouth 50, eyes 30, brows and nose 20.
    """
    if organ:
        hull = ORGANS[str(rng.choice(["mouth", "eyes", "nose", "brows"], p=[0.5, 0.3, 0.1, 0.1]))]
    elif rng.random() < 0.12:
        hull = random_polygon(rng)
    else:
        hull = HULLS[str(rng.choice(list(HULLS), p=[0.5, 0.2, 0.15, 0.15]))]
    return (hull + rng.normal(0, 2.8, hull.shape)).astype(np.float32)


def fitted(hull_xy: NDArray[np.float32], landmarks_xy: NDArray[np.float32]) -> NDArray[np.float32]:
    """An outline (k, 2) of the template in the pixels of a face with its own landmarks (5, 2).

    Each point follows the landmarks near it; on a turned head, seen by its nose, the far side narrows.
    """
    matrix = similarity_matrix(landmarks_xy)
    off = landmarks_xy @ matrix[:, :2].T + matrix[:, 2] - TEMPLATE_XY
    turn = (4 * off[2, 0] - off[0, 0] - off[1, 0] - off[3, 0] - off[4, 0]) / (4 * EYES_PX)
    turn = min(max(float(turn), -MAX_TURN), MAX_TURN)
    near = 1 / (((hull_xy[:, None] - TEMPLATE_XY) ** 2).sum(-1) + REACH_PX**2)
    followed = hull_xy + (near / near.sum(1, keepdims=True)) @ off
    side = followed[:, 0] - MIDDLE_X
    followed[:, 0] = MIDDLE_X + side * np.where(side * turn > 0, 1 - 1.1 * abs(turn), 1 + 0.3 * abs(turn))
    back = cv2.invertAffineTransform(matrix)
    return np.asarray(followed @ back[:, :2].T + back[:, 2], np.float32)
