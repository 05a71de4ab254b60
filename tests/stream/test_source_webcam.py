"""Webcams, behind their driver."""

import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fake_streams import noise_rgb
from unmask.pipeline.errors import SourceLost, SourceRefused, UsageError
from unmask.stream.source_base import Captured, Unusable
from unmask.stream.source_webcam import OpenCvCamera, webcam_capture, webcam_number


class ScriptedCamera:
    """Grabs what the script says: a picture, a broken one (None) or nothing at all (False)."""

    def __init__(self, script: list[NDArray[np.uint8] | None | bool]) -> None:
        self.closed = False
        self._script = script
        self._picture: NDArray[np.uint8] | None = None

    def grab(self) -> bool:
        step = self._script.pop(0) if self._script else False
        self._picture = step if isinstance(step, np.ndarray) else None
        return step is not False

    def picture_rgb(self) -> NDArray[np.uint8] | None:
        return self._picture

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("url", "number"),
    [("", None), ("webcam:0", 0), ("webcam:12", 12), ("/dev/video3", 3), ("demo:", None), ("/dev/videos", None)],
)
def test_webcams_are_named_by_number(url: str, number: int | None) -> None:
    """Or by the device file of Linux."""
    assert webcam_number(url) == number


def test_a_webcam_without_a_number_is_a_question_of_usage() -> None:
    """The message shows how it is done."""
    with pytest.raises(UsageError, match="webcam:0"):
        webcam_number("webcam:front")


def test_a_camera_that_is_unplugged_is_lost_and_given_back() -> None:
    """Pictures, then a broken one, then nothing: the device is released and the code says what it was."""
    camera = ScriptedCamera([noise_rgb(1), None, noise_rgb(2)])
    items: list[Captured | Unusable] = []

    with pytest.raises(SourceLost, match="unplugged") as lost:
        items.extend(item for item in webcam_capture(0, lambda number: camera)(threading.Event()) if keep(items, item))

    assert lost.value.code == "device_unavailable"
    assert [type(item) for item in items] == [Captured, Unusable, Captured]
    assert camera.closed


def keep(items: list[Captured | Unusable], item: Captured | Unusable) -> bool:
    """Keeps the item though the loop will end in an error."""
    items.append(item)
    return False


def test_a_camera_that_is_stopped_is_given_back() -> None:
    """The stop is seen between two pictures."""
    camera = ScriptedCamera([noise_rgb(seed) for seed in range(9)])
    stop = threading.Event()

    for _ in webcam_capture(0, lambda number: camera)(stop):
        stop.set()

    assert camera.closed


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux names its cameras by files")
def test_a_missing_camera_is_refused_with_one_sentence() -> None:
    """Without OpenCV's own noise."""
    assert not Path("/dev/video987").exists()

    with pytest.raises(SourceRefused, match="no camera 987 on this machine") as refused:
        OpenCvCamera(987)

    assert refused.value.code == "device_unavailable"
