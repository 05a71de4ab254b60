"""Arithmetic on boxes between MTCNN's networks, with the cascade's own conventions.

Some of them count the last pixel as inside (width = right - left + 1), some do not; which does is part of what the
weights were trained with.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.ops import nms  # type: ignore[import-untyped]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

PYRAMID_FACTOR = 0.709
CELL_STEP, CELL_SIDE = 2, 12


def pyramid(size_hw: tuple[int, int], min_face_px: int) -> list[tuple[float, tuple[int, int]]]:
    """Scales at which 12 px are a face of at least `min_face_px`, with the image's (height, width) there."""
    height, width = size_hw
    scale = CELL_SIDE / min_face_px
    shorter = min(height, width) * scale
    levels = []
    while shorter >= CELL_SIDE:
        levels.append((scale, (int(height * scale + 1), int(width * scale + 1))))
        scale, shorter = scale * PYRAMID_FACTOR, shorter * PYRAMID_FACTOR
    return levels


def cells(answers: Floats, scale: float, threshold: float) -> tuple[Floats, Floats]:
    """Boxes with confidence (n, 5), in pixels of the unscaled image, and offsets (n, 4) of the cells above a threshold.

    Args:
        answers: (h, w, 5), log-odds and offsets.
        threshold: a confidence.
    """
    found = np.flatnonzero(answers[..., 0] >= np.log(threshold / (1 - threshold)))
    rows, columns = np.divmod(found, answers.shape[1])
    above = answers.reshape(-1, 5)[found]
    corners = np.stack([columns, rows], axis=1).astype(np.float32) * CELL_STEP
    low, high = np.floor((corners + 1) / scale), np.floor((corners + CELL_SIDE) / scale)
    confidences = 1 / (1 + np.exp(-above[:, :1]))
    return np.concatenate([low, high, confidences], axis=1).astype(np.float32), above[:, 1:]


def suppress(boxes: Floats, max_iou: float, groups: Ints | None = None) -> Ints:
    """Indices of the boxes (n, 5) that overlap no more confident one, most confident first.

    Args:
        groups: (n,) from 0; boxes of different groups never suppress each other.
    """
    corners = boxes[:, :4]
    if groups is not None and len(boxes):
        apart = float(np.ceil(corners.max() - corners.min())) + 1
        corners = corners + (groups * apart).astype(np.float32)[:, None]
    kept = nms(torch.from_numpy(np.ascontiguousarray(corners)), torch.from_numpy(boxes[:, 4].copy()), max_iou)
    return np.asarray(kept.numpy())


def suppress_inside(boxes: Floats, max_share: float) -> Ints:
    """Like `suppress`, but an overlap is measured as a share of the smaller of the two boxes."""
    low, high = boxes[:, :2], boxes[:, 2:4]
    sides = np.minimum(high[:, None], high) - np.maximum(low[:, None], low) + 1
    areas = (high - low + 1).prod(axis=1)
    shares = np.clip(sides, 0, None).prod(axis=2) / np.minimum(areas[:, None], areas)
    kept: list[int] = []
    for index in np.argsort(-boxes[:, 4], kind="stable"):
        if not (shares[index, kept] > max_share).any():
            kept.append(int(index))
    return np.array(kept, np.int64)


def moved(boxes: Floats, offsets: Floats, last_pixel: int) -> Floats:
    """Boxes (n, 5) moved by offsets (n, 4) in shares of their size, confidences as they were.

    Args:
        last_pixel: 1 where a box's size counts its last pixel, else 0.
    """
    sizes = boxes[:, 2:4] - boxes[:, :2] + last_pixel
    corners = boxes[:, :4] + offsets * np.tile(sizes, 2)
    return np.concatenate([corners, boxes[:, 4:]], axis=1).astype(np.float32)


def squared(boxes: Floats) -> Floats:
    """The smallest squares around the same centres."""
    sizes = boxes[:, 2:4] - boxes[:, :2]
    longer = sizes.max(axis=1, keepdims=True)
    low = boxes[:, :2] + sizes / 2 - longer / 2
    return np.concatenate([low, low + longer, boxes[:, 4:]], axis=1).astype(np.float32)


def pixels_of(boxes: Floats, size_hw: tuple[int, int]) -> Ints:
    """What of each box lies inside the image, (n, 4) with exclusive right and bottom edges; may be empty."""
    height, width = size_hw
    corners = np.trunc(boxes[:, :4]).astype(np.int64)
    low = np.maximum(corners[:, :2], 1) - 1
    high = np.minimum(corners[:, 2:], (width, height))
    return np.concatenate([low, high], axis=1)


def landmarks_of(boxes: Floats, points: Floats) -> Floats:
    """Landmarks (n, 5, 2) in pixels, of points (n, 10) in shares of their box: five x, then five y."""
    sizes = boxes[:, 2:4] - boxes[:, :2] + 1
    shares = points.reshape(-1, 2, 5).transpose(0, 2, 1)
    return np.asarray(boxes[:, None, :2] - 1 + sizes[:, None] * shares, np.float32)
