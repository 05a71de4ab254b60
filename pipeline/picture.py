"""Pictures whose RGB form is made when somebody first asks for it."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unmask.models.video import thumb_step


class Picture(Protocol):
    """One picture, however it is kept; any thread may ask it, and equal questions get the same array."""

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels of the upright picture, without converting it."""

    def rgb(self) -> NDArray[np.uint8]:
        """(h, w, 3), upright; not to be written to."""

    def thumb(self) -> NDArray[np.uint8]:
        """Single pixels taken from all over the picture, at least 80 across where it has them; (h, w) grey levels
        0..255 or (h, w, 3) RGB, perhaps not upright, and much cheaper than `rgb`."""


class ArrayPicture:
    """A picture that is an RGB array already.

    Raises:
        ValueError: the array is not (h, w, 3) uint8.
    """

    __slots__ = ("_image_rgb",)

    def __init__(self, image_rgb: NDArray[np.uint8]) -> None:
        if image_rgb.ndim != 3 or image_rgb.shape[2] != 3 or image_rgb.dtype != np.uint8:
            raise ValueError(f"image_rgb must be (h, w, 3) uint8, got {image_rgb.shape} {image_rgb.dtype}")
        self._image_rgb = image_rgb

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._image_rgb.shape[1], self._image_rgb.shape[0]

    def rgb(self) -> NDArray[np.uint8]:
        """The array."""
        return self._image_rgb

    def thumb(self) -> NDArray[np.uint8]:
        """Every n-th pixel, RGB."""
        step = thumb_step(self._image_rgb.shape[1])
        return self._image_rgb[::step, ::step].copy()


def as_picture(image: NDArray[np.uint8] | Picture) -> Picture:
    """The picture itself, or one of this array.

    Raises:
        ValueError: the array is not (h, w, 3) uint8.
    """
    return ArrayPicture(image) if isinstance(image, np.ndarray) else image
