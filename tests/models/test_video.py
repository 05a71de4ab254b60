"""Decoded frames become upright RGB when asked, once, in the colours that they state."""

import threading

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from tests.build import portrait
from unmask.models import video
from unmask.models.video import DecodedPicture, PictureMaker, grey_thumb, upright_rgb


def decoded(
    width: int = 512, height: int = 512, form: str = "yuv420p", space: int = 2, full: bool = False
) -> VideoFrame:
    """The portrait, cut, as a decoder yields it; `space` as FFmpeg numbers colour spaces: 1 is BT.709, 6 BT.601."""
    image_rgb = np.ascontiguousarray(portrait()[:height, :width])
    frame = VideoFrame.from_ndarray(image_rgb, format="rgb24").reformat(
        format=form, dst_colorspace={1: "ITU709"}.get(space, "ITU601"), dst_color_range="JPEG" if full else "MPEG"
    )
    frame.colorspace = space
    frame.color_range = 2 if full else 1
    return frame


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[VideoFrame]:
    """The frames that were converted so far."""
    seen: list[VideoFrame] = []

    def counted(frame: VideoFrame) -> NDArray[np.uint8]:
        seen.append(frame)
        return upright_rgb(frame)

    monkeypatch.setattr(video, "upright_rgb", counted)
    return seen


@pytest.mark.parametrize("form", ["yuv420p", "yuvj420p", "nv12", "yuv444p", "yuv420p10le", "gray", "rgb24"])
@pytest.mark.parametrize(("width", "height"), [(512, 512), (301, 203), (2, 2)])
def test_the_conversion_is_that_of_ffmpegs_defaults(form: str, width: int, height: int) -> None:
    """To the last bit, also of odd sizes."""
    frame = decoded(width, height, form)

    assert np.array_equal(upright_rgb(frame), frame.to_ndarray(format="rgb24"))


@pytest.mark.parametrize("space", [1, 6])
@pytest.mark.parametrize("full", [False, True])
def test_colours_are_those_that_the_frame_states(space: int, full: bool) -> None:
    """Converted there and back a red stays the same red, whatever was converted before."""
    red = np.full((64, 64, 3), (200, 30, 40), np.uint8)
    others = [decoded(64, 64, "yuv420p", other, not full) for other in (6, 1)]
    frame = VideoFrame.from_ndarray(red, format="rgb24").reformat(
        format="yuv420p",
        dst_colorspace="ITU709" if space == 1 else "ITU601",
        dst_color_range="JPEG" if full else "MPEG",
    )
    frame.colorspace, frame.color_range = space, 2 if full else 1

    for other in others:
        upright_rgb(other)

    assert np.abs(upright_rgb(frame).astype(int) - red).max() <= 3


def test_a_picture_that_nobody_looks_at_is_never_converted(conversions: list[VideoFrame]) -> None:
    """Its size and its thumbnail cost no conversion."""
    picture = DecodedPicture(decoded())

    assert picture.size_wh == (512, 512)
    assert picture.thumb().shape == (86, 86)
    assert conversions == []


def test_a_picture_is_converted_once_whoever_asks(conversions: list[VideoFrame]) -> None:
    """All threads get the same array."""
    picture = DecodedPicture(decoded())
    found: list[NDArray[np.uint8]] = []
    threads = [threading.Thread(target=lambda: found.append(picture.rgb())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(conversions) == 1
    assert len({id(array) for array in found}) == 1


def test_the_first_frame_of_each_format_is_converted_at_once(conversions: list[VideoFrame]) -> None:
    """So that a format that cannot be converted fails in the thread that decodes."""
    make = PictureMaker()
    frames = [decoded(), decoded(), decoded(256, 256), decoded(256, 256, "yuv444p"), decoded(256, 256, "yuv444p")]

    for frame in frames:
        make(frame)

    assert conversions == [frames[0], frames[2], frames[3]]


@pytest.mark.parametrize("form", ["yuv420p", "nv12", "yuv420p10le", "yuyv422", "rgb24"])
@pytest.mark.parametrize("full", [False, True])
def test_a_thumbnail_shows_the_grey_levels_of_the_picture(form: str, full: bool) -> None:
    """Whatever the format and its range of values."""
    frame = decoded(form=form, full=full and form == "yuv420p")
    red, green, blue = np.moveaxis(upright_rgb(frame).astype(float), 2, 0)
    grey = 0.299 * red + 0.587 * green + 0.114 * blue

    thumb = grey_thumb(frame)

    assert thumb.mean() == pytest.approx(grey.mean(), abs=4)
    assert thumb.std() == pytest.approx(grey.std(), abs=6)


@pytest.mark.parametrize(("luma", "grey"), [(16, 0), (235, 255), (0, 0)])
def test_black_and_white_of_video_are_black_and_white(luma: int, grey: int) -> None:
    """16 is black in video, not 16 of 255."""
    planes = np.full((96, 64), 128, np.uint8)
    planes[:64] = luma

    assert (grey_thumb(VideoFrame.from_ndarray(planes, format="yuv420p")) == grey).all()


def test_the_smallest_picture_has_a_thumbnail() -> None:
    """One pixel is enough."""
    assert grey_thumb(decoded(2, 2)).shape == (2, 2)
    assert grey_thumb(av.VideoFrame(1, 1, "yuv420p10le")).shape == (1, 1)
