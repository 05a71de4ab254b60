"""Outlines of what a forgery replaces, in the pixels of the 256 px aligned crop (`unmask.models.align`).

Measured by eye on the average of aligned faces; every use adds its own random deformation.
"""

import numpy as np
from numpy.typing import NDArray


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
