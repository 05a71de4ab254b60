"""A frame is made of an array, or of a picture that is converted when somebody looks."""

import numpy as np
import pytest
from numpy.typing import NDArray

from unmask.pipeline.types import Frame

GREY = np.full((48, 64, 3), 90, np.uint8)


class CountedPicture:
    """A picture that counts its conversions."""

    size_wh = (64, 48)

    def __init__(self) -> None:
        self.conversions = 0

    def rgb(self) -> NDArray[np.uint8]:
        self.conversions += 1
        return GREY

    def thumb(self) -> NDArray[np.uint8]:
        return GREY[::8, ::8, 0]


@pytest.mark.parametrize("array", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3))])
def test_an_array_that_is_no_rgb_picture_is_refused(array: NDArray[np.uint8]) -> None:
    """With its shape and type in the message."""
    with pytest.raises(ValueError, match="must be"):
        Frame(array, 0.0, 0.0, 0.0, "test", 0)


def test_a_frame_of_an_array_gives_that_array() -> None:
    """And takes another in its place."""
    frame = Frame(GREY, 1.0, 2.0, 3.0, "test", 4)

    assert frame.image_rgb is GREY
    assert frame.size_wh == (64, 48)
    darker = frame.with_image(GREY[:24] // 2)
    assert darker.size_wh == (64, 24)
    assert (darker.image_rgb == 45).all()
    assert (darker.pts_s, darker.seq) == (1.0, 4)


def test_a_frame_converts_its_picture_only_for_those_who_look() -> None:
    """Size, thumbnail and handing on cost nothing."""
    picture = CountedPicture()
    frame = Frame(picture, 0.0, 0.0, 0.0, "test", 0)

    again = Frame(frame.picture, 1.0, 0.0, 0.0, "test", 1)
    assert (again.size_wh, again.thumb.shape) == ((64, 48), (6, 8))
    assert picture.conversions == 0

    assert again.image_rgb is GREY
    assert picture.conversions == 1


def test_the_thumbnail_of_an_array_is_no_view_of_it() -> None:
    """Keeping it must not keep the whole picture."""
    thumb = Frame(np.zeros((720, 1280, 3), np.uint8), 0.0, 0.0, 0.0, "test", 0).thumb

    assert thumb.shape == (45, 80, 3)
    assert thumb.base is None
