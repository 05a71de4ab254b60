"""Averages over rectangles of an image, exactly those of PyTorch's `interpolate(mode="area")`, many at a time."""

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

NARROW_PIXELS = 257
"""The sum of so many bytes fits in 16 bits; differences of wrapped sums are right as long as the result fits."""


class AreaImage:
    """One image in the form of a table of sums, from which its scaled copies and crops are read.

    Pixels come out as RGBA float32 in 0..255 with an alpha without meaning: rows of four are read in one step.
    """

    def __init__(self, image_rgb: NDArray[np.uint8]) -> None:
        self.size_hw = image_rgb.shape[:2]
        self._wide = cv2.integral(cv2.cvtColor(image_rgb, cv2.COLOR_RGB2RGBA))
        self._narrow = self._wide.astype(np.uint16)

    def scaled(self, size_hw: tuple[int, int]) -> Floats:
        """The whole image at another size: (h, w, 4)."""
        (height, width), (full_height, full_width) = size_hw, self.size_hw
        top, bottom = _edges(np.zeros(1, np.int64), np.array([full_height]), height)[..., 0, :]
        left, right = _edges(np.zeros(1, np.int64), np.array([full_width]), width)[..., 0, :]
        table = self._table(bottom - top, right - left)
        rows = np.take(table, bottom, axis=0)
        rows -= np.take(table, top, axis=0)
        columns = _as_items(rows)
        sums = np.take(columns, right, axis=1).view(table.dtype)
        sums -= np.take(columns, left, axis=1).view(table.dtype)
        means: Floats = sums.astype(np.float32)
        means *= np.repeat(1 / (right - left), 4).astype(np.float32)
        means *= (1 / (bottom - top)).astype(np.float32)[:, None]
        return np.asarray(means.reshape(height, width, 4))

    def crops(self, boxes_xyxy: Ints, side: int) -> Floats:
        """Rectangles of the image, each at `side` x `side`: (n, side, side, 4).

        Args:
            boxes_xyxy: (n, 4), inside the image and not empty, right and bottom edge exclusive.
        """
        count = len(boxes_xyxy)
        left, right = _edges(boxes_xyxy[:, 0], boxes_xyxy[:, 2], side)
        top, bottom = _edges(boxes_xyxy[:, 1], boxes_xyxy[:, 3], side)
        table = self._table(bottom - top, right - left)
        items = _as_items(table).ravel()
        stride = self.size_hw[1] + 1
        above, below = (top * stride)[:, :, None], (bottom * stride)[:, :, None]
        left_of, right_of = left[:, None, :], right[:, None, :]
        sums = np.take(items, below + right_of).view(table.dtype)
        sums -= np.take(items, above + right_of).view(table.dtype)
        sums -= np.take(items, below + left_of).view(table.dtype)
        sums += np.take(items, above + left_of).view(table.dtype)
        means: Floats = sums.astype(np.float32)
        means *= np.repeat(1 / (right - left), 4, axis=1).astype(np.float32)[:, None, :]
        means *= (1 / (bottom - top)).astype(np.float32)[:, :, None]
        return np.asarray(means.reshape(count, side, side, 4))

    def _table(self, heights: Ints, widths: Ints) -> NDArray[np.uint16] | NDArray[np.int32]:
        largest = int(heights.max(initial=0)) * int(widths.max(initial=0))
        return self._narrow if largest <= NARROW_PIXELS else self._wide  # type: ignore[return-value]


def _edges(start: Ints, end: Ints, cells: int) -> Ints:
    """First pixel of each cell and the one after its last, (2, n, cells); neighbours may share a pixel."""
    index = np.arange(cells)
    length = (end - start)[:, None]
    return np.stack([start[:, None] + index * length // cells, start[:, None] - (-(index + 1) * length // cells)])


def _as_items(table: NDArray[np.uint16] | NDArray[np.int32]) -> NDArray[np.generic]:
    """The four channels of a pixel as one item, which is copied as fast as one number: (h, w)."""
    return table.view(np.uint64 if table.dtype == np.uint16 else np.complex128)[..., 0]
